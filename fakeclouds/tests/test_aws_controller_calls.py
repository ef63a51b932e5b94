"""Every call that cloud-provider-aws makes, with the parameters that it sends: all of them are read.

Names and parameters: pkg/providers/v1 of https://github.com/kubernetes/cloud-provider-aws.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fakeclouds.aws.cloud import AwsCloud
from fakeclouds.base import Call
from fakeclouds.tests.aws_endpoints import forward, listen

TAGS = [
    {"Key": "kubernetes.io/cluster/demo", "Value": "owned"},
    {"Key": "kubernetes.io/service-name", "Value": "default/web"},
]


class Controller:
    """Makes calls and remembers what of them was not read."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.cloud = AwsCloud(1, "demo", self.calls.append)
        self.cloud.start(listen)
        self.node = self.cloud.add_instance("node-1")

    def __call__(self, operation: str, **parameters: Any) -> Any:
        return self.cloud.call(operation, parameters)

    @property
    def unread(self) -> dict[str, tuple[str, ...]]:
        return {call.name: call.unread for call in self.calls if call.unread}


@pytest.fixture
def aws() -> Iterator[Controller]:
    controller = Controller()
    yield controller
    assert controller.unread == {}
    assert controller.cloud.crashes == ()
    controller.cloud.close()


def where(**filters: list[str]) -> list[dict[str, Any]]:
    return [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]


def test_of_nodes_and_routes(aws: Controller) -> None:
    world = aws.cloud.world
    found = aws(
        "ec2:DescribeInstances",
        Filters=where(private_dns_name=[aws.node.node_name], instance_state_name=["pending", "running"]),
        MaxResults=1000,
    )
    assert found["Reservations"][0]["Instances"][0]["InstanceId"] == aws.node.id
    aws("ec2:DescribeAvailabilityZones")
    aws("ec2:DescribeInstanceTopology", InstanceIds=[aws.node.id])
    aws("ec2:ModifyInstanceAttribute", InstanceId=aws.node.id, SourceDestCheck={"Value": False})
    aws("ec2:DescribeRouteTables", Filters=where(route_table_id=[world.route_table]))
    route = {"RouteTableId": world.route_table, "DestinationCidrBlock": "10.244.0.0/24"}
    aws("ec2:CreateRoute", InstanceId=aws.node.id, **route)
    assert [one.instance_id for one in aws.cloud.routes() if one.owned] == [aws.node.id]
    aws("ec2:DeleteRoute", **route)
    aws("ec2:CreateTags", Resources=[aws.node.id], Tags=TAGS)
    aws("ec2:DeleteTags", Resources=[aws.node.id], Tags=TAGS[1:])
    aws("ec2:DescribeNetworkInterfaces", Filters=where(private_ip_address=[aws.node.private_ip]))


