"""Checks on Nodes: initialised as the cloud describes the instance, present or gone, tainted, conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from fakeclouds.base import Instance

from ..cluster.kube import Object
from ..cluster.nodes import UNINITIALIZED_TAINT
from ..wait import Observation
from .base import Check, combine

if TYPE_CHECKING:
    from ..lab import Lab

ABSENT = "no such Node"


class NodeInitialised(Check):
    """The Node has the providerID, addresses and labels of its instance, and no uninitialized taint."""

    node: str
    """Alias of the node, or `all`."""

    def observe(self, lab: Lab) -> Observation:
        """Compare the Node with the instance, fact by fact."""
        looks = [self._one(lab, alias) for alias in lab.expand(self.node)]
        return combine(looks, subject="v1/Node all", expected="initialised from its instance")

    def _one(self, lab: Lab, alias: str) -> Observation:
        instance = lab.instance(alias)
        node = lab.state.get("Node", instance.node_name)
        wrong = [ABSENT] if node is None else differences(node, instance)
        if node is not None and UNINITIALIZED_TAINT in _taints(node):
            wrong.append(f"still has the taint {UNINITIALIZED_TAINT}")
        return Observation(
            met=not wrong,
            subject=f"v1/Node {instance.node_name} ({alias})",
            expected=f"initialised from instance {instance.id}",
            observed="; ".join(wrong) or "initialised",
        )


class NodeUntaintedOnlyWhenInitialised(Check):
    """No Node is without the uninitialized taint while its providerID or one of its labels is missing (for `always`).

    Addresses are not looked at: k8s.io/cloud-provider writes them right after the update that removes the taint
    (controllers/node/node_controller.go, syncNode).
    """

    def observe(self, lab: Lab) -> Observation:
        """Compare every untainted Node with its instance."""
        for alias in lab.aliases:
            instance = lab.instance(alias)
            node = lab.state.get("Node", instance.node_name)
            if node is None or UNINITIALIZED_TAINT in _taints(node):
                continue
            if wrong := identity_differences(node, instance):
                return Observation(
                    met=False,
                    subject=f"v1/Node {instance.node_name} ({alias})",
                    expected=f"the taint {UNINITIALIZED_TAINT} until providerID and labels are set",
                    observed=f"no taint, but {'; '.join(wrong)}",
                )
        return Observation(
            met=True, subject="v1/Node all", expected="facts before taint", observed="facts before taint"
        )


class NodeUninitialised(Check):
    """The Node is there and still carries the uninitialized taint."""

    node: str
    """Alias of the node, or `all`."""

    def observe(self, lab: Lab) -> Observation:
        """Look for the taint."""
        looks = [_taint(lab, alias, UNINITIALIZED_TAINT, present=True) for alias in lab.expand(self.node)]
        return combine(looks, subject="v1/Node all", expected=f"tainted {UNINITIALIZED_TAINT}")


class NodeTaint(Check):
    """The Node has a taint, or has it not."""

    node: str
    """Alias of the node, or `all`."""
    key: str
    """Key of the taint, such as node.cloudprovider.kubernetes.io/shutdown."""
    present: bool = True
    """Whether it is to be there."""

    def observe(self, lab: Lab) -> Observation:
        """Look for the taint."""
        looks = [_taint(lab, alias, self.key, present=self.present) for alias in lab.expand(self.node)]
        return combine(looks, subject="v1/Node all", expected=f"taint {self.key} {'set' if self.present else 'gone'}")


class NodePresent(Check):
    """The Node exists. With `always` or `hold`, a deletion is seen even when the Node is made anew at once."""

    node: str
    """Alias of the node, or `all`."""

    def observe(self, lab: Lab) -> Observation:
        """Look for the Node."""
        looks = [_exists(lab, alias, present=True) for alias in lab.expand(self.node)]
        return combine(looks, subject="v1/Node all", expected="present")


class NodeAbsent(Check):
    """The Node is gone."""

    node: str
    """Alias of the node."""

    def observe(self, lab: Lab) -> Observation:
        """Look for the Node."""
        return _exists(lab, self.node, present=False)


class NodeCondition(Check):
    """A condition of the Node has a status."""

    node: str
    """Alias of the node, or `all`."""
    type: str
    """Condition, such as NetworkUnavailable."""
    status: str = Field(pattern="^(True|False|Unknown)$")
    """Its status, in quotes: "True", "False" or "Unknown"."""

    def observe(self, lab: Lab) -> Observation:
        """Look at the condition."""
        return combine(
            [self._one(lab, alias) for alias in lab.expand(self.node)],
            subject="v1/Node all",
            expected=f"condition {self.type}={self.status}",
        )

    def _one(self, lab: Lab, alias: str) -> Observation:
        name = lab.node_name(alias)
        node = lab.state.get("Node", name)
        conditions = {entry["type"]: entry for entry in (node or {}).get("status", {}).get("conditions", [])}
        found = conditions.get(self.type)
        observed = ABSENT if node is None else "no such condition"
        if found:
            observed = f"{found['status']} ({found.get('reason')}: {found.get('message')})"
        return Observation(
            met=found is not None and found["status"] == self.status,
            subject=f"v1/Node {name} ({alias})",
            expected=f"condition {self.type}={self.status}",
            observed=observed,
        )


def differences(node: Object, instance: Instance) -> list[str]:
    """Say, fact by fact, where a Node differs from what its cloud says of the instance."""
    has = {(entry["type"], entry["address"]) for entry in node.get("status", {}).get("addresses", [])}
    wants = {(entry.type, entry.address) for entry in instance.addresses}
    wrong = [f"address {kind} {address} is missing" for kind, address in sorted(wants - has)]
    wrong += [f"address {kind} {address} is not the instance's" for kind, address in sorted(has - wants)]
    return identity_differences(node, instance) + wrong


def identity_differences(node: Object, instance: Instance) -> list[str]:
    """Say where providerID and labels differ."""
    wrong = []
    provider_id = node["spec"].get("providerID")
    if provider_id != instance.provider_id:
        wrong.append(f"providerID is {provider_id!r}, not {instance.provider_id!r}")
    labels = node["metadata"].get("labels", {})
    wrong += [
        f"label {key} is {labels.get(key)!r}, not {value!r}"
        for key, value in sorted(instance.labels.items())
        if labels.get(key) != value
    ]
    return wrong


def _taints(node: Object) -> list[str]:
    return [taint["key"] for taint in node["spec"].get("taints", [])]


def _taint(lab: Lab, alias: str, key: str, *, present: bool) -> Observation:
    name = lab.node_name(alias)
    node = lab.state.get("Node", name)
    taints = _taints(node) if node else []
    return Observation(
        met=node is not None and (key in taints) == present,
        subject=f"v1/Node {name} ({alias})",
        expected=f"taint {key} {'set' if present else 'gone'}",
        observed=ABSENT if node is None else f"taints: {', '.join(taints) or 'none'}",
    )


def _exists(lab: Lab, alias: str, *, present: bool) -> Observation:
    name = lab.node_name(alias)
    found = lab.state.get("Node", name) is not None
    return Observation(
        met=found == present,
        subject=f"v1/Node {name} ({alias})",
        expected="present" if present else "gone",
        observed="present" if found else "gone",
    )
