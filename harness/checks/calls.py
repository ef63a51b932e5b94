"""Checks on the journal and on raw state: calls of the controller, events, objects, and the cloud's own API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jmespath
from pydantic import Field, model_validator

from fakeclouds.base import CloudError

from ..cluster.kube import object_name
from ..errors import UsageError
from ..wait import Observation
from .base import Check

if TYPE_CHECKING:
    from ..lab import Lab


class Calls(Check):
    """How often the controller called an operation of the cloud, since the scenario began or since the last `mark`."""

    operation: str
    """Operation as the cloud names it, with wildcards: `ec2:CreateRoute`, `elb*:Create*`."""
    at_most: int | None = Field(default=None, ge=0)
    """Upper bound."""
    at_least: int | None = Field(default=None, ge=0)
    """Lower bound."""

    @model_validator(mode="after")
    def _bounded(self) -> Calls:
        if self.at_most is None and self.at_least is None:
            raise ValueError("give atMost, atLeast, or both")
        return self

    def observe(self, lab: Lab) -> Observation:
        """Count the calls."""
        calls = lab.controller_calls(self.operation, lab.mark)
        low = self.at_least or 0
        bound = f"at least {low}" if self.at_most is None else f"{low} to {self.at_most}"
        last = f", the last {calls[-1].call.name} {calls[-1].call.resource}" if calls else ""
        return Observation(
            met=low <= len(calls) and (self.at_most is None or len(calls) <= self.at_most),
            subject=f"calls of {self.operation}",
            expected=f"{bound} calls",
            observed=f"{len(calls)} calls{last}",
        )


class NoCloudWrites(Check):
    """The controller has changed nothing in the cloud since the last `mark` (for `always`)."""

    def observe(self, lab: Lab) -> Observation:
        """Look for mutating calls."""
        calls = [entry for entry in lab.controller_calls(mark=lab.mark) if entry.call.mutating]
        return Observation(
            met=not calls,
            subject="the controller's calls",
            expected="no mutating call",
            observed=f"{calls[0].call.name} {calls[0].call.resource}" if calls else "none",
        )


class EventSeen(Check):
    """Kubernetes has an Event on an object."""

    object: str
    """Name of the object it is about: an alias of a node, or a Service."""
    reason: str
    """Reason, such as SyncLoadBalancerFailed."""
    type: str = Field(default="Normal", pattern="^(Normal|Warning)$")
    """Normal or Warning."""

    def observe(self, lab: Lab) -> Observation:
        """Look for the event."""
        name = lab.node_name(self.object) if self.object in lab.aliases else self.object.rpartition("/")[2]
        about = [event for event in lab.state.all("Event") if event.get("involvedObject", {}).get("name") == name]
        return Observation(
            met=any(event.get("reason") == self.reason and event.get("type") == self.type for event in about),
            subject=f"events on {name}",
            expected=f"{self.type} {self.reason}",
            observed=", ".join(sorted({f"{event.get('type')} {event.get('reason')}" for event in about})) or "none",
        )


class ObjectMatches(Check):
    """A Kubernetes object holds the given fields, among others (lists are compared whole)."""

    api_version: str = "v1"
    """apiVersion."""
    kind: str
    """Kind."""
    name: str
    """`namespace/name`, a name in `default`, or for a Node its alias."""
    fields: dict[str, Any]
    """Fields and values that it must have."""

    def observe(self, lab: Lab) -> Observation:
        """Get the object and compare."""
        name = lab.node_name(self.name) if self.kind == "Node" else self.name
        found = lab.kube.get(self.api_version, self.kind, name)
        missed = [] if found is None else list(mismatches(self.fields, found))
        return Observation(
            met=found is not None and not missed,
            subject=f"{self.api_version}/{self.kind} {object_name(found) if found else name}",
            expected="; ".join(f"{path}={value!r}" for path, value, _ in missed) or "as given",
            observed="no such object"
            if found is None
            else "; ".join(f"{path}={seen!r}" for path, _, seen in missed) or "as given",
        )


class CloudApi(Check):
    """The cloud's own API answers a JMESPath query with a value: the way out where no neutral check fits."""

    operation: str
    """Operation, such as ec2:DescribeSecurityGroups."""
    parameters: dict[str, Any] = {}
    """Its parameters; `${fact.route_table}` and the like name the lab's own resources."""
    query: str
    """JMESPath expression over the answer."""
    value: Any
    """What it must give."""

    def observe(self, lab: Lab) -> Observation:
        """Call and compare."""
        try:
            answer = lab.cloud.call(self.operation, lab.expand_words(self.parameters))
            seen = jmespath.search(self.query, answer)
        except (CloudError, ValueError) as error:
            raise UsageError(f"cloudApi {self.operation}: {error}") from None
        return Observation(
            met=seen == self.value,
            subject=f"{self.operation} {self.query}",
            expected=repr(self.value),
            observed=repr(seen),
        )


def mismatches(wanted: Mapping[str, Any], found: Mapping[str, Any], path: str = "") -> list[tuple[str, Any, Any]]:
    """Return (path, wanted, found) for every given field that the object has not."""
    missed: list[tuple[str, Any, Any]] = []
    for key, value in wanted.items():
        seen = found.get(key)
        if isinstance(value, Mapping) and isinstance(seen, Mapping):
            missed += mismatches(value, seen, f"{path}{key}.")
        elif seen != value:
            missed.append((f"{path}{key}", value, seen))
    return missed
