"""DescribeInstanceTopology: where in the network an instance sits. moto has no such operation."""

from __future__ import annotations

import hashlib
import re
from fnmatch import fnmatchcase
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.instances import Instance
from moto.ec2.responses import EC2Response

SUPPORTED = re.compile(r"(g6e|g7e|hpc\d\w*|p3dn|p4de?|p5e?n?|p6-?\w*|trn\d\w*)\.\w+")
"""Instance types with a topology: the families of
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-topology-prerequisites.html"""

FOUR_LAYERS = re.compile(r"p6-\w+\.\w+")
"""Types for which the same page says "Returns 4 network nodes"; all others have three."""


class InstanceTopology(EC2Response):
    """The operation, for running instances of the supported types; others are left out of the answer.

    "Topology views are only available for instances in the `running` state"
    (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-topology.html). That an unsupported type gives an
    empty list and no error is what cloud-provider-aws relies on (pkg/providers/v1/topology.go).
    """

    def describe_instance_topology(self) -> ActionResult:
        """Describe the asked-for instances, or all. EC2ClientError: one of them does not exist."""
        self.error_on_dryrun()
        wanted = self._get_param("InstanceIds", [])
        backend = self.ec2_backend
        instances = backend.get_multi_instances_by_id(wanted) if wanted else backend.all_instances()
        entries = [entry(instance, zone_id(backend, instance)) for instance in instances if has_topology(instance)]
        filters = self._filters_from_querystring()
        return ActionResult({"Instances": [found for found in entries if passes(found, filters)]})


def has_topology(instance: Instance) -> bool:
    """Whether AWS would describe where the instance sits."""
    return instance.is_running() and SUPPORTED.fullmatch(instance.instance_type) is not None


def network_nodes(instance: Instance) -> tuple[str, ...]:
    """The nodes above an instance, from the top of the network down; the top ones are shared within a zone."""
    layers = 4 if FOUR_LAYERS.fullmatch(instance.instance_type) else 3
    zone = f"{instance.owner_id}/{instance.availability_zone}"
    shared = [f"{zone}/{layer}" for layer in range(1, layers)]
    return tuple(f"nn-{hashlib.sha256(at.encode()).hexdigest()[:17]}" for at in (*shared, f"{zone}/{instance.id[-1]}"))


def zone_id(backend: Any, instance: Instance) -> str:
    """The id of an instance's zone, e.g. `use1-az6`."""
    zones = backend.describe_availability_zones(zone_names=[instance.availability_zone])
    return str(zones[0].zone_id)


def entry(instance: Instance, zone: str) -> dict[str, Any]:
    """One instance of the answer."""
    return {
        "InstanceId": instance.id,
        "InstanceType": instance.instance_type,
        "NetworkNodes": list(network_nodes(instance)),
        "AvailabilityZone": instance.availability_zone,
        "ZoneId": zone,
    }


def passes(found: dict[str, Any], filters: dict[str, Any]) -> bool:
    """Whether an entry passes the filters `availability-zone`, `instance-type` and `zone-id`."""
    fields = {"availability-zone": "AvailabilityZone", "instance-type": "InstanceType", "zone-id": "ZoneId"}
    return all(
        any(fnmatchcase(found[fields[name]], pattern) for pattern in patterns) for name, patterns in filters.items()
    )
