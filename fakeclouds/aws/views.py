"""The account in neutral words: instances, routes and load balancers, read from moto's models.

Reads only; whoever calls holds the front door's lock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from fakeclouds.aws.corrections.topology import has_topology, network_nodes
from fakeclouds.aws.tags import as_mapping, cluster_tag
from fakeclouds.base import Address, Instance, InstanceState, Route


def instance(model: Any, *, name: str, zone_id: Callable[[str], str]) -> Instance:
    """An instance that has not ended. `zone_id` tells the id of a zone by its name."""
    zone, region = str(model.availability_zone), str(model.region_name)
    return Instance(
        id=model.id,
        name=name,
        node_name=model.private_dns_name,
        provider_id=f"aws:///{zone}/{model.id}",
        state=InstanceState(model.state),
        region=region,
        zone=zone,
        type=model.instance_type,
        addresses=tuple(addresses(model)),
        labels=MappingProxyType(labels(model, zone=zone, region=region, zone_id=zone_id(zone))),
        private_ip=model.private_ip,
    )


def ended(instance: Instance) -> Instance:
    """The same instance after its end."""
    return replace(instance, state=InstanceState.TERMINATED, addresses=(), labels=MappingProxyType({}))


def addresses(model: Any) -> Iterator[Address]:
    """What cloud-provider-aws makes of an instance: private addresses of interfaces in use, then the public ones.

    pkg/providers/v1/aws.go, `extractIPv4NodeAddresses`.
    """
    for interface in model.network_interfaces:
        if interface.status == "in-use":
            for private in interface.private_ip_addresses:
                yield Address(type="InternalIP", address=private["PrivateIpAddress"])
    if model.public_ip:
        yield Address(type="ExternalIP", address=model.public_ip)
    yield Address(type="InternalDNS", address=model.private_dns_name)
    yield Address(type="Hostname", address=model.private_dns_name)
    if model.public_dns_name:
        yield Address(type="ExternalDNS", address=model.public_dns_name)


def labels(model: Any, *, zone: str, region: str, zone_id: str) -> dict[str, str]:
    """The node labels of cloud-provider-aws (pkg/providers/v1: well_known_labels.go, instances_v2.go)."""
    layers = network_nodes(model) if has_topology(model) else ()
    return {
        "node.kubernetes.io/instance-type": model.instance_type,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
        "topology.k8s.aws/zone-id": zone_id,
        **{f"topology.k8s.aws/network-node-layer-{layer}": node for layer, node in enumerate(layers, start=1)},
    }


def routes(tables: Iterable[Any], *, cluster_name: str, cluster_cidr: str) -> tuple[Route, ...]:
    """Every route but AWS's own local ones, sorted.

    Ours to manage are those of the cluster's tables that lie inside the pods' network.
    """
    found = []
    for table in tables:
        of_cluster = cluster_tag(cluster_name) in as_mapping(table.get_tags())
        for route in table.routes:
            destination = route.destination_cidr_block or route.destination_ipv6_cidr_block
            if route.local or destination is None:
                continue
            found.append(
                Route(
                    network=table.vpc_id,
                    destination=destination,
                    instance_id=route.instance_id,
                    state=route.state,
                    owned=of_cluster and inside(destination, cluster_cidr),
                )
            )
    return tuple(sorted(found, key=lambda route: (route.network, route.destination, route.instance_id or "")))


def inside(cidr: str, outer: str) -> bool:
    """Whether a network lies within another of the same family."""
    inner_network, outer_network = ipaddress.ip_network(cidr, strict=False), ipaddress.ip_network(outer)
    return inner_network.version == outer_network.version and inner_network.subnet_of(outer_network)  # type: ignore[arg-type]
