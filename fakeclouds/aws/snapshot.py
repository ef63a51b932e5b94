"""The whole account as canonical JSON values, so that what was left behind is a difference of two of them.

Asks moto through the API's own descriptions, so every field that a caller could see is there. Left out: what changes by
itself (times, reasons), and instances that have ended, which AWS lets vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from fakeclouds.aws.clients import InsideClients
from fakeclouds.aws.tags import as_mapping

VOLATILE = frozenset(
    {
        "AttachTime",
        "AttachmentTime",
        "ClientToken",
        "CreateTime",
        "CreatedTime",
        "LaunchTime",
        "StateReason",
        "StateTransitionReason",
        "UsageOperationUpdateTime",
    }
)
"""Fields that differ from run to run or with time alone."""

Entries = Iterator[tuple[str, dict[str, Any]]]


def snapshot(clients: InsideClients) -> dict[str, Any]:
    """Every resource under `<kind>/<id>`, in the order of the keys."""
    ec2, elb, elbv2 = clients["ec2"], clients["elb"], clients["elbv2"]
    found: dict[str, Any] = {}
    for entries in (networks(ec2), firewalls(ec2), instances(ec2), classic(elb), network(elbv2)):
        found.update({key: canonical(value) for key, value in entries})
    return dict(sorted(found.items()))


def networks(ec2: Any) -> Entries:
    """Networks, subnets, gateways, addresses, and route tables with each route as an entry of its own."""
    yield from kind("vpc", ec2.describe_vpcs()["Vpcs"], "VpcId")
    yield from kind("subnet", ec2.describe_subnets()["Subnets"], "SubnetId", without=("AvailableIpAddressCount",))
    yield from kind("internet-gateway", ec2.describe_internet_gateways()["InternetGateways"], "InternetGatewayId")
    yield from kind("vpn-gateway", ec2.describe_vpn_gateways()["VpnGateways"], "VpnGatewayId")
    yield from kind("address", ec2.describe_addresses()["Addresses"], "AllocationId")
    for table in pages(ec2, "describe_route_tables", "RouteTables"):
        for route in table.pop("Routes"):
            destination = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
            yield f"route/{table['RouteTableId']}/{destination}", route
        yield f"route-table/{table['RouteTableId']}", table


def firewalls(ec2: Any) -> Entries:
    """Security groups with each rule as an entry of its own."""
    groups = pages(ec2, "describe_security_groups", "SecurityGroups")
    yield from kind("security-group", groups, "GroupId", without=("IpPermissions", "IpPermissionsEgress"))
    rules = pages(ec2, "describe_security_group_rules", "SecurityGroupRules")
    yield from kind("security-group-rule", rules, "SecurityGroupRuleId")


def instances(ec2: Any) -> Entries:
    """Instances that have not ended, network interfaces and volumes."""
    for reservation in pages(ec2, "describe_instances", "Reservations"):
        alive = [one for one in reservation["Instances"] if one["State"]["Name"] != "terminated"]
        yield from kind("instance", alive, "InstanceId")
    interfaces = ec2.describe_network_interfaces()["NetworkInterfaces"]
    yield from kind("network-interface", interfaces, "NetworkInterfaceId")
    yield from kind("volume", ec2.describe_volumes()["Volumes"], "VolumeId")


def classic(elb: Any) -> Entries:
    """Classic load balancers with attributes, policies and tags."""
    for balancer in pages(elb, "describe_load_balancers", "LoadBalancerDescriptions"):
        name = balancer["LoadBalancerName"]
        attributes = elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]
        policies = elb.describe_load_balancer_policies(LoadBalancerName=name)["PolicyDescriptions"]
        tags = elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"][0]["Tags"]
        yield (
            f"classic-load-balancer/{name}",
            {**balancer, "Attributes": attributes, "PolicyDescriptions": policies, "Tags": tags},
        )


def network(elbv2: Any) -> Entries:
    """Network load balancers, their listeners, and target groups with targets, attributes and tags."""
    for balancer in pages(elbv2, "describe_load_balancers", "LoadBalancers"):
        arn = balancer["LoadBalancerArn"]
        attributes = elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        yield f"load-balancer/{arn}", {**balancer, "Attributes": attributes, "Tags": tags_of(elbv2, arn)}
        for listener in elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            yield f"listener/{listener['ListenerArn']}", {**listener, "Tags": tags_of(elbv2, listener["ListenerArn"])}
    for group in elbv2.describe_target_groups()["TargetGroups"]:
        arn = group["TargetGroupArn"]
        attributes = elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        health = elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        extra = {"Attributes": attributes, "Targets": health, "Tags": tags_of(elbv2, arn)}
        yield f"target-group/{arn}", {**group, **extra}


def tags_of(elbv2: Any, arn: str) -> Any:
    """The tags of a resource of the second generation."""
    return elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]


def pages(client: Any, operation: str, result: str) -> list[dict[str, Any]]:
    """All pages of a description."""
    read: Callable[..., Any] = client.get_paginator(operation).paginate
    return [item for page in read() for item in page.get(result, [])]


def kind(name: str, items: Iterable[dict[str, Any]], id_field: str, *, without: Iterable[str] = ()) -> Entries:
    """Items of one kind under their ids, some fields left out."""
    for item in items:
        yield f"{name}/{item[id_field]}", {field: value for field, value in item.items() if field not in without}


def canonical(value: Any) -> Any:
    """JSON values without volatile fields; tags by key, other lists in a fixed order."""
    if isinstance(value, dict):
        return {
            name: as_mapping(member) if name == "Tags" else canonical(member)
            for name, member in sorted(value.items())
            if name not in VOLATILE
        }
    if isinstance(value, list):
        return sorted((canonical(item) for item in value), key=repr)
    return value.isoformat() if isinstance(value, datetime) else value
