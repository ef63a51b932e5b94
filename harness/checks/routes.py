"""Checks on routes: each node's pod ranges lead to its instance, and to nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wait import Observation
from .base import Check, combine

if TYPE_CHECKING:
    from ..lab import Lab


class RoutePresent(Check):
    """Every pod CIDR of the node has exactly one active route, and it leads to the node's instance."""

    node: str
    """Alias of the node, or `all`."""

    def observe(self, lab: Lab) -> Observation:
        """Compare the node's pod CIDRs with the cloud's routes."""
        looks = [self._one(lab, alias) for alias in lab.expand(self.node)]
        return combine(looks, subject="routes of all nodes", expected="one active route for each pod CIDR")

    def _one(self, lab: Lab, alias: str) -> Observation:
        instance = lab.instance(alias)
        node = lab.state.get("Node", instance.node_name)
        pod_cidrs = (node or {}).get("spec", {}).get("podCIDRs", [])
        routes = {cidr: [route for route in lab.cloud.routes() if route.destination == cidr] for cidr in pod_cidrs}
        met = bool(pod_cidrs) and all(
            [(route.instance_id, route.state) for route in found] == [(instance.id, "active")]
            for found in routes.values()
        )
        seen = [
            f"{route.destination} -> {route.instance_id} ({route.state})"
            for found in routes.values()
            for route in found
        ]
        return Observation(
            met=met,
            subject=f"route of {instance.node_name} ({alias})",
            expected=f"one active route {', '.join(pod_cidrs) or '(pod CIDR)'} -> {instance.id}",
            observed=("; ".join(seen) or "no route") if pod_cidrs else "the Node has no pod CIDR",
        )


class RouteAbsent(Check):
    """No route leads to the node's instance, and none is left without a target."""

    node: str
    """Alias of the node."""

    def observe(self, lab: Lab) -> Observation:
        """Look for routes of this cluster to the instance, and for its blackholes."""
        instance = lab.instance(self.node)
        left = [
            route
            for route in lab.cloud.routes()
            if route.owned and (route.instance_id == instance.id or route.state == "blackhole")
        ]
        return Observation(
            met=not left,
            subject=f"route of {instance.node_name} ({self.node})",
            expected=f"no route to {instance.id} and no blackhole",
            observed="; ".join(f"{route.destination} -> {route.instance_id} ({route.state})" for route in left)
            or "none",
        )


class RouteExists(Check):
    """A route to a destination exists (routes that are none of the controller's business)."""

    destination: str
    """CIDR of the route."""

    def observe(self, lab: Lab) -> Observation:
        """Look for the destination."""
        found = [route for route in lab.cloud.routes() if route.destination == self.destination]
        return Observation(
            met=bool(found),
            subject=f"route {self.destination}",
            expected="present",
            observed="; ".join(f"-> {route.instance_id} ({route.state})" for route in found) or "gone",
        )
