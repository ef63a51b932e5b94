"""AWS's API at the front door: who asks for what, what is refused, and what is reported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from fakeclouds.aws import operations
from fakeclouds.aws.clients import over_http
from fakeclouds.aws.cloud import AwsCloud
from fakeclouds.base import Call
from fakeclouds.rules import Hide, Ignore, Refuse, Rule
from fakeclouds.tests.aws_endpoints import listen, tcp


class Door:
    """A started cloud, what its journal was told, and clients of one controller process."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.cloud = AwsCloud(1, "demo", self.calls.append)
        self.cloud.start(listen)
        self.access = self.cloud.issue_access("controller")

    def client(self, service: str, *, region: str = "us-east-1", **key: str) -> Any:
        keys = {"access_key": self.access["access_key"], "secret_key": self.access["secret_key"]} | key
        return over_http(service, endpoint=self.access["endpoint"], region=region, **keys)


@pytest.fixture(scope="module")
def shared() -> Iterator[Door]:
    door = Door()
    yield door
    door.cloud.close()


@pytest.fixture
def door(shared: Door) -> Iterator[Door]:
    shared.calls.clear()
    yield shared
    shared.cloud.rules.clear()


def test_calls_are_named_by_service_generation_operation_and_resource(door: Door) -> None:
    door.client("ec2").describe_instances(InstanceIds=[door.cloud.instance("control-plane").id])
    door.client("elb").describe_load_balancers()
    door.client("elbv2").describe_load_balancers()
    door.client("sts").get_caller_identity()
    assert [(call.caller, call.name) for call in door.calls] == [
        ("controller", "ec2:DescribeInstances"),
        ("controller", "elb:DescribeLoadBalancers"),
        ("controller", "elbv2:DescribeLoadBalancers"),
        ("controller", "sts:GetCallerIdentity"),
    ]
    assert door.calls[0].resource == door.cloud.instance("control-plane").id
    assert not any(call.mutating or call.unread for call in door.calls)


def test_a_route_is_about_its_table_and_destination(door: Door) -> None:
    ids = {"RouteTableId": door.cloud.world.route_table, "DestinationCidrBlock": "10.244.9.0/24"}
    door.client("ec2").create_route(InstanceId=door.cloud.instance("control-plane").id, **ids)
    door.client("ec2").delete_route(**ids)
    assert {call.resource for call in door.calls} == {f"{door.cloud.world.route_table}/10.244.9.0/24"}
    assert [call.mutating for call in door.calls] == [True, True]


def test_an_arn_is_known_by_the_name_in_it() -> None:
    prefix = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
    assert operations.canonical(f"{prefix}loadbalancer/net/web/50dc6c495c0c9188") == "web"
    assert operations.canonical(f"{prefix}targetgroup/group/50dc6c495c0c9188") == "group"
    assert operations.canonical(f"{prefix}listener/net/web/50dc6c495c0c9188/f2f7dc8efc522ab2") == "web"
    assert operations.canonical("sg-0123456789abcdef0") == "sg-0123456789abcdef0"


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [("ec2", "AuthFailure", 401), ("elb", "InvalidClientTokenId", 403), ("elbv2", "InvalidClientTokenId", 403)],
)
def test_a_key_that_was_not_issued_is_refused_as_the_service_does(
    door: Door, service: str, code: str, status: int
) -> None:
    client = door.client(service, access_key="AKIAREALLOOKINGKEY00")
    with pytest.raises(ClientError, match=code) as refused:
        client.describe_account_attributes() if service == "ec2" else client.describe_load_balancers()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert door.calls[0].caller == "unknown (AKIA…)"
    assert "REALLOOKING" not in str(refused.value)


def test_a_request_without_signature_is_refused(door: Door) -> None:
    request = Request(door.access["endpoint"], data=b"Action=DescribeInstances&Version=2016-11-15")
    with pytest.raises(OSError, match="403"):
        urlopen(request)


def test_an_operation_that_only_aws_has_is_reported_as_unimplemented(door: Door) -> None:
    with pytest.raises(ClientError, match="ec2:DescribeIpams"):
        door.client("ec2").describe_ipams()
    assert (door.calls[0].status, door.calls[0].implemented) == (501, False)


