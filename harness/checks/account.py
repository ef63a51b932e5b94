"""The check on the whole account: nothing left behind, nothing of anybody else's touched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from ..wait import Observation
from .base import Check

if TYPE_CHECKING:
    from ..lab import Lab

NODE_KINDS = ("instance", "network-interface", "route", "volume")
"""Kinds of resource that come and go with nodes, which scenarios start and end themselves."""


class AsBefore(Check):
    """The account is as it was before the first node: nothing left, nothing gone, nothing changed.

    Nodes that the scenario still has do not count, nor do their routes.
    """

    def observe(self, lab: Lab) -> Observation:
        """Compare the account with the snapshot taken before the first node."""
        if not lab.baseline:
            raise HarnessError("the leak check has nothing to compare with")
        before, now = lab.baseline, lab.cloud.snapshot()
        if lab.aliases:
            before, now = without_nodes(before), without_nodes(now)
        found = [f"{key} is left" for key in sorted(now.keys() - before.keys())]
        found += [f"{key} is gone" for key in sorted(before.keys() - now.keys())]
        found += [
            f"{key} changed: {change(before[key], now[key])}"
            for key in sorted(now.keys() & before.keys())
            if now[key] != before[key]
        ]
        return Observation(
            met=not found,
            subject=f"the {lab.cloud.name} account",
            expected="as it was before the steps",
            observed="; ".join(found) or "as it was",
        )


def without_nodes(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return a snapshot without what belongs to nodes: instances and what they hold, and routes."""
    return {key: value for key, value in snapshot.items() if key.partition("/")[0] not in NODE_KINDS}


def change(before: Any, after: Any) -> str:
    """Say in which fields two states of a resource differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
        return ", ".join(f"{key}: {json.dumps(before.get(key))} -> {json.dumps(after.get(key))}" for key in keys)[:400]
    return f"{json.dumps(before)} -> {json.dumps(after)}"[:400]
