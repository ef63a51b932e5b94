"""Resources that no controller of this cluster may touch, planted beside those that it may.

They are what a careless controller would mistake for its own, and nothing that would keep a careful one from working:
no second route table and no second group of the nodes carries the cluster's tag, and no route of the cluster's table
leads to an instance that is no Node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fakeclouds.aws.clients import InsideClients
from fakeclouds.aws.instances import DEFAULT_TYPE
from fakeclouds.aws.tags import NAME, SERVICE, as_list, cluster_tag, specification, tags_of
from fakeclouds.aws.world import IMAGE, World, node_group_name, route_table, security_group

OTHER_CLUSTER = "another-cluster"
OFFICE_CIDR = "203.0.113.0/24"
"""Where the user who opened SSH to the nodes sits (a documentation network, RFC 5737)."""

OUTSIDE_CIDR = "172.30.0.0/24"
"""A company network that the cluster's route table leads to; outside every cluster's pods."""

OTHER_PODS_CIDR = "10.244.77.0/24"
"""Pods of the other cluster, in its own route table; the same numbers as ours might have."""


def plant(clients: InsideClients, world: World) -> frozenset[str]:
    """Create them all, and return their keys in a snapshot."""
    ec2, elb = clients["ec2"], clients["elb"]
    return frozenset(
        (*another_cluster(ec2, elb, world), *namesakes(ec2, world), office_rule(ec2, world), outside_route(ec2, world))
    )


def another_cluster(ec2: Any, elb: Any, world: World) -> Iterator[str]:
    """Another cluster in the same network: a node with its group, a route in its own table, a load balancer."""
    tags = tags_of(OTHER_CLUSTER, **{NAME: OTHER_CLUSTER})
    group = security_group(ec2, world.vpc, node_group_name(OTHER_CLUSTER), tags)
    yield f"security-group/{group}"
    node = instance(ec2, world, group, tags)
    yield f"instance/{node}"
    table = route_table(ec2, world.vpc, tags)
    yield f"route-table/{table}"
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=OTHER_PODS_CIDR, InstanceId=node)
    yield f"route/{table}/{OTHER_PODS_CIDR}"
    name = "a0123456789abcdef0123456789abcde"
    elb.create_load_balancer(
        LoadBalancerName=name,
        Listeners=[{"Protocol": "tcp", "LoadBalancerPort": 80, "InstanceProtocol": "tcp", "InstancePort": 30080}],
        Subnets=list(world.subnets.values()),
        SecurityGroups=[group],
        Tags=as_list({cluster_tag(OTHER_CLUSTER): "owned", SERVICE: "default/web"}),
    )
    elb.register_instances_with_load_balancer(LoadBalancerName=name, Instances=[{"InstanceId": node}])
    yield f"classic-load-balancer/{name}"


def namesakes(ec2: Any, world: World) -> Iterator[str]:
    """An instance and a group with names of the cluster's, but without its tag, in the account's default network."""
    default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    yield f"security-group/{security_group(ec2, default, node_group_name(world.cluster_name), {})}"
    own = security_group(ec2, world.vpc, "untagged", {})
    yield f"security-group/{own}"
    yield f"instance/{instance(ec2, world, own, {NAME: node_group_name(world.cluster_name)})}"


def office_rule(ec2: Any, world: World) -> str:
    """A user's own rule in the nodes' group."""
    office = {"CidrIp": OFFICE_CIDR, "Description": "ssh from the office"}
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [office]}
    made = ec2.authorize_security_group_ingress(GroupId=world.node_group, IpPermissions=[ssh])
    return f"security-group-rule/{made['SecurityGroupRules'][0]['SecurityGroupRuleId']}"


def outside_route(ec2: Any, world: World) -> str:
    """A route of the cluster's own table to the company network, by a VPN."""
    gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=world.vpc)
    ec2.create_route(RouteTableId=world.route_table, DestinationCidrBlock=OUTSIDE_CIDR, GatewayId=gateway)
    return f"route/{world.route_table}/{OUTSIDE_CIDR}"


def instance(ec2: Any, world: World, group: str, tags: dict[str, str]) -> str:
    """A running instance in the network's first subnet."""
    made = ec2.run_instances(
        ImageId=IMAGE,
        InstanceType=DEFAULT_TYPE,
        MinCount=1,
        MaxCount=1,
        SubnetId=world.subnets[world.zone],
        SecurityGroupIds=[group],
        TagSpecifications=specification("instance", tags),
    )
    instance_id: str = made["Instances"][0]["InstanceId"]
    return instance_id
