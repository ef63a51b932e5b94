"""What a cluster's administrator has prepared in the account before any controller starts.

One network in two zones, public subnets, one route table, one group for the nodes. Creates; changes nothing later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fakeclouds.aws.clients import InsideClients
from fakeclouds.aws.tags import INTERNAL_ROLE, NAME, PUBLIC_ROLE, specification, tags_of

NETWORK_CIDR = "10.0.0.0/16"
SUBNET_CIDRS = ("10.0.0.0/20", "10.0.16.0/20")
"""One a zone; room for 4,091 instances each."""

ZONE_LETTERS = ("a", "b")
ANYWHERE = "0.0.0.0/0"
IMAGE = "ami-0c0ffee0c0ffee000"
"""The image of every instance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Ids of what was prepared."""

    cluster_name: str
    """The cluster that it is for."""

    region: str
    """Region, e.g. `us-east-1`."""

    vpc: str
    """The network."""

    subnets: Mapping[str, str]
    """Zone → its subnet, in alphabetical order."""

    gateway: str
    """The internet gateway."""

    route_table: str
    """The table of all subnets, where the route controller writes."""

    node_group: str
    """The security group of the nodes."""

    @property
    def zone(self) -> str:
        """The first zone."""
        return next(iter(self.subnets))


def prepare(clients: InsideClients, *, cluster_name: str, region: str) -> World:
    """Create the network of a cluster as cloud-provider-aws's docs/prerequisites.md asks for it."""
    ec2, name = clients["ec2"], f"{cluster_name}-network"
    tags = tags_of(cluster_name, **{NAME: name})
    vpc = ec2.create_vpc(CidrBlock=NETWORK_CIDR, TagSpecifications=specification("vpc", tags))["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway(TagSpecifications=specification("internet-gateway", tags))
    gateway_id = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc)
    subnets = {
        f"{region}{letter}": public_subnet(ec2, vpc, f"{region}{letter}", cidr, cluster_name)
        for letter, cidr in zip(ZONE_LETTERS, SUBNET_CIDRS, strict=True)
    }
    table = route_table(ec2, vpc, tags)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, GatewayId=gateway_id)
    for subnet in subnets.values():
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return World(
        cluster_name=cluster_name,
        region=region,
        vpc=vpc,
        subnets=MappingProxyType(subnets),
        gateway=gateway_id,
        route_table=table,
        node_group=node_group(ec2, vpc, cluster_name),
    )


def public_subnet(ec2: Any, vpc: str, zone: str, cidr: str, cluster_name: str) -> str:
    """A subnet whose instances get public addresses and whose tags offer it to both kinds of load balancer."""
    tags = tags_of(cluster_name, **{NAME: f"{cluster_name}-{zone}", PUBLIC_ROLE: "1", INTERNAL_ROLE: "1"})
    made = ec2.create_subnet(
        VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone, TagSpecifications=specification("subnet", tags)
    )
    subnet: str = made["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    return subnet


def route_table(ec2: Any, vpc: str, tags: Mapping[str, str]) -> str:
    """A route table with tags."""
    made = ec2.create_route_table(VpcId=vpc, TagSpecifications=specification("route-table", tags))
    table: str = made["RouteTable"]["RouteTableId"]
    return table


def security_group(ec2: Any, vpc: str, name: str, tags: Mapping[str, str]) -> str:
    """A security group with tags and no rules but AWS's own."""
    described = {"TagSpecifications": specification("security-group", tags)} if tags else {}
    made = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc, **described)
    group: str = made["GroupId"]
    return group


def node_group(ec2: Any, vpc: str, cluster_name: str) -> str:
    """The nodes' security group: nodes reach each other, and nobody else them."""
    name = node_group_name(cluster_name)
    group = security_group(ec2, vpc, name, tags_of(cluster_name, **{NAME: name}))
    among_nodes = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[among_nodes])
    return group


def node_group_name(cluster_name: str) -> str:
    """Name of the nodes' security group."""
    return f"{cluster_name}-nodes"