def test_no_rule_can_be_about_an_operation_that_only_aws_has(door: Door) -> None:
    with pytest.raises(ValueError, match="no operation is called 'ec2:DescribeIpams'"):
        door.cloud.rules.add(Rule(operation="ec2:DescribeIpams", action=Hide()))


def test_another_service_is_reported_as_unimplemented(door: Door) -> None:
    with pytest.raises(ClientError, match="NotImplemented"):
        door.client("ecr").get_authorization_token()
    assert (door.calls[0].name, door.calls[0].implemented) == ("ecr:GetAuthorizationToken", False)


def test_another_region_is_reported_as_unimplemented(door: Door) -> None:
    with pytest.raises(ClientError, match="eu-west-1"):
        door.client("ec2", region="eu-west-1").describe_instances()
    assert door.calls[0].implemented is False


def test_a_filter_that_moto_does_not_know_is_reported_as_unimplemented(door: Door) -> None:
    with pytest.raises(ClientError, match="NotImplemented"):
        door.client("ec2").describe_instances(Filters=[{"Name": "no-such-filter", "Values": ["1"]}])
    assert door.calls[0].implemented is False


def test_a_parameter_that_no_handler_reads_is_reported_by_name(door: Door) -> None:
    door.client("ec2").describe_subnets(MaxResults=5)
    assert door.calls[0].unread == ("MaxResults",)


def test_a_parameter_that_aws_does_not_describe_is_reported_by_name(door: Door) -> None:
    client = door.client("ec2")

    def add(params: dict[str, Any], **_: Any) -> None:
        params["body"]["Colour"] = "red"

    client.meta.events.register("before-call.ec2.DescribeVpcs", add)
    client.describe_vpcs()
    assert door.calls[0].unread == ("Colour",)


def test_an_error_of_the_backend_is_journalled_by_its_code(door: Door) -> None:
    with pytest.raises(ClientError):
        door.client("elb").describe_load_balancers(LoadBalancerNames=["missing"])
    assert (door.calls[0].error_code, door.calls[0].status) == ("LoadBalancerNotFound", 400)
    assert door.calls[0].implemented


@pytest.mark.parametrize("service", ["ec2", "elb", "elbv2"])
def test_an_injected_refusal_reads_as_the_services_own(door: Door, service: str) -> None:
    door.cloud.rules.add(Rule(operation=f"{service}:Describe*", action=Refuse(code="Throttling", status=503)))
    client = door.client(service)
    with pytest.raises(ClientError) as refused:
        client.describe_instances() if service == "ec2" else client.describe_load_balancers()
    assert refused.value.response["Error"]["Code"] == "Throttling"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_hidden_read_is_a_success_with_nothing_in_it(door: Door) -> None:
    door.cloud.rules.add(Rule(operation="ec2:DescribeInstances", action=Hide()))
    door.cloud.rules.add(Rule(operation="elb:DescribeLoadBalancers", action=Hide()))
    assert door.client("ec2").describe_instances().get("Reservations", []) == []
    assert door.client("elb").describe_load_balancers().get("LoadBalancerDescriptions", []) == []


def test_an_ignored_deletion_is_acknowledged_and_has_no_effect(door: Door) -> None:
    elb = door.client("elb")
    subnets = list(door.cloud.world.subnets.values())
    elb.create_load_balancer(LoadBalancerName="kept", Listeners=[tcp(80, 30080)], Subnets=subnets)
    rule = door.cloud.rules.add(Rule(operation="elb:DeleteLoadBalancer", action=Ignore()))
    elb.delete_load_balancer(LoadBalancerName="kept")
    assert len(elb.describe_load_balancers(LoadBalancerNames=["kept"])["LoadBalancerDescriptions"]) == 1
    door.cloud.rules.remove(rule)
    elb.delete_load_balancer(LoadBalancerName="kept")


def test_a_creation_whose_answer_matters_cannot_be_ignored(door: Door) -> None:
    with pytest.raises(ValueError, match="carries more than an acknowledgement"):
        door.cloud.rules.add(Rule(operation="elbv2:CreateLoadBalancer", action=Ignore()))


def test_the_fake_did_not_crash(door: Door) -> None:
    assert door.cloud.crashes == ()
