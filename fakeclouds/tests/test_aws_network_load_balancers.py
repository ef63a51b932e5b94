"""Network load balancers of the fake AWS. `aws` runs every test on plain moto too, where it must fail."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fakeclouds.tests.aws_endpoints import Aws, forward


def by_key(attributes: list[dict[str, str]]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in attributes}


def test_its_dns_name_has_elb_before_the_region(aws: Aws) -> None:
    made = aws.network("web")
    assert re.fullmatch(r"web-[0-9a-f]{16}\.elb\.us-east-1\.amazonaws\.com", made["DNSName"])


def test_an_internal_one_has_the_same_form_of_dns_name(aws: Aws) -> None:
    made = aws.network("web", Scheme="internal")
    assert re.fullmatch(r"web-[0-9a-f]{16}\.elb\.us-east-1\.amazonaws\.com", made["DNSName"])


def test_its_arn_says_net(aws: Aws) -> None:
    tags = [{"Key": "kubernetes.io/service-name", "Value": "default/web"}]
    arn = aws.network("web", Tags=tags)["LoadBalancerArn"]
    assert re.search(r":loadbalancer/net/web/[0-9a-f]{16}$", arn)
    assert aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"] == tags
    listener = aws.listener(arn, aws.target_group("web"))
    assert ":listener/net/web/" in listener["ListenerArn"]


def test_it_faces_the_internet_unless_told_otherwise(aws: Aws) -> None:
    assert aws.network("web")["Scheme"] == "internet-facing"


def test_creating_the_same_again_answers_the_first(aws: Aws) -> None:
    first, again = aws.network("web"), aws.network("web")
    assert first["LoadBalancerArn"] == again["LoadBalancerArn"]
    assert len(aws.elbv2.describe_load_balancers()["LoadBalancers"]) == 1


def test_another_load_balancer_of_the_same_name_is_refused(aws: Aws) -> None:
    aws.network("web")
    with pytest.raises(ClientError, match="DuplicateLoadBalancerName"):
        aws.network("web", Scheme="internal")


def test_its_attributes_have_their_defaults_from_the_start(aws: Aws) -> None:
    arn = aws.network("web")["LoadBalancerArn"]
    found = by_key(aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    assert found["access_logs.s3.enabled"] == found["load_balancing.cross_zone.enabled"] == "false"


def test_one_target_on_two_ports_is_two_targets(aws: Aws) -> None:
    group, instance = aws.target_group("web"), aws.instance()
    both = [{"Id": instance, "Port": 30080}, {"Id": instance, "Port": 30081}]
    aws.elbv2.register_targets(TargetGroupArn=group, Targets=both)
    assert aws.targets(group) == {(instance, 30080), (instance, 30081)}
    aws.elbv2.deregister_targets(TargetGroupArn=group, Targets=both[:1])
    assert aws.targets(group) == {(instance, 30081)}


def test_a_target_without_port_is_on_the_groups(corrected: Aws) -> None:
    group, instance = corrected.target_group("web", port=30080), corrected.instance()
    corrected.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    assert corrected.targets(group) == {(instance, 30080)}
    corrected.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    assert corrected.targets(group) == set()


def test_a_terminated_instance_leaves_the_group_on_every_port(corrected: Aws) -> None:
    group, instance = corrected.target_group("web"), corrected.instance()
    corrected.elbv2.register_targets(
        TargetGroupArn=group, Targets=[{"Id": instance, "Port": 30080}, {"Id": instance, "Port": 30081}]
    )
    corrected.ec2.terminate_instances(InstanceIds=[instance])
    assert corrected.targets(group) == set()


def test_health_names_the_port_that_is_checked(aws: Aws) -> None:
    group, instance = aws.target_group("web", port=30080), aws.instance()
    aws.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    health = aws.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]
    assert health["HealthCheckPort"] == "30080"
    assert health["TargetHealth"]["State"] == "healthy"


def test_a_stopped_target_is_unused(corrected: Aws) -> None:
    group, instance = corrected.target_group("web"), corrected.instance()
    corrected.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    corrected.ec2.stop_instances(InstanceIds=[instance])
    health = corrected.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]
    assert (health["TargetHealth"]["State"], health["TargetHealth"]["Reason"]) == ("unused", "Target.InvalidState")


def test_deregistering_a_target_that_is_not_there_succeeds(aws: Aws) -> None:
    group = aws.target_group("web")
    aws.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": aws.instance(), "Port": 1}])


def test_registering_an_instance_that_does_not_run_adds_none_of_the_targets(aws: Aws) -> None:
    group, running, stopped = aws.target_group("web"), aws.instance(), aws.instance()
    aws.ec2.stop_instances(InstanceIds=[stopped])
    with pytest.raises(ClientError, match="InvalidTarget"):
        aws.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": running}, {"Id": stopped}])
    assert aws.targets(group) == set()


def test_a_tcp_listener_has_no_tls_policy(aws: Aws) -> None:
    listener = aws.listener(aws.network("web")["LoadBalancerArn"], aws.target_group("web"))
    assert "SslPolicy" not in listener


def test_a_listener_on_a_port_that_is_taken_is_refused(aws: Aws) -> None:
    arn, group = aws.network("web")["LoadBalancerArn"], aws.target_group("web")
    aws.listener(arn, group)
    with pytest.raises(ClientError, match="DuplicateListener"):
        aws.listener(arn, group)


def test_a_listener_can_become_udp(aws: Aws) -> None:
    listener = aws.listener(aws.network("web")["LoadBalancerArn"], aws.target_group("web"))
    group = aws.target_group("dns", protocol="UDP")
    made = aws.elbv2.modify_listener(
        ListenerArn=listener["ListenerArn"], Protocol="UDP", Port=53, DefaultActions=[forward(group)]
    )["Listeners"][0]
    assert (made["Protocol"], made["Port"], made["DefaultActions"][0]["TargetGroupArn"]) == ("UDP", 53, group)


def of_balancer(aws: Aws, arn: str) -> list[str]:
    found: list[dict[str, Any]] = aws.elbv2.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    return [one["TargetGroupName"] for one in found]


def test_a_modified_listener_takes_the_load_balancer_to_its_new_group(aws: Aws) -> None:
    arn, before, after = aws.network("web")["LoadBalancerArn"], aws.target_group("before"), aws.target_group("after")
    listener = aws.listener(arn, before)
    aws.elbv2.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=[forward(after)])
    assert of_balancer(aws, arn) == ["after"]
    aws.elbv2.delete_target_group(TargetGroupArn=before)


def test_a_load_balancer_whose_listeners_are_gone_has_no_groups(aws: Aws) -> None:
    arn, group = aws.network("web")["LoadBalancerArn"], aws.target_group("web")
    listener = aws.listener(arn, group)
    assert of_balancer(aws, arn) == ["web"]
    aws.elbv2.delete_listener(ListenerArn=listener["ListenerArn"])
    assert of_balancer(aws, arn) == []


def test_a_group_in_use_is_not_deleted(corrected: Aws) -> None:
    arn, group = corrected.network("web")["LoadBalancerArn"], corrected.target_group("web")
    corrected.listener(arn, group)
    with pytest.raises(ClientError, match="ResourceInUse"):
        corrected.elbv2.delete_target_group(TargetGroupArn=group)
    corrected.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    corrected.elbv2.delete_target_group(TargetGroupArn=group)


def test_the_attributes_of_its_groups_are_those_of_a_network_load_balancer(aws: Aws) -> None:
    group = aws.target_group("web")
    found = by_key(aws.elbv2.describe_target_group_attributes(TargetGroupArn=group)["Attributes"])
    assert (found["preserve_client_ip.enabled"], found["proxy_protocol_v2.enabled"]) == ("true", "false")
    assert "load_balancing.algorithm.type" not in found
