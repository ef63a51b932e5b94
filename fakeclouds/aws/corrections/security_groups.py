"""Deleting security groups: AWS refuses while something uses the group, moto never does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response
from moto.elb.models import elb_backends
from moto.elbv2.models import elbv2_backends


class SecurityGroupDependencies(EC2Response):
    """DeleteSecurityGroup that looks at who uses the group.

    "If you attempt to delete a security group that is associated with an instance or network interface, is referenced
    by another security group in the same VPC, or has a VPC association, the operation fails with DependencyViolation."
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    A load balancer uses its groups by its own network interfaces.
    """

    def delete_security_group(self) -> ActionResult:
        """Delete. EC2ClientError: DependencyViolation, or CannotDelete for a network's default group."""
        group_id = self._get_param("GroupId")
        group = self.ec2_backend.get_security_group_from_id(group_id) if group_id else None
        if group is not None:
            if group.is_default:
                text = f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user'
                raise EC2ClientError("CannotDelete", text)
            if any(True for _ in self._users(group.id)):
                raise DependencyViolationError(f"resource {group.id} has a dependent object")
        return super().delete_security_group()

    def _users(self, group_id: str) -> Iterator[str]:
        """Ids and names of what uses the group."""
        yield from instances_in(self.ec2_backend, group_id)
        yield from interfaces_in(self.ec2_backend, group_id)
        yield from referring_groups(self.ec2_backend, group_id)
        for elb in elb_backends[self.current_account][self.region].load_balancers.values():
            if group_id in elb.security_groups:
                yield elb.name
        for elbv2 in elbv2_backends[self.current_account][self.region].load_balancers.values():
            if group_id in (elbv2.security_groups or ()):
                yield elbv2.name


def instances_in(ec2: EC2Backend, group_id: str) -> Iterator[str]:
    """Instances that have not ended and are in the group."""
    for instance in ec2.all_instances():
        if instance.state != "terminated" and any(group.id == group_id for group in instance.security_groups):
            yield instance.id


def interfaces_in(ec2: EC2Backend, group_id: str) -> Iterator[str]:
    """Network interfaces in the group."""
    for interface in ec2.enis.values():
        if any(group.id == group_id for group in interface.group_set):
            yield interface.id


def referring_groups(ec2: EC2Backend, group_id: str) -> Iterator[str]:
    """Other groups with a rule whose source or destination is the group."""
    groups: list[Any] = [group for by_id in ec2.groups.values() for group in by_id.values()]
    for group in groups:
        rules = (*group.ingress_rules, *group.egress_rules)
        if group.id != group_id and any(refers(rule, group_id) for rule in rules):
            yield group.id


def refers(rule: Any, group_id: str) -> bool:
    """Whether the group is a rule's source or destination."""
    return bool(rule.source_group) and rule.source_group.get("GroupId") == group_id
