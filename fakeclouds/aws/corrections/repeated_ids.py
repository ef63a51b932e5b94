"""Ids given twice: EC2 answers as if each stood there once, moto fails with an internal error."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response


class RepeatedInstanceIds(EC2Response):
    """DescribeInstances with an id repeated describes that instance once.

    Real controllers repeat ids: cloud-provider-aws batches the requests of several loops into one call without removing
    duplicates (pkg/providers/v1/batcher), and works on AWS.
    """

    def describe_instances(self) -> ActionResult:
        """Answer for each id once, in the order given."""
        if "InstanceIds" in self.params:
            self.params["InstanceIds"] = list(dict.fromkeys(self._get_param("InstanceIds", [])))
        return super().describe_instances()
