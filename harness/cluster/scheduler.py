"""Binding pods to simulated nodes, with an address from the node's pod CIDR.

It does what scenarios need of a scheduler: it honours readiness, taints and nodeSelector and spreads by pod count. It
knows no resources, no affinity and no priorities.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from lightkube import ApiError

from ..journal import Journal
from .kube import Kube, Object
from .watch import ClusterState

POD_IP_ANNOTATION = "harness/pod-ip"


class Scheduler:
    """Binds every pending pod as soon as a node can take it, in a thread of its own."""

    def __init__(self, kube: Kube, state: ClusterState, journal: Journal) -> None:
        self._kube = kube
        self._state = state
        self._journal = journal
        self._closed = False
        self._given: dict[str, set[str]] = {}
        self._bound: dict[str, str] = {}
        """UID of a pod → the node it was bound to: counts at once, before the watch shows it."""
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Begin to bind."""
        self._thread.start()

    def close(self) -> None:
        """Stop binding."""
        self._closed = True
        self._thread.join(timeout=5)

    def _run(self) -> None:
        seen = 0
        while not self._closed:
            seen = self._journal.wait_for_change(seen, 0.5)
            for pod in self._state.all("Pod"):
                if not pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp"):
                    self._bind(pod)

    def _bind(self, pod: Object) -> None:
        pods = [self._with_node(other) for other in self._state.all("Pod")]
        node = choose_node(pod, self._state.all("Node"), pods)
        if node is None:
            return
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        address = self._free_address(node, pods)
        if address is None:
            return
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            # The API server copies a binding's annotations to its pod, so that the kubelet learns the address with it.
            "metadata": {"name": name, "namespace": namespace, "annotations": {POD_IP_ANNOTATION: address}},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node["metadata"]["name"]},
        }
        try:
            self._kube.request("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/binding", binding)
        except ApiError as error:
            if error.status.code not in (404, 409):  # deleted, or bound already and our cache lags
                raise
            return
        self._given.setdefault(pod["metadata"]["uid"], set()).add(address)
        self._bound[pod["metadata"]["uid"]] = node["metadata"]["name"]

    def _with_node(self, pod: Object) -> Object:
        node = pod["spec"].get("nodeName") or self._bound.get(pod["metadata"]["uid"], "")
        return {**pod, "spec": {**pod["spec"], "nodeName": node}}

    def _free_address(self, node: Object, pods: Sequence[Object]) -> str | None:
        live = {pod["metadata"]["uid"] for pod in pods}
        self._given = {uid: addresses for uid, addresses in self._given.items() if uid in live}
        taken = {address for addresses in self._given.values() for address in addresses}
        hosts = ipaddress.ip_network(node["spec"]["podCIDR"]).hosts()
        next(hosts, None)  # the node's own end of the pod network
        return next((str(host) for host in hosts if str(host) not in taken), None)


def choose_node(pod: Mapping[str, Any], nodes: Sequence[Object], pods: Sequence[Object]) -> Object | None:
    """Return the node with the fewest pods among those that can take the pod, or None."""
    load: dict[str, int] = {}
    for other in pods:
        load[other["spec"].get("nodeName", "")] = load.get(other["spec"].get("nodeName", ""), 0) + 1
    fitting = [node for node in nodes if _fits(pod, node)]
    return min(fitting, key=lambda node: load.get(node["metadata"]["name"], 0), default=None)


def _fits(pod: Mapping[str, Any], node: Object) -> bool:
    conditions = {entry["type"]: entry["status"] for entry in node.get("status", {}).get("conditions", [])}
    labels = node["metadata"].get("labels", {})
    selector = pod["spec"].get("nodeSelector", {})
    return (
        conditions.get("Ready") == "True"
        and bool(node["spec"].get("podCIDR"))
        and not node["spec"].get("unschedulable")
        and all(labels.get(key) == value for key, value in selector.items())
        and all(_tolerated(taint, pod["spec"].get("tolerations", [])) for taint in node["spec"].get("taints", []))
    )


def _tolerated(taint: Mapping[str, str], tolerations: Sequence[Mapping[str, str]]) -> bool:
    if taint["effect"] == "PreferNoSchedule":
        return True
    return any(
        toleration.get("effect") in (None, "", taint["effect"])
        and (
            (toleration.get("operator") == "Exists" and toleration.get("key") in (None, "", taint["key"]))
            or (toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", ""))
        )
        for toleration in tolerations
    )
