"""Which entries of the journal matter to a failure."""

from __future__ import annotations

import re

from ..journal import CloudCallEntry, ClusterCallEntry, Entry, Journal, ProcessEntry, StepEntry

HARNESS_CALLER = "test"
"""Who the harness is in the journal when it calls the cloud's own API."""

LINES_MAX = 24


def evidence(journal: Journal, users: frozenset[str], subject: str) -> tuple[str, ...]:
    """Return the latest lines: steps, processes, the controller's writes, and calls and events about the subject.

    Reads that succeeded are left out unless they are the last thing that the controller did.
    """
    entries = journal.since()
    chosen = [entry for entry in entries if _matters(entry, users, subject)]
    calls = [entry for entry in entries if isinstance(entry, CloudCallEntry) and entry.call.caller != HARNESS_CALLER]
    if calls and calls[-1] not in chosen:
        chosen.append(calls[-1])
    lines = journal.tell(chosen)
    # The same failing call over and over says as much once.
    shortened: list[str] = []
    for line in lines:
        text = line.partition("s  ")[2]  # without its time
        if shortened and shortened[-1].partition("s  ")[2].split("  (x")[0] == text:
            before, _, times = shortened[-1].partition("  (x")
            shortened[-1] = f"{before}  (x{int(times.rstrip(')') or 1) + 1})"
        else:
            shortened.append(line)
    return tuple(shortened[-LINES_MAX:])


def _matters(entry: Entry, users: frozenset[str], subject: str) -> bool:
    if isinstance(entry, StepEntry):
        return entry.phase == "begin"
    if isinstance(entry, ProcessEntry):
        return True
    if isinstance(entry, CloudCallEntry):
        return entry.call.caller != HARNESS_CALLER and (entry.call.mutating or entry.call.error_code is not None)
    if isinstance(entry, ClusterCallEntry):
        kept = entry.writes and entry.user in users and not entry.resource.startswith(("leases", "events"))
        return kept or (entry.user in users and entry.status >= 400)
    shown = entry.after or entry.before or {}
    about = shown.get("involvedObject", {}).get("name") if entry.object_kind == "Event" else entry.name
    name = str(about or "").rpartition("/")[2]
    # A whole word of the subject: a Service `e` is not about every subject with an e in it.
    relevant = bool(name) and name in re.split(r"[^\w.-]+", subject)
    return relevant and (entry.object_kind == "Event" or entry.change != "MODIFIED")
