"""Which parameters of a request its handler looked at, so that those that nobody reads are reported by name.

Reads are seen on the parsed parameters. Two limits: a structure of which no member is read by name is taken as handed
on whole, and so is what `KEPT` names; inside them nothing is reported.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import Any

KEPT = ("DefaultActions", "IpPermissions.IpRanges", "IpPermissions.Ipv6Ranges", "IpPermissions.UserIdGroupPairs")
"""Structures that moto stores as they come and reads again when somebody asks for the resource."""


class Recorded(dict[str, Any]):
    """Parsed parameters that remember which members were read by name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.read: set[str] = set()
        self.sent: frozenset[str] | None = None

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As of `dict`, remembered."""
        self.read.add(key)
        return super().get(key, default)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """As of `dict`; every member counts as read."""
        self.read.update(self)
        return super().items()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """As of `dict`; every member counts as read."""
        self.read.update(self)
        return super().values()

    def begin(self) -> None:
        """What is there now was sent, and nothing of it has been read; members added later are the handler's own."""
        self.sent = frozenset(self)
        self.read.clear()
        for member in dict.values(self):
            for item in member if isinstance(member, list) else [member]:
                if isinstance(item, Recorded):
                    item.begin()

    def unread(self) -> tuple[str, ...]:
        """Members that were sent and nobody read, by path without positions, e.g. `Listeners.Protocol`, sorted."""
        return tuple(sorted(set(_members(self, ""))))


def _members(structure: Recorded, path: str) -> Iterator[str]:
    for name in structure.sent or ():
        at = f"{path}.{name}" if path else name
        if name not in structure.read:
            yield at
        elif at not in KEPT:
            yield from _within(dict.get(structure, name), at)


def _within(value: Any, path: str) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Recorded) and item.read:
            yield from _members(item, path)
