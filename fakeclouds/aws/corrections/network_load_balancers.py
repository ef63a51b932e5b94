"""Network load balancers as such: ARN, DNS name, default attributes, and creating one twice."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import DuplicateLoadBalancerName
from moto.elbv2.models import FakeLoadBalancer
from moto.elbv2.responses import ELBV2Response
from moto.moto_api._internal import mock_random

from fakeclouds.aws.corrections.domains import classic_dns_name, network_dns_name

NETWORK_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
"""Attributes of a network load balancer and their defaults.
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#load-balancer-attributes"""


class NetworkLoadBalancers(ELBV2Response):
    """CreateLoadBalancer with AWS's names and defaults."""

    def create_load_balancer(self) -> ActionResult:
        """Create; the same again answers the one that exists. DuplicateLoadBalancerName: one that differs exists.

        "This operation is idempotent, which means that it completes at most one time. If you attempt to create multiple
        load balancers with the same settings, each call succeeds."
        https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
        """
        existing = self._named(self._get_param("Name"))
        if existing is not None:
            if self._settings() != settings_of(existing):
                raise DuplicateLoadBalancerName()
            return ActionResult({"LoadBalancers": [existing]})
        super().create_load_balancer()
        balancer = self._named(self._get_param("Name"))
        self._settle(balancer)
        return ActionResult({"LoadBalancers": [balancer]})

    def _named(self, name: str) -> Any:
        balancers = self.elbv2_backend.load_balancers.values()
        return next((balancer for balancer in balancers if balancer.name == name), None)

    def _settings(self) -> tuple[Any, ...]:
        mapped = [mapping["SubnetId"] for mapping in self._get_param("SubnetMappings", [])]
        return (
            self._get_param("Type", "application"),
            self._get_param("Scheme", "internet-facing"),
            sorted([*self._get_param("Subnets", []), *mapped]),
            sorted(self._get_param("SecurityGroups", [])),
        )

    def _settle(self, balancer: FakeLoadBalancer) -> None:
        """Fill in what AWS decides when it creates the load balancer."""
        balancer.scheme = balancer.scheme or "internet-facing"
        if balancer.type == "network":
            identifier = balancer.arn.rpartition("/")[2]
            balancer.dns_name = network_dns_name(balancer.name, identifier, self.region)
            balancer.attrs = dict(NETWORK_ATTRIBUTES)
            self._rename(balancer, balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/"))
        else:
            internal, number = balancer.scheme == "internal", mock_random.randint(10**8, 2 * 10**9)
            balancer.dns_name = classic_dns_name(balancer.name, number, self.region, internal=internal)

    def _rename(self, balancer: FakeLoadBalancer, arn: str) -> None:
        """Give a load balancer its ARN.

        `arn:${Partition}:elasticloadbalancing:${Region}:${Account}:loadbalancer/net/${LoadBalancerName}/${LoadBalancerId}`
        https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
        """
        backend = self.elbv2_backend
        backend.tagging_service.copy_tags(balancer.arn, arn)
        backend.tagging_service.delete_all_tags_for_resource(balancer.arn)
        backend.load_balancers[arn] = backend.load_balancers.pop(balancer.arn)
        balancer.arn = arn


def settings_of(balancer: FakeLoadBalancer) -> tuple[Any, ...]:
    """What makes two requests ask for the same load balancer."""
    subnets = sorted(subnet.id for subnet in balancer.subnets)
    return (balancer.type, balancer.scheme, subnets, sorted(balancer.security_groups or []))
