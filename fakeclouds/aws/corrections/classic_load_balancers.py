"""Classic load balancers as such: name, zones, health check, attributes, registered instances, and what is missing."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models import ec2_backends
from moto.elb.exceptions import ELBClientError, LoadBalancerNotFoundError
from moto.elb.models import FakeHealthCheck, LoadBalancer
from moto.elb.responses import ELBResponse
from moto.moto_api._internal import mock_random

from fakeclouds.aws.corrections.domains import classic_dns_name
from fakeclouds.aws.corrections.models import corrects, retype

MAY_BE_MISSING = frozenset({"CreateLoadBalancer", "DeleteLoadBalancer"})
"""Operations that do not ask for the load balancer they name; DeleteLoadBalancer "still succeeds" without it.
https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeleteLoadBalancer.html"""

DESYNC = ("elb.http.desyncmitigationmode", "defensive")
"""The one further attribute, and its default.
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-desync-mitigation-mode.html"""

DRAINING_TIMEOUT_S = 300
"""Shown by the example of DescribeLoadBalancerAttributes in the AWS CLI's reference."""


@corrects(LoadBalancer)
class ClassicLoadBalancer(LoadBalancer):
    """A classic load balancer of moto with AWS's defaults and names."""

    ec2: Any
    """The EC2 backend that its subnets and groups are in."""

    @property
    def source_security_group(self) -> dict[str, str]:
        """The group that rules for its instances may name as their source."""
        group = self.ec2.get_security_group_from_id(self.security_groups[0]) if self.security_groups else None
        return {"OwnerAlias": self.account_id, "GroupName": group.name if group else "default"}

    def settle(self, *, ec2: Any, region: str) -> None:
        """Fill in what AWS decides when it creates the load balancer."""
        self.ec2 = ec2
        number = mock_random.randint(10**8, 2 * 10**9)
        self.dns_name = classic_dns_name(self.name, number, region, internal=self.scheme == "internal")
        self.health_check = default_health_check(self)
        self.attributes["connection_draining"] = {"enabled": False, "timeout": DRAINING_TIMEOUT_S}
        self.attributes["additional_attributes"] = [DESYNC]
        self.follow_subnets()

    def follow_subnets(self) -> None:
        """Be in the zones of its subnets."""
        if self.subnets:
            self.availability_zones = sorted({self.ec2.get_subnet(subnet).availability_zone for subnet in self.subnets})


class ClassicLoadBalancers(ELBResponse):
    """The operations on whole load balancers."""

    def call_action(self) -> Any:
        """Answer, or refuse an operation on a load balancer that does not exist (moto crashes or says nothing)."""
        name = self._get_param("LoadBalancerName")
        if name and self._get_action() not in MAY_BE_MISSING and self.elb_backend.get_load_balancer(name) is None:
            return self.serialized(ActionResult(LoadBalancerNotFoundError(name)))
        return super().call_action()

    def create_load_balancer(self) -> ActionResult:
        """Create with AWS's defaults."""
        super().create_load_balancer()
        balancer = retype(self._named(), ClassicLoadBalancer)
        balancer.settle(ec2=ec2_backends[self.current_account][self.region], region=self.region)
        return ActionResult({"DNSName": balancer.dns_name})

    def attach_load_balancer_to_subnets(self) -> ActionResult:
        """Attach, and be in their zones; the answer lists subnets in a fixed order."""
        super().attach_load_balancer_to_subnets()
        return self._followed_subnets()

    def detach_load_balancer_from_subnets(self) -> ActionResult:
        """Detach, and leave their zones."""
        super().detach_load_balancer_from_subnets()
        return self._followed_subnets()

    def register_instances_with_load_balancer(self) -> ActionResult:
        """Register each instance once. ELBClientError: InvalidInstance, one of them does not exist.

        "The instance must be a running instance in the same network as the load balancer."
        https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_RegisterInstancesWithLoadBalancer.html
        """
        balancer = self._named()
        for instance_id in self._instance_ids():
            check_exists(balancer.ec2, instance_id)
            if instance_id not in balancer.instance_sparse_ids:
                balancer.instance_sparse_ids.append(instance_id)
        return ActionResult({"Instances": balancer.instances})

    def deregister_instances_from_load_balancer(self) -> ActionResult:
        """Deregister, and list those that remain."""
        super().deregister_instances_from_load_balancer()
        return ActionResult({"Instances": self._named().instances})

    def modify_load_balancer_attributes(self) -> ActionResult:
        """Modify what is named and nothing else; moto adds the desync attribute anew each time."""
        balancer = self._named()
        further = dict(balancer.attributes["additional_attributes"])
        done = super().modify_load_balancer_attributes()
        for attribute in self._get_param("LoadBalancerAttributes.AdditionalAttributes", []):
            further[attribute["Key"]] = attribute["Value"]
        balancer.attributes["additional_attributes"] = list(further.items())
        return done

    def _named(self) -> Any:
        return self.elb_backend.get_load_balancer(self._get_param("LoadBalancerName"))

    def _instance_ids(self) -> list[str]:
        return [instance["InstanceId"] for instance in self._get_param("Instances", [])]

    def _followed_subnets(self) -> ActionResult:
        balancer = self._named()
        balancer.subnets.sort()
        balancer.follow_subnets()
        return ActionResult({"Subnets": balancer.subnets})


def default_health_check(balancer: LoadBalancer) -> FakeHealthCheck:
    """What a load balancer has before ConfigureHealthCheck; its absence makes cloud-provider-aws panic.

    Inferred from descriptions of load balancers that were made through the API and never configured; the fields are
    those of https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_HealthCheck.html.
    """
    return FakeHealthCheck("5", "10", "2", "30", f"TCP:{balancer.listeners[0].instance_port}")


def check_exists(ec2: Any, instance_id: str) -> None:
    """Refuse an instance that is not there or has ended. ELBClientError: InvalidInstance."""
    try:
        ended = ec2.get_instance(instance_id).state == "terminated"
    except InvalidInstanceIdError:
        ended = True
    if ended:
        raise ELBClientError("InvalidInstance", f"Could not find EC2 instance {instance_id}.")
