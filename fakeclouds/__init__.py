"""Fake clouds: what a real Kubernetes cloud controller talks to instead of a vendor's API.

Each cloud is a folder that offers `fakeclouds.base.FakeCloud`; what they share lies beside it. Nothing here knows who
drives the cloud, so nothing here imports `harness`.
"""

from collections.abc import Mapping

CLOUDS: Mapping[str, str] = {
    "aws": "fakeclouds.aws.cloud:AwsCloud",
}
"""Cloud → where its class is, as `module:Class`; importing this package loads none of them."""
