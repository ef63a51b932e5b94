"""Simulated nodes: Node objects with what a kubelet writes, each paired with an instance of the fake cloud.

kwok plays the kubelets (status, lease, pods) by stages of our own. Nothing here writes what the cloud's controllers
own: addresses, providerID, zone labels, NetworkUnavailable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakeclouds.base import Instance

from ..errors import UsageError
from ..processes import Process
from ..sandbox import Sandbox
from .kube import Kube
from .local import LocalControlPlane

UNINITIALIZED_TAINT = "node.cloudprovider.kubernetes.io/uninitialized"
PROVIDED_NODE_IP = "alpha.kubernetes.io/provided-node-ip"
MANAGED_LABEL = "harness/kubelet"
"""Label of the nodes whose kubelet runs; kwok renews leases and writes status for these alone."""
READY_ANNOTATION = "harness/ready"
STAGES = Path(__file__).with_name("kubelet-stages.yaml")
LEASE_DURATION_S = 8
"""Lease duration of a simulated kubelet (Kubernetes: 40 s); kwok renews at a quarter of it."""


class SimulatedNodes:
    """The nodes of one lab and the kwok process that plays their kubelets."""

    def __init__(
        self, sandbox: Sandbox, kwok: Path, control_plane: LocalControlPlane, kube: Kube, folder: Path
    ) -> None:
        self._sandbox = sandbox
        self._kwok = kwok
        self._control_plane = control_plane
        self._kube = kube
        self._folder = folder
        self.process: Process | None = None

    def start(self) -> None:
        """Start kwok."""
        files = self._control_plane.authority.issue_client("simulated-kubelets", group="system:masters")
        kubeconfig = self._control_plane.write_kubeconfig(self._folder / "kwok.kubeconfig", files=files)
        self.process = self._sandbox.spawn(
            "kwok",
            [
                self._kwok,
                f"--kubeconfig={kubeconfig}",
                f"--config={STAGES}",
                f"--manage-nodes-with-label-selector={MANAGED_LABEL}=running",
                f"--node-lease-duration-seconds={LEASE_DURATION_S}",
                # Without an address to listen on, kwok serves nothing.
                "--server-address=",
            ],
            log=self._folder / "kwok.log",
            cwd=self._folder,
        )

    def close(self) -> None:
        """Stop kwok."""
        if self.process is not None:
            self.process.kill()

    def register(self, instance: Instance, *, provide_node_ip: bool = False, pod_cidr: str | None = None) -> None:
        """Create the Node that a kubelet started with `--cloud-provider=external` on this instance creates.

        With `provide_node_ip` the kubelet was also given `--node-ip` (KEP-3705). Without `pod_cidr` the range comes
        from the cluster's allocator.
        """
        metadata: dict[str, Any] = {
            "name": instance.node_name,
            "labels": {
                "kubernetes.io/hostname": instance.node_name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                MANAGED_LABEL: "running",
            },
            "annotations": {PROVIDED_NODE_IP: instance.private_ip} if provide_node_ip else {},
        }
        spec: dict[str, Any] = {"taints": [{"key": UNINITIALIZED_TAINT, "value": "true", "effect": "NoSchedule"}]}
        if pod_cidr:
            spec |= {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]}
        self._kube.create({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec})

    def set_ready(self, node: str, ready: bool) -> None:
        """Make the kubelet report Ready True or False from now on."""
        self._annotate(node, {READY_ANNOTATION: None if ready else "false"})

    def stop_kubelet(self, node: str) -> None:
        """Stop the kubelet: no more heartbeats, until the node life cycle loop marks the node Unknown."""
        self._label(node, "stopped")

    def start_kubelet(self, node: str) -> None:
        """Start a stopped kubelet again."""
        self._label(node, "running")

    def delete(self, node: str) -> None:
        """Delete the Node object, as `kubectl delete node` does."""
        if not self._kube.delete("v1", "Node", node):
            raise UsageError(f"there is no Node {node!r} to delete")

    def _annotate(self, node: str, annotations: dict[str, str | None]) -> None:
        self._kube.patch("v1", "Node", node, {"metadata": {"annotations": annotations}})

    def _label(self, node: str, kubelet: str) -> None:
        self._kube.patch("v1", "Node", node, {"metadata": {"labels": {MANAGED_LABEL: kubelet}}})
