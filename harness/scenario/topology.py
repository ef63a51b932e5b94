"""The world that a scenario starts in: its nodes and the settings of its control plane."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from .duration import Duration
from .strict import Strict

NodeName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


class NodeSpec(Strict):
    """A node and the instance that backs it."""

    name: NodeName
    """What the scenario calls it; the Node's own name is the cloud's business."""
    zone: str | None = None
    """Zone of its instance; the cloud's first by default."""
    provide_node_ip: bool = Field(default=False, alias="provideNodeIP")
    """Whether its kubelet was given `--node-ip` (KEP-3705)."""
    pod_cidr: str | None = Field(default=None, alias="podCIDR")
    """Its pod range; by default the cluster's allocator gives one."""


class Topology(Strict):
    """Nodes at the start and the control plane's settings."""

    nodes: Annotated[
        Annotated[int, Field(ge=0), Tag("number")] | Annotated[list[NodeSpec], Tag("list")],
        Discriminator(lambda given: "list" if isinstance(given, list) else "number"),
    ] = 2
    """How many nodes (node-1, node-2, …), or each of them in full."""
    node_monitor_grace: Duration = Duration("10s")
    """How long a silent kubelet's node stays Ready (Kubernetes: 50 s)."""

    @property
    def node_specs(self) -> list[NodeSpec]:
        """Every node in full."""
        if isinstance(self.nodes, int):
            return [NodeSpec(name=f"node-{number}") for number in range(1, self.nodes + 1)]
        return self.nodes

    @property
    def node_monitor_grace_s(self) -> int:
        """The grace in whole seconds, as the flag wants it."""
        return max(1, round(self.node_monitor_grace.seconds))