def test_of_classic_load_balancers(aws: Controller) -> None:
    world, name = aws.cloud.world, {"LoadBalancerName": "a1"}
    aws("ec2:DescribeSubnets", Filters=where(subnet_id=list(world.subnets.values()), vpc_id=[world.vpc]))
    aws("ec2:DescribeVpcs", VpcIds=[world.vpc])
    aws("ec2:DescribeSecurityGroups", Filters=where(group_name=["k8s-elb-a1"], vpc_id=[world.vpc]))
    specification = [{"ResourceType": "security-group", "Tags": TAGS}]
    group = aws(
        "ec2:CreateSecurityGroup",
        GroupName="k8s-elb-a1",
        Description="for the load balancer",
        VpcId=world.vpc,
        TagSpecifications=specification,
    )["GroupId"]
    client = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]}
    mtu = {"IpProtocol": "icmp", "FromPort": 3, "ToPort": 4, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
    aws("ec2:AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[client, mtu])
    balancer = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    aws("ec2:AuthorizeSecurityGroupIngress", GroupId=world.node_group, IpPermissions=balancer)
    found = aws("ec2:DescribeSecurityGroups", Filters=where(**{"ip_permission.group_id": [group]}))
    assert [one["GroupId"] for one in found["SecurityGroups"]] == [world.node_group]
    tagged = [{"Name": "tag-key", "Values": [TAGS[0]["Key"]]}]
    assert group in {one["GroupId"] for one in aws("ec2:DescribeSecurityGroups", Filters=tagged)["SecurityGroups"]}
    listener = {"Protocol": "tcp", "LoadBalancerPort": 80, "InstanceProtocol": "tcp", "InstancePort": 30080}
    subnets = list(world.subnets.values())
    aws("elb:CreateLoadBalancer", **name, Listeners=[listener], Subnets=subnets, SecurityGroups=[group], Tags=TAGS)
    check = {"Target": "TCP:30080", "Interval": 10, "Timeout": 5, "UnhealthyThreshold": 6, "HealthyThreshold": 2}
    aws("elb:ConfigureHealthCheck", **name, HealthCheck=check)
    assert (
        aws("elb:DescribeLoadBalancers", LoadBalancerNames=["a1"])["LoadBalancerDescriptions"][0]["HealthCheck"]
        == check
    )
    aws("elb:DescribeLoadBalancerAttributes", **name)
    attributes = {
        "AccessLog": {"Enabled": False},
        "ConnectionDraining": {"Enabled": False},
        "ConnectionSettings": {"IdleTimeout": 60},
        "CrossZoneLoadBalancing": {"Enabled": True},
    }
    aws("elb:ModifyLoadBalancerAttributes", **name, LoadBalancerAttributes=attributes)
    proxy = [{"AttributeName": "ProxyProtocol", "AttributeValue": "true"}]
    aws(
        "elb:CreateLoadBalancerPolicy",
        **name,
        PolicyName="proxy",
        PolicyTypeName="ProxyProtocolPolicyType",
        PolicyAttributes=proxy,
    )
    aws("elb:SetLoadBalancerPoliciesForBackendServer", **name, InstancePort=30080, PolicyNames=["proxy"])
    aws("elb:RegisterInstancesWithLoadBalancer", **name, Instances=[{"InstanceId": aws.node.id}])
    more = {**listener, "LoadBalancerPort": 81, "InstancePort": 30081}
    aws("elb:CreateLoadBalancerListeners", **name, Listeners=[more])
    aws("elb:AddTags", LoadBalancerNames=["a1"], Tags=TAGS)
    (seen,) = aws.cloud.load_balancers()
    assert (seen.variant, seen.service, seen.owned, seen.internal) == ("classic", "default/web", True, False)
    assert [(one.port, one.backend_port) for one in seen.frontends] == [(80, 30080), (81, 30081)]
    assert [(one.instance_id, one.port, one.state) for one in seen.backends] == [
        (aws.node.id, 30080, "InService"),
        (aws.node.id, 30081, "InService"),
    ]
    assert seen.source_ranges == ("198.51.100.0/24",)
    aws("elb:DeleteLoadBalancerListeners", **name, LoadBalancerPorts=[81])
    aws("elb:DeregisterInstancesFromLoadBalancer", **name, Instances=[{"InstanceId": aws.node.id}])
    aws("elb:ApplySecurityGroupsToLoadBalancer", **name, SecurityGroups=[group])
    aws("elb:DeleteLoadBalancer", **name)
    aws("ec2:RevokeSecurityGroupIngress", GroupId=world.node_group, IpPermissions=balancer)
    aws("ec2:DeleteSecurityGroup", GroupId=group)
    assert aws.cloud.load_balancers() == ()


def test_of_network_load_balancers(aws: Controller) -> None:
    world = aws.cloud.world
    mappings = [{"SubnetId": subnet} for subnet in world.subnets.values()]
    made = aws("elbv2:CreateLoadBalancer", Name="n1", Type="network", SubnetMappings=mappings, Tags=TAGS)
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    group = aws(
        "elbv2:CreateTargetGroup",
        Name="k8s-default-web-0123456789",
        Protocol="TCP",
        Port=30080,
        VpcId=world.vpc,
        TargetType="instance",
        HealthCheckIntervalSeconds=10,
        HealthCheckPort="traffic-port",
        HealthCheckProtocol="TCP",
        HealthyThresholdCount=3,
        UnhealthyThresholdCount=3,
        Tags=TAGS,
    )["TargetGroups"][0]["TargetGroupArn"]
    listener = {"Port": 80, "Protocol": "TCP", "DefaultActions": [forward(group)]}
    created = aws("elbv2:CreateListener", LoadBalancerArn=arn, **listener, Tags=TAGS)["Listeners"][0]
    aws("elbv2:RegisterTargets", TargetGroupArn=group, Targets=[{"Id": aws.node.id, "Port": 30080}])
    aws("elbv2:DescribeTargetHealth", TargetGroupArn=group)
    aws("elbv2:DescribeLoadBalancers", Names=["n1"])
    aws("elbv2:DescribeListeners", LoadBalancerArn=arn)
    aws("elbv2:DescribeTargetGroups", LoadBalancerArn=arn)
    aws("elbv2:DescribeLoadBalancerAttributes", LoadBalancerArn=arn)
    cross_zone = {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}
    aws("elbv2:ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=[cross_zone])
    check = {"HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2, "HealthCheckPort": "10256"}
    aws("elbv2:ModifyTargetGroup", TargetGroupArn=group, **check)
    aws("elbv2:DescribeTargetGroupAttributes", TargetGroupArn=group)
    proxy = {"Key": "proxy_protocol_v2.enabled", "Value": "true"}
    aws("elbv2:ModifyTargetGroupAttributes", TargetGroupArn=group, Attributes=[proxy])
    aws("elbv2:ModifyListener", ListenerArn=created["ListenerArn"], **listener)
    open_to(aws, "198.51.100.0/24", "kubernetes.io/rule/nlb/client=n1")
    open_to(aws, "10.0.0.0/20", "kubernetes.io/rule/nlb/health=n1")
    aws.cloud.plant_decoys()
    (seen,) = [one for one in aws.cloud.load_balancers() if one.owned]
    assert (seen.id, seen.variant, seen.service, seen.owned) == (arn, "nlb", "default/web", True)
    assert seen.addresses == (made["LoadBalancers"][0]["DNSName"],)
    assert [(one.protocol, one.port, one.backend_port) for one in seen.frontends] == [("TCP", 80, 30080)]
    assert [(one.instance_id, one.port, one.state) for one in seen.backends] == [(aws.node.id, 30080, "healthy")]
    assert seen.source_ranges == ("198.51.100.0/24",)
    aws("elbv2:DeregisterTargets", TargetGroupArn=group, Targets=[{"Id": aws.node.id, "Port": 30080}])
    aws("elbv2:DeleteListener", ListenerArn=created["ListenerArn"])
    aws("elbv2:DeleteLoadBalancer", LoadBalancerArn=arn)
    aws("elbv2:DeleteTargetGroup", TargetGroupArn=group)
    assert not any(one.owned for one in aws.cloud.load_balancers())


def open_to(aws: Controller, cidr: str, description: str) -> None:
    ranges = [{"CidrIp": cidr, "Description": description}]
    rule = {"IpProtocol": "tcp", "FromPort": 30080, "ToPort": 30080, "IpRanges": ranges}
    aws("ec2:AuthorizeSecurityGroupIngress", GroupId=aws.cloud.world.node_group, IpPermissions=[rule])
