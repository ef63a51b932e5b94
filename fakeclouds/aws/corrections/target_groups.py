"""Target groups: one target on several ports, which load balancers use the group, and a network group's attributes."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import TargetGroupNotFoundError, TargetNotRunning
from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from fakeclouds.aws.corrections.models import corrects, retype

NETWORK_PROTOCOLS = frozenset({"TCP", "UDP", "TCP_UDP", "TLS"})

NETWORK_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "deregistration_delay.connection_termination.enabled": "false",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}
"""Attributes of a group of instances behind a network load balancer, and their defaults (client addresses are kept for
instances). https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html"""


@corrects(FakeTargetGroup)
class TargetGroup(FakeTargetGroup):
    """A group whose targets are pairs of id and port.

    "You can register each EC2 instance or IP address with the same target group multiple times using different ports."
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    """

    backend: Any
    """The backend that it is in."""

    @property
    def load_balancer_arns(self) -> list[str]:  # type: ignore[override]
        """The load balancers whose listeners lead here now; moto notes them only when a listener is created.

        "The Amazon Resource Name (ARN) of the load balancer that routes traffic to this target group."
        https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroup.html
        """
        return [arn for arn, balancer in self.backend.load_balancers.items() if self._led_to_by(balancer)]

    def register(self, targets: list[dict[str, Any]]) -> None:
        """Add targets; those that are there stay. TargetNotRunning: an instance does not run, then none is added.

        "If the target is an EC2 instance, it must be in the running state when you register it"
        (API_RegisterTargets.html).
        """
        for target in targets:
            instance = self.ec2_backend.get_instance_by_id(target["Id"])
            if self.target_type == "instance" and (instance is None or not instance.is_running()):
                raise TargetNotRunning(instance_id=target["Id"])
        for target in targets:
            port = int(target.get("Port", self.port))
            self.targets[key(target["Id"], port)] = {"Id": target["Id"], "Port": port}
            self.deregistered_targets.pop(key(target["Id"], port), None)

    def deregister(self, targets: list[dict[str, Any]]) -> None:
        """Remove targets: of a target without port, the one on the group's.

        "If the specified target does not exist, the action returns successfully."
        https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html
        """
        for target in targets:
            where = key(target["Id"], int(target.get("Port", self.port)))
            if where in self.targets:
                self.deregistered_targets[where] = self.targets.pop(where)

    def deregister_terminated_instances(self, instance_ids: list[str]) -> None:
        """Remove every port of instances that have ended."""
        for where, target in tuple(self.targets.items()):
            if target["Id"] in instance_ids:
                self.terminated_targets[where] = self.targets.pop(where)

    def health_for(self, target: dict[str, Any], ec2_backend: Any) -> FakeHealthStatus:
        """The health of one target; moto tells it by id, so it is shown the group with this port only."""
        port = int(target.get("Port", self.port))
        kept = self.targets, self.deregistered_targets, self.terminated_targets
        try:
            self.targets, self.deregistered_targets, self.terminated_targets = (on_port(one, port) for one in kept)
            health = super().health_for({"Id": target["Id"], "Port": port}, ec2_backend)
        finally:
            self.targets, self.deregistered_targets, self.terminated_targets = kept
        if health.health_check_port == "traffic-port":
            health.health_check_port = str(port)
        return health

    def _led_to_by(self, balancer: Any) -> bool:
        actions = (
            action
            for listener in balancer.listeners.values()
            for rule in listener.rules.values()
            for action in rule.actions
        )
        return any(self.arn in self.backend._get_target_group_arns_from(action_data=action.data) for action in actions)


class TargetGroups(ELBV2Response):
    """The operations on target groups."""

    def create_target_group(self) -> ActionResult:
        """Create with AWS's defaults."""
        before = set(self.elbv2_backend.target_groups)
        done = super().create_target_group()
        for arn in set(self.elbv2_backend.target_groups) - before:
            group = retype(self.elbv2_backend.target_groups[arn], TargetGroup)
            group.backend = self.elbv2_backend
            if group.protocol in NETWORK_PROTOCOLS:
                group.attributes = dict(NETWORK_ATTRIBUTES)
        return done

    def describe_target_groups(self) -> ActionResult:
        """Describe; a load balancer without groups has none, which is no error.

        Inferred: TargetGroupNotFound is about groups that the caller names.
        """
        arn = self._get_param("LoadBalancerArn")
        try:
            return super().describe_target_groups()
        except TargetGroupNotFoundError:
            if arn and arn in self.elbv2_backend.load_balancers:
                return ActionResult({"TargetGroups": []})
            raise


def key(target_id: str, port: int) -> str:
    """Under what a target is kept."""
    return f"{target_id}:{port}"


def on_port(targets: Any, port: int) -> Any:
    """The targets on one port by their id alone, as moto keeps them."""
    return type(targets)((target["Id"], target) for target in targets.values() if int(target["Port"]) == port)
