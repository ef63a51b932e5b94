"""Routes to instances in the fake AWS. `aws` runs every test on plain moto too, where it must fail."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from fakeclouds.tests.aws_endpoints import Aws

PODS = "10.244.1.0/24"


def test_a_route_turns_into_a_black_hole_when_its_instance_is_terminated(aws: Aws) -> None:
    table, instance = aws.route_table(), aws.instance()
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=instance)
    aws.ec2.terminate_instances(InstanceIds=[instance])
    route = aws.route(table, PODS)
    assert route["State"] == "blackhole"
    assert "InstanceId" not in route


def test_a_route_names_the_interface_of_its_instance(aws: Aws) -> None:
    table, instance = aws.route_table(), aws.instance()
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=instance)
    interface = aws.described(instance)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert aws.route(table, PODS).get("NetworkInterfaceId") == interface


def test_a_black_hole_can_be_deleted_and_made_anew(aws: Aws) -> None:
    table, before, after = aws.route_table(), aws.instance(), aws.instance()
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=before)
    aws.ec2.terminate_instances(InstanceIds=[before])
    assert aws.route(table, PODS)["State"] == "blackhole"
    aws.ec2.delete_route(RouteTableId=table, DestinationCidrBlock=PODS)
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=after)
    assert aws.route(table, PODS)["State"] == "active"


def test_replacing_a_black_hole_by_a_running_instance_makes_it_active(aws: Aws) -> None:
    table, before, after = aws.route_table(), aws.instance(), aws.instance()
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=before)
    aws.ec2.terminate_instances(InstanceIds=[before])
    assert aws.route(table, PODS)["State"] == "blackhole"
    aws.ec2.replace_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=after)
    assert (aws.route(table, PODS)["State"], aws.route(table, PODS)["InstanceId"]) == ("active", after)


def test_no_route_can_be_made_to_a_terminated_instance(aws: Aws) -> None:
    table, instance = aws.route_table(), aws.instance()
    aws.ec2.terminate_instances(InstanceIds=[instance])
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=instance)


def test_no_route_can_be_made_to_an_instance_with_two_interfaces(aws: Aws) -> None:
    table, instance = aws.route_table(), aws.instance()
    aws.second_interface(instance)
    with pytest.raises(ClientError, match=r"InvalidInstanceID.*multiple interfaces"):
        aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=instance)


def test_no_route_can_be_made_to_an_instance_that_never_was(corrected: Aws) -> None:
    with pytest.raises(ClientError, match=r"InvalidInstanceID.NotFound"):
        corrected.ec2.create_route(
            RouteTableId=corrected.route_table(), DestinationCidrBlock=PODS, InstanceId="i-0123456789abcdef0"
        )


def test_a_second_route_to_the_same_destination_is_refused(corrected: Aws) -> None:
    table, instance = corrected.route_table(), corrected.instance()
    corrected.ec2.create_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=instance)
    with pytest.raises(ClientError, match="RouteAlreadyExists"):
        corrected.ec2.create_route(RouteTableId=table, DestinationCidrBlock=PODS, InstanceId=instance)
