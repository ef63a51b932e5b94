"""Actions on nodes, instances, the controller and the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fakeclouds.base import CloudError

from ..errors import UsageError
from ..scenario.topology import NodeSpec
from .base import Action

if TYPE_CHECKING:
    from ..lab import Lab


class AddNode(NodeSpec, Action):
    """Start an instance, whose kubelet registers its Node."""

    def perform(self, lab: Lab) -> None:
        """Add the node."""
        lab.add_node(self)


class DeleteNode(Action):
    """Delete the Node object, as `kubectl delete node` does; the instance stays."""

    node: str
    """Alias of the node."""
    forget: bool = True
    """Whether checks of `all` nodes leave it out from now on."""

    def perform(self, lab: Lab) -> None:
        """Delete the Node."""
        lab.nodes.delete(lab.node_name(self.node))
        if self.forget:
            lab.forget_node(self.node)


class SetReady(Action):
    """Make the node's kubelet report Ready, or not."""

    node: str
    """Alias of the node."""
    ready: bool
    """What it reports from now on."""

    def perform(self, lab: Lab) -> None:
        """Tell the kubelet."""
        lab.nodes.set_ready(lab.node_name(self.node), self.ready)


class Kubelet(Action):
    """Stop the node's kubelet (heartbeats end, the node becomes Unknown), or start it again."""

    node: str
    """Alias of the node."""
    state: Literal["running", "stopped"]
    """What it is to be."""

    def perform(self, lab: Lab) -> None:
        """Stop or start it."""
        name = lab.node_name(self.node)
        (lab.nodes.start_kubelet if self.state == "running" else lab.nodes.stop_kubelet)(name)


class InstanceAction(Action):
    """Stop, start, terminate or replace the cloud instance behind a node; its kubelet is not touched.

    `purged` is terminated and no longer known to the cloud; `replaced` is a new instance under the node's alias.
    """

    node: str
    """Alias of the node."""
    state: Literal["stopped", "running", "terminated", "purged", "replaced"]
    """What it is to be."""

    def perform(self, lab: Lab) -> None:
        """Change the instance."""
        lab.instance(self.node)
        if self.state == "replaced":
            lab.replace_node(self.node)
        elif self.state == "stopped":
            lab.cloud.stop_instance(self.node)
        elif self.state == "running":
            lab.cloud.start_instance(self.node)
        else:
            lab.cloud.terminate_instance(self.node, purge=self.state == "purged")


class RestartController(Action):
    """Kill the controller and start it again."""

    def perform(self, lab: Lab) -> None:
        """Restart it."""
        lab.controller.restart()


class CallCloud(Action):
    """Call the cloud's own API, as a person or another tool would: an edit behind the controller's back."""

    operation: str
    """Operation, such as ec2:RevokeSecurityGroupIngress."""
    parameters: dict[str, Any] = {}
    """Its parameters; `${fact.route_table}` and the like name the lab's own resources."""

    def perform(self, lab: Lab) -> None:
        """Make the call; the cloud must accept it."""
        try:
            lab.cloud.call(self.operation, lab.expand_words(self.parameters))
        except (CloudError, ValueError) as error:
            raise UsageError(f"{self.operation} was refused: {error}") from None


class AddRoute(Action):
    """Add a route of somebody else's to the cluster's route table."""

    destination: str
    """CIDR of the route."""
    node: str
    """Alias of the node whose instance it leads to."""

    def perform(self, lab: Lab) -> None:
        """Add it through the cloud's own API."""
        lab.instance(self.node)
        try:
            lab.cloud.add_route(self.destination, self.node)
        except CloudError as error:
            raise UsageError(f"the route {self.destination} was refused: {error}") from None


class RemoveRoute(Action):
    """Remove a route that addRoute added."""

    destination: str
    """CIDR of the route."""

    def perform(self, lab: Lab) -> None:
        """Remove it through the cloud's own API."""
        try:
            lab.cloud.remove_route(self.destination)
        except CloudError as error:
            raise UsageError(f"there is no route {self.destination} to remove: {error}") from None


class TaintNode(Action):
    """Add a taint to the Node, as an autoscaler or a person does."""

    node: str
    """Alias of the node."""
    key: str
    """Key of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    """Its effect."""

    def perform(self, lab: Lab) -> None:
        """Add the taint beside those that are there."""
        name = lab.node_name(self.node)
        node = lab.kube.get("v1", "Node", name)
        if node is None:
            raise UsageError(f"there is no Node {name!r} to taint")
        taints = [*node["spec"].get("taints", []), {"key": self.key, "effect": self.effect}]
        lab.kube.patch("v1", "Node", name, {"spec": {"taints": taints}})


class Mark(Action):
    """Count calls from here on: `calls`, `noCloudWrites` and `budget` look at nothing before this step."""

    def perform(self, lab: Lab) -> None:
        """Move the mark."""
        lab.mark = lab.journal.mark()
