"""The tags by which cloud-provider-aws tells what belongs to a cluster. Pure functions.

https://github.com/kubernetes/cloud-provider-aws/blob/master/pkg/providers/v1/tags.go and docs/prerequisites.md
"""

from __future__ import annotations

from collections.abc import Mapping

CLUSTER_PREFIX = "kubernetes.io/cluster/"
OWNED = "owned"
SERVICE = "kubernetes.io/service-name"
"""Value: `namespace/name` of the Service that a load balancer is for."""

PUBLIC_ROLE = "kubernetes.io/role/elb"
INTERNAL_ROLE = "kubernetes.io/role/internal-elb"
NAME = "Name"


def cluster_tag(cluster_name: str) -> str:
    """The key that marks a cluster's resources."""
    return CLUSTER_PREFIX + cluster_name


def tags_of(cluster_name: str, **more: str) -> dict[str, str]:
    """The cluster's tag and others."""
    return {cluster_tag(cluster_name): OWNED, **more}


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def specification(resource_type: str, tags: Mapping[str, str]) -> list[dict[str, object]]:
    """Tags as `TagSpecifications` of a resource that is being created."""
    return [{"ResourceType": resource_type, "Tags": as_list(tags)}]


def as_mapping(tags: Mapping[str, str] | list[dict[str, str]]) -> dict[str, str]:
    """Tags by key, from any form in which moto keeps them."""
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {tag.get("Key") or tag["key"]: tag["Value"] if "Value" in tag else tag["value"] for tag in tags}
