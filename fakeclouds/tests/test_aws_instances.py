"""Instances of the fake AWS. `aws` runs every test on plain moto too, where it must fail."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from fakeclouds.aws.services import CORRECTED, PLAIN
from fakeclouds.tests.aws_endpoints import Aws, endpoint


def test_a_malformed_instance_id_is_told_from_an_unknown_one(aws: Aws) -> None:
    with pytest.raises(ClientError, match=r"InvalidInstanceID.Malformed"):
        aws.ec2.describe_instances(InstanceIds=["i-zzz"])


def test_an_id_given_twice_is_described_once(aws: Aws) -> None:
    first, second = aws.instance(), aws.instance()
    pages = aws.ec2.describe_instances(InstanceIds=[first, second, first])["Reservations"]
    assert sorted(one["InstanceId"] for page in pages for one in page["Instances"]) == sorted([first, second])


def test_malformed_ids_of_groups_and_tables_have_their_own_codes(aws: Aws) -> None:
    with pytest.raises(ClientError, match=r"InvalidGroupId\.Malformed"):
        aws.ec2.describe_security_groups(GroupIds=["sg-node"])
    with pytest.raises(ClientError, match=r"InvalidRouteTableId\.Malformed"):
        aws.ec2.describe_route_tables(RouteTableIds=["rtb-1"])


def test_an_unknown_but_well_formed_instance_id_is_not_found(corrected: Aws) -> None:
    with pytest.raises(ClientError, match=r"InvalidInstanceID.NotFound"):
        corrected.ec2.describe_instances(InstanceIds=["i-0123456789abcdef0"])


def test_a_terminated_instance_is_described_without_any_address(aws: Aws) -> None:
    instance = aws.instance()
    aws.ec2.terminate_instances(InstanceIds=[instance])
    described = aws.described(instance)
    assert described["State"]["Name"] == "terminated"
    assert described["NetworkInterfaces"] == []
    assert not {"PrivateIpAddress", "PublicIpAddress", "SubnetId", "VpcId"} & set(described)
    assert described["PrivateDnsName"] == described["PublicDnsName"] == ""


def test_the_primary_interface_goes_with_its_instance(aws: Aws) -> None:
    instance = aws.instance()
    interface = aws.described(instance)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    aws.ec2.terminate_instances(InstanceIds=[instance])
    everything = aws.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert interface not in {one["NetworkInterfaceId"] for one in everything}


def test_the_private_address_of_a_terminated_instance_can_be_had_again(aws: Aws) -> None:
    instance = aws.instance(PrivateIpAddress="172.31.0.77")
    aws.ec2.terminate_instances(InstanceIds=[instance])
    again = aws.instance(PrivateIpAddress="172.31.0.77")
    assert aws.described(again)["PrivateIpAddress"] == "172.31.0.77"
    group_of_the_dead = aws.described(instance)["SecurityGroups"]
    assert group_of_the_dead == []


def test_terminating_twice_succeeds_both_times(corrected: Aws) -> None:
    instance = corrected.instance()
    corrected.ec2.terminate_instances(InstanceIds=[instance])
    again = corrected.ec2.terminate_instances(InstanceIds=[instance])
    assert again["TerminatingInstances"][0]["InstanceId"] == instance


def test_the_source_destination_check_of_an_instance_with_two_interfaces_is_refused(aws: Aws) -> None:
    instance = aws.instance()
    aws.second_interface(instance)
    with pytest.raises(ClientError, match=r"InvalidInstanceID.*multiple interfaces"):
        aws.ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})


def test_the_source_destination_check_can_be_switched_off(corrected: Aws) -> None:
    instance = corrected.instance()
    corrected.ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})
    assert corrected.described(instance)["SourceDestCheck"] is False


def test_a_supported_instance_type_has_three_network_nodes_in_its_zone(aws: Aws) -> None:
    instance = aws.instance(InstanceType="p4d.24xlarge")
    found = aws.ec2.describe_instance_topology(InstanceIds=[instance])["Instances"]
    assert [one["InstanceId"] for one in found] == [instance]
    assert len(set(found[0]["NetworkNodes"])) == 3
    assert found[0]["AvailabilityZone"] == aws.described(instance)["Placement"]["AvailabilityZone"]


def test_instances_of_one_zone_share_the_top_of_the_network(aws: Aws) -> None:
    here, there = aws.instance(InstanceType="p4d.24xlarge"), aws.instance(InstanceType="p4d.24xlarge")
    elsewhere = aws.instance(InstanceType="p4d.24xlarge", SubnetId=aws.subnets[1])
    found = aws.ec2.describe_instance_topology(InstanceIds=[here, there, elsewhere])["Instances"]
    tops = {one["InstanceId"]: one["NetworkNodes"][0] for one in found}
    assert tops[here] == tops[there] != tops[elsewhere]


def test_an_instance_type_without_topology_gives_an_empty_answer(aws: Aws) -> None:
    assert aws.ec2.describe_instance_topology(InstanceIds=[aws.instance()])["Instances"] == []


def test_a_stopped_instance_has_no_topology(aws: Aws) -> None:
    instance = aws.instance(InstanceType="p4d.24xlarge")
    aws.ec2.stop_instances(InstanceIds=[instance])
    assert aws.ec2.describe_instance_topology(InstanceIds=[instance])["Instances"] == []


def test_topology_is_filtered_by_zone_and_type(aws: Aws) -> None:
    aws.instance(InstanceType="p4d.24xlarge")
    other = aws.instance(InstanceType="trn1.2xlarge")
    found = aws.ec2.describe_instance_topology(Filters=[{"Name": "instance-type", "Values": ["trn1*"]}])["Instances"]
    assert [one["InstanceId"] for one in found] == [other]


def test_zones_tell_kind_id_and_state(corrected: Aws) -> None:
    zones = corrected.ec2.describe_availability_zones()["AvailabilityZones"]
    assert {one["ZoneType"] for one in zones} == {"availability-zone"}
    assert {one["State"] for one in zones} == {"available"}
    assert {one["ZoneName"]: one["ZoneId"] for one in zones}["us-east-1a"] == "use1-az6"


@pytest.mark.parametrize("services", [CORRECTED, PLAIN], ids=["corrected", "plain-moto"])
def test_both_endpoints_run_instances_and_load_balancers(services: object) -> None:
    with endpoint(services) as aws:  # type: ignore[arg-type]
        instance = aws.instance()
        assert aws.described(instance)["State"]["Name"] == "running"
        assert aws.classic("web")["LoadBalancerName"] == "web"
        group = aws.target_group("web")
        aws.listener(aws.network("web")["LoadBalancerArn"], group)
        aws.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
        assert aws.targets(group) == {(instance, 30080)}
        table = aws.route_table()
        aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.244.0.0/24", InstanceId=instance)
        assert aws.route(table, "10.244.0.0/24")["State"] == "active"
