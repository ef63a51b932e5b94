"""The journal: everything that happened in one lab, in order, on one clock.

Steps of the scenario, calls to the cloud, writes to the Kubernetes API, changes of watched objects and starts and ends
of processes are appended by different threads; readers wait on it, judges are told of each entry, and it is written as
JSON lines. It holds no opinion about what it records.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from fakeclouds.base import Call


@dataclass(frozen=True, kw_only=True, slots=True)
class StepEntry:
    """A step of the scenario, or a phase of the engine, began or ended."""

    kind: ClassVar[str] = "step"
    at_s: float
    """Wall-clock seconds since the epoch."""
    text: str
    """What the step does, as the scenario's author would say it."""
    phase: str
    """`begin`, `end` or `note`."""

    def line(self) -> str:
        """One line for a person."""
        return f"── {self.text}" if self.phase == "begin" else f"   {self.phase}: {self.text}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudCallEntry:
    """A request that a fake cloud answered."""

    kind: ClassVar[str] = "cloud-call"
    at_s: float
    """When the request came in, wall-clock seconds since the epoch."""
    call: Call
    """The request and its answer."""

    def line(self) -> str:
        """One line for a person."""
        call = self.call
        answer = f"{call.status} {call.error_code}" if call.error_code else str(call.status)
        because = f"  (rule {call.injected})" if call.injected else ""
        return f"{call.service}:{call.operation} {call.resource} -> {answer}{because}  [{call.caller}]"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterCallEntry:
    """A request that the API server answered, from its audit log."""

    kind: ClassVar[str] = "cluster-call"
    at_s: float
    """When the request came in, wall-clock seconds since the epoch."""
    user: str
    """The authenticated user, such as `system:serviceaccount:kube-system:service-controller`."""
    agent: str
    """The user agent's first word."""
    verb: str
    """Kubernetes verb: create, update, patch, delete, deletecollection, get, list, watch."""
    resource: str
    """Resource with subresource, such as `services/status`."""
    name: str
    """`namespace/name`, or the name alone for cluster-scoped objects; empty for collections."""
    status: int
    """HTTP status of the answer."""
    body: Mapping[str, Any] | None
    """The request's object, for writes to what the harness watches."""

    @property
    def writes(self) -> bool:
        """Whether the request could change the cluster."""
        return self.verb in ("create", "update", "patch", "delete", "deletecollection")

    def line(self) -> str:
        """One line for a person."""
        detail = f"  {json.dumps(self.body, separators=(',', ':'))[:160]}" if self.body else ""
        return f"{self.verb} {self.resource} {self.name} -> {self.status}  [{self.user.rsplit(':', 1)[-1]}]{detail}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectEntry:
    """A watched Kubernetes object was added, modified or deleted."""

    kind: ClassVar[str] = "object"
    at_s: float
    """When the watch event arrived, wall-clock seconds since the epoch."""
    change: str
    """ADDED, MODIFIED or DELETED."""
    object_kind: str
    """Kind, such as `Node`."""
    name: str
    """`namespace/name`, or the name alone for cluster-scoped objects."""
    before: Mapping[str, Any] | None = field(repr=False)
    """The object before the change; None when it was added."""
    after: Mapping[str, Any] | None = field(repr=False)
    """The object after the change; None when it was deleted."""

    def line(self) -> str:
        """One line for a person."""
        shown = self.after or self.before or {}
        if self.object_kind == "Event":
            about = shown.get("involvedObject", {})
            return (
                f"event {shown.get('type')} {shown.get('reason')} on {about.get('kind')} {about.get('name')}: "
                f"{str(shown.get('message'))[:200]}"
            )
        return f"{self.change} {self.object_kind} {self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessEntry:
    """A component was started, stopped, or ended by itself."""

    kind: ClassVar[str] = "process"
    at_s: float
    """Wall-clock seconds since the epoch."""
    component: str
    """Name of the component."""
    text: str
    """What happened."""

    def line(self) -> str:
        """One line for a person."""
        return f"{self.component}: {self.text}"


Entry = StepEntry | CloudCallEntry | ClusterCallEntry | ObjectEntry | ProcessEntry
EntryT = TypeVar("EntryT", StepEntry, CloudCallEntry, ClusterCallEntry, ObjectEntry, ProcessEntry)
Judge = Callable[[Entry], None]


class Journal:
    """An append-only list of entries that many threads write and any thread reads or waits on."""

    def __init__(self) -> None:
        self.started_s = time.time()
        self._entries: list[Entry] = []
        self._changed = threading.Condition()
        self._judges: list[Judge] = []

    def append(self, entry: Entry) -> None:
        """Record an entry, wake whoever waits, then tell the judges (outside the lock: they may read other state)."""
        with self._changed:
            self._entries.append(entry)
            judges = tuple(self._judges)
            self._changed.notify_all()
        for judge in judges:
            judge(entry)

    def step(self, text: str, phase: str = "begin") -> None:
        """Record a step of the scenario or a phase of the engine."""
        self.append(StepEntry(at_s=time.time(), text=text, phase=phase))

    def record_call(self, call: Call) -> None:
        """Record a request to the cloud (an observer for a front door)."""
        self.append(CloudCallEntry(at_s=call.started_s, call=call))

    def process(self, component: str, text: str) -> None:
        """Record the start or the end of a component."""
        self.append(ProcessEntry(at_s=time.time(), component=component, text=text))

    def judge(self, judge: Judge) -> Callable[[], None]:
        """Call `judge` with every later entry; return a function that ends this."""
        with self._changed:
            self._judges.append(judge)
        return lambda: self._judges.remove(judge)

    def mark(self) -> int:
        """Return the present position, for `since`."""
        with self._changed:
            return len(self._entries)

    def since(self, mark: int = 0) -> tuple[Entry, ...]:
        """Return the entries from a position on, in order of arrival."""
        with self._changed:
            return tuple(self._entries[mark:])

    def of(self, kind: type[EntryT], mark: int = 0) -> Iterator[EntryT]:
        """Yield the entries of one kind from a position on."""
        return (entry for entry in self.since(mark) if isinstance(entry, kind))

    def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """Block until there are more than `seen` entries or `timeout_s` have passed; return how many there are."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._entries) > seen, timeout_s)
            return len(self._entries)

    def write(self, path: Path) -> None:
        """Write every entry as one JSON object a line, sorted by time."""
        with path.open("w") as lines:
            for entry in sorted(self.since(), key=lambda entry: entry.at_s):
                record = {"kind": entry.kind, "after_s": round(entry.at_s - self.started_s, 4), **_shallow(entry)}
                lines.write(json.dumps(record, default=_jsonable) + "\n")

    def tell(self, entries: Iterable[Entry]) -> list[str]:
        """Return the entries as lines for a person, each with its time in this journal, sorted by time."""
        ordered = sorted(entries, key=lambda entry: entry.at_s)
        return [f"+{entry.at_s - self.started_s:6.2f}s  {entry.line()}" for entry in ordered]


def _shallow(entry: Any) -> dict[str, Any]:
    return {item.name: getattr(entry, item.name) for item in fields(entry)}


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return _shallow(value) if is_dataclass(value) else str(value)
