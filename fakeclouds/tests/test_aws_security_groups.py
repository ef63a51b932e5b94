"""Deleting security groups in the fake AWS. `aws` runs every test on plain moto too, where it must fail."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from fakeclouds.tests.aws_endpoints import Aws


def refused(aws: Aws, group: str, code: str = "DependencyViolation") -> None:
    with pytest.raises(ClientError, match=code):
        aws.ec2.delete_security_group(GroupId=group)


def test_a_group_of_an_instance_is_deleted_only_after_the_instance(aws: Aws) -> None:
    group = aws.security_group()
    instance = aws.instance(SecurityGroupIds=[group])
    refused(aws, group)
    aws.ec2.terminate_instances(InstanceIds=[instance])
    aws.ec2.delete_security_group(GroupId=group)


def test_a_group_of_a_network_interface_is_deleted_only_after_the_interface(aws: Aws) -> None:
    group = aws.security_group()
    made = aws.ec2.create_network_interface(SubnetId=aws.subnets[0], Groups=[group])["NetworkInterface"]
    refused(aws, group)
    aws.ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
    aws.ec2.delete_security_group(GroupId=group)


def test_a_group_that_another_one_refers_to_is_deleted_only_after_the_rule(aws: Aws) -> None:
    group, other = aws.security_group(), aws.security_group()
    rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    aws.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=rule)
    refused(aws, group)
    aws.ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=rule)
    aws.ec2.delete_security_group(GroupId=group)


def test_a_group_of_a_classic_load_balancer_is_deleted_only_after_it(aws: Aws) -> None:
    group = aws.security_group()
    aws.classic("web", SecurityGroups=[group])
    refused(aws, group)
    aws.elb.delete_load_balancer(LoadBalancerName="web")
    aws.ec2.delete_security_group(GroupId=group)


def test_a_group_of_a_network_load_balancer_is_deleted_only_after_it(aws: Aws) -> None:
    group = aws.security_group()
    balancer = aws.network("web", SecurityGroups=[group])
    refused(aws, group)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    aws.ec2.delete_security_group(GroupId=group)


def test_a_networks_default_group_cannot_be_deleted(aws: Aws) -> None:
    groups = aws.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])
    refused(aws, groups["SecurityGroups"][0]["GroupId"], "CannotDelete")


def test_a_group_that_refers_only_to_itself_can_be_deleted(corrected: Aws) -> None:
    group = corrected.security_group()
    rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    corrected.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    corrected.ec2.delete_security_group(GroupId=group)
    with pytest.raises(ClientError, match=r"InvalidGroup.NotFound"):
        corrected.ec2.delete_security_group(GroupId=group)
