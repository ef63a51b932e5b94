"""The cluster's objects as the harness sees them: one watch a kind, kept as a cache and told to the journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from ..errors import HarnessError
from ..journal import Journal, ObjectEntry
from .kube import Kube, Object, object_name

WATCHED = (
    ("v1", "Node"),
    ("v1", "Service"),
    ("v1", "Pod"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("v1", "Event"),
)
"""Kinds whose every change is judged."""

BEHIND_S_MAX = 30.0
"""How far a watch may be behind a write of our own: milliseconds as a rule, seconds on a busy machine."""


class ClusterState:
    """A cache of the watched kinds, current within a watch event."""

    def __init__(self, kube: Kube, journal: Journal) -> None:
        self._kube = kube
        self._journal = journal
        self._objects: dict[str, dict[str, Object]] = {kind: {} for _, kind in WATCHED}
        self._lock = threading.Lock()
        self._taken = threading.Condition(self._lock)
        self._closed = False

    def start(self) -> None:
        """List every kind once, then follow its changes in a thread of its own."""
        for api_version, kind in WATCHED:
            items, version = self._kube.list_with_version(api_version, kind)
            with self._lock:
                self._objects[kind] = {object_name(item): item for item in items}
            threading.Thread(
                target=self._follow, args=(api_version, kind, version), name=f"watch-{kind}", daemon=True
            ).start()

    def close(self) -> None:
        """Stop telling the journal; the threads end with their connections."""
        self._closed = True

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object of a watched kind (a bare name of a namespaced kind is in `default`), or None."""
        with self._lock:
            found = self._objects[kind]
            return found.get(name) or found.get(f"default/{name}")

    def all(self, kind: str) -> tuple[Object, ...]:
        """Return every object of a watched kind, by name."""
        with self._lock:
            return tuple(item for _, item in sorted(self._objects[kind].items()))

    def catch_up(self, api_version: str, kind: str, name: str, resource_version: str | None) -> None:
        """Return when the cache holds a write that was just made, so that no check looks at what was before it.

        Without a version the write is a deletion. Raises HarnessError when the watch stays behind.
        """
        if kind not in self._objects:
            return
        deadline = time.monotonic() + BEHIND_S_MAX
        with self._taken:
            while not self._holds(kind, name, resource_version) and time.monotonic() < deadline:
                self._taken.wait(deadline - time.monotonic())
            if self._holds(kind, name, resource_version):
                return
        if self._kube.get(api_version, kind, name) is not None:  # it may have been deleted since
            raise HarnessError(f"the watch of {kind} did not show a write to {name} within {BEHIND_S_MAX:.0f} s")

    def _holds(self, kind: str, name: str, resource_version: str | None) -> bool:
        found = self._objects[kind].get(name) or self._objects[kind].get(f"default/{name}")
        if resource_version is None:
            return found is None or "deletionTimestamp" in found["metadata"]
        # Versions of one kind are the revisions of one etcd: they can be compared as numbers.
        return found is not None and int(found["metadata"]["resourceVersion"]) >= int(resource_version)

    def _follow(self, api_version: str, kind: str, version: str) -> None:
        try:
            for change, item in self._kube.watch(api_version, kind, version, lambda: not self._closed):
                if self._closed:
                    return
                if change in ("ADDED", "MODIFIED", "DELETED"):
                    self._take(kind, change, item)
        except Exception:
            # The watch is cut when the lab closes its client; before that, it is the harness's failure.
            if not self._closed:
                raise

    def _take(self, kind: str, change: str, item: Mapping[str, Any]) -> None:
        name = object_name(item)
        with self._lock:
            before = self._objects[kind].pop(name, None)
            after = None if change == "DELETED" else dict(item)
            if after is not None:
                self._objects[kind][name] = after
            self._taken.notify_all()
        self._journal.append(
            ObjectEntry(
                at_s=time.time(),
                change=change,
                object_kind=kind,
                name=name,
                before=before or dict(item),
                after=after,
            )
        )
