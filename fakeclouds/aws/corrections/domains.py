"""The domains under which AWS names things, by partition. Pure functions."""

from __future__ import annotations

from moto.utilities.utils import get_partition

DNS_SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}
"""https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html and botocore's partitions.json (`dnsSuffix`)."""


def dns_suffix(region: str) -> str:
    """The domain of a region's partition, e.g. `amazonaws.com.cn`."""
    return DNS_SUFFIXES.get(get_partition(region), "amazonaws.com")


def classic_dns_name(name: str, number: int, region: str, *, internal: bool) -> str:
    """The name of a classic load balancer (and of an application load balancer).

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internet-facing-load-balancers.html:
    `name-1234567890.region.elb.amazonaws.com`; …/elb-internal-load-balancers.html:
    `internal-name-123456789.region.elb.amazonaws.com`.
    """
    return f"{'internal-' if internal else ''}{name}-{number}.{region}.elb.{dns_suffix(region)}"


def network_dns_name(name: str, identifier: str, region: str) -> str:
    """The name of a network load balancer, internal or not.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#dns-name:
    `name-id.elb.region.amazonaws.com`.
    """
    return f"{name}-{identifier}.elb.{region}.{dns_suffix(region)}"
