"""Classic load balancers of the fake AWS. `aws` runs every test on plain moto too, where it must fail."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fakeclouds.aws.services import CORRECTED
from fakeclouds.tests.aws_endpoints import Aws, endpoint, tcp


def attributes(aws: Aws, name: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]
    return found


def test_a_new_load_balancer_has_a_health_check(aws: Aws) -> None:
    assert aws.classic("web", tcp(80, 30080))["HealthCheck"] == {
        "Target": "TCP:30080",
        "Interval": 30,
        "Timeout": 5,
        "UnhealthyThreshold": 2,
        "HealthyThreshold": 10,
    }


def test_its_dns_name_holds_a_number_and_the_region(aws: Aws) -> None:
    found = aws.classic("web")["DNSName"].split(".", 1)
    assert found[1] == "us-east-1.elb.amazonaws.com"
    name, _, number = found[0].partition("-")
    assert name == "web"
    assert number.isdigit()


def test_an_internal_load_balancer_says_so_in_its_dns_name(aws: Aws) -> None:
    assert aws.classic("web", Scheme="internal")["DNSName"].startswith("internal-web-")


def test_in_china_dns_names_end_in_cn() -> None:
    with endpoint(CORRECTED, region="cn-north-1") as aws:
        assert aws.classic("web")["DNSName"].endswith(".cn-north-1.elb.amazonaws.com.cn")
        assert aws.network("web")["DNSName"].endswith(".elb.cn-north-1.amazonaws.com.cn")


def test_it_is_in_the_zones_of_its_subnets(aws: Aws) -> None:
    assert aws.classic("web")["AvailabilityZones"] == ["us-east-1a", "us-east-1b"]
    aws.elb.detach_load_balancer_from_subnets(LoadBalancerName="web", Subnets=[aws.subnets[1]])
    assert aws.classic_described("web")["AvailabilityZones"] == ["us-east-1a"]
    aws.elb.attach_load_balancer_to_subnets(LoadBalancerName="web", Subnets=[aws.subnets[1]])
    assert aws.classic_described("web")["AvailabilityZones"] == ["us-east-1a", "us-east-1b"]


def test_its_source_security_group_is_its_own(aws: Aws) -> None:
    group = aws.security_group()
    described = aws.classic("web", SecurityGroups=[group])
    name = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["GroupName"]
    assert described["SourceSecurityGroup"]["GroupName"] == name


def test_a_listener_may_speak_another_protocol_to_the_instances(aws: Aws) -> None:
    certificate = "arn:aws:iam::123456789012:server-certificate/web"
    https = {"Protocol": "HTTPS", "InstanceProtocol": "HTTP", "SSLCertificateId": certificate}
    listener = aws.classic("web", tcp(443, 30080) | https)["ListenerDescriptions"][0]["Listener"]
    assert (listener["Protocol"], listener["InstanceProtocol"]) == ("HTTPS", "HTTP")


def test_several_listeners_are_deleted_at_once(aws: Aws) -> None:
    aws.classic("web", tcp(80, 30080), tcp(81, 30081), tcp(82, 30082))
    aws.elb.delete_load_balancer_listeners(LoadBalancerName="web", LoadBalancerPorts=[80, 82])
    left = aws.classic_described("web")["ListenerDescriptions"]
    assert [one["Listener"]["LoadBalancerPort"] for one in left] == [81]


def test_policies_reach_the_instance_port_of_a_listener_added_later(aws: Aws) -> None:
    aws.classic("web")
    aws.elb.create_load_balancer_listeners(LoadBalancerName="web", Listeners=[tcp(81, 30081)])
    aws.elb.create_load_balancer_policy(
        LoadBalancerName="web", PolicyName="proxy", PolicyTypeName="ProxyProtocolPolicyType", PolicyAttributes=[]
    )
    aws.elb.set_load_balancer_policies_for_backend_server(
        LoadBalancerName="web", InstancePort=30081, PolicyNames=["proxy"]
    )
    backends = aws.classic_described("web")["BackendServerDescriptions"]
    assert backends == [{"InstancePort": 30081, "PolicyNames": ["proxy"]}]


def test_an_instance_is_registered_once_however_often_it_is_asked_for(aws: Aws) -> None:
    aws.classic("web")
    wanted = [{"InstanceId": aws.instance()}]
    aws.elb.register_instances_with_load_balancer(LoadBalancerName="web", Instances=wanted)
    answer = aws.elb.register_instances_with_load_balancer(LoadBalancerName="web", Instances=wanted)
    assert aws.classic_described("web")["Instances"] == answer["Instances"] == wanted


def test_registering_an_instance_that_has_ended_is_refused(aws: Aws) -> None:
    aws.classic("web")
    instance = aws.instance()
    aws.ec2.terminate_instances(InstanceIds=[instance])
    with pytest.raises(ClientError, match="InvalidInstance"):
        aws.elb.register_instances_with_load_balancer(LoadBalancerName="web", Instances=[{"InstanceId": instance}])


def test_deregistering_answers_with_those_that_remain(aws: Aws) -> None:
    aws.classic("web")
    both = [{"InstanceId": aws.instance()}, {"InstanceId": aws.instance()}]
    aws.elb.register_instances_with_load_balancer(LoadBalancerName="web", Instances=both)
    answer = aws.elb.deregister_instances_from_load_balancer(LoadBalancerName="web", Instances=both[:1])
    assert answer["Instances"] == both[1:]


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("describe_load_balancer_attributes", {}),
        ("register_instances_with_load_balancer", {"Instances": [{"InstanceId": "i-0123456789abcdef0"}]}),
        ("create_load_balancer_listeners", {"Listeners": [tcp(80, 30080)]}),
        ("apply_security_groups_to_load_balancer", {"SecurityGroups": []}),
    ],
)
def test_an_operation_on_a_missing_load_balancer_is_refused_by_name(
    aws: Aws, operation: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="LoadBalancerNotFound"):
        getattr(aws.elb, operation)(LoadBalancerName="missing", **parameters)


def test_deleting_a_missing_load_balancer_succeeds(corrected: Aws) -> None:
    corrected.elb.delete_load_balancer(LoadBalancerName="missing")


def test_attributes_have_their_defaults_from_the_start(aws: Aws) -> None:
    aws.classic("web")
    found = attributes(aws, "web")
    assert found["ConnectionDraining"] == {"Enabled": False, "Timeout": 300}
    assert found["AdditionalAttributes"] == [{"Key": "elb.http.desyncmitigationmode", "Value": "defensive"}]


def test_modifying_attributes_leaves_the_others_as_they_are(aws: Aws) -> None:
    aws.classic("web")
    for timeout in (120, 180):
        aws.elb.modify_load_balancer_attributes(
            LoadBalancerName="web", LoadBalancerAttributes={"ConnectionSettings": {"IdleTimeout": timeout}}
        )
    found = attributes(aws, "web")
    assert found["ConnectionSettings"]["IdleTimeout"] == 180
    assert len(found["AdditionalAttributes"]) == 1
