"""How well children are cut off from everything beyond this machine. The cutting is the supervisor's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class IsolationLevel(StrEnum):
    """What stands between a child and the world, strongest first."""

    NETWORK_NAMESPACE = "network-namespace"
    """No interface but loopback: there is no way out."""
    EGRESS_PROXY = "egress-proxy"
    """Only proxy settings, which point at a trap: a child that ignores them gets out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Isolation:
    """The level that a supervisor holds, for the report."""

    level: IsolationLevel
    reason: str
    """Why it is this level, in words: what was entered, or what the kernel refused."""
    namespaces: tuple[str, ...] = ()
    """The kinds of namespace entered: none, `net`, or `user` and `net`."""
