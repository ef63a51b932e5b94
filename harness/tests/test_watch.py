"""The cache of watched objects: it follows the watch, tells the journal, and lets a writer wait for its own write."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from harness.cluster import watch
from harness.cluster.kube import Kube, Object
from harness.cluster.watch import ClusterState
from harness.errors import HarnessError
from harness.journal import Journal, ObjectEntry


def service(version: int, **metadata: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "default", "name": "web", "resourceVersion": str(version), **metadata},
    }


class Api:
    """An API server with one Service, whose watch shows what a test puts into it."""

    def __init__(self) -> None:
        self.changes: queue.Queue[tuple[str, Object]] = queue.Queue()
        self.now: Object | None = service(1)

    def list_with_version(self, api_version: str, kind: str) -> tuple[list[Object], str]:
        return ([service(1)] if kind == "Service" else []), "1"

    def watch(
        self, api_version: str, kind: str, version: str, go_on: Callable[[], bool]
    ) -> Iterator[tuple[str, Object]]:
        while kind == "Service":
            yield self.changes.get()

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        return self.now


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def state(api: Api, journal: Journal) -> ClusterState:
    following = ClusterState(cast(Kube, api), journal)
    following.start()
    return following


def test_a_write_that_the_watch_has_shown_is_not_waited_for(state: ClusterState) -> None:
    state.catch_up("v1", "Service", "default/web", "1")
    state.catch_up("v1", "Deployment", "default/web", "9")  # nobody watches these


@pytest.mark.parametrize(
    ("change", "version"),
    [
        (("MODIFIED", service(7)), "7"),
        (("MODIFIED", service(9)), "7"),
        (("DELETED", service(7)), None),
        (("MODIFIED", service(7, deletionTimestamp="now")), None),
    ],
    ids=["the write", "a later one", "deleted", "being deleted"],
)
def test_a_writer_waits_until_the_watch_shows_its_write(
    change: tuple[str, Object], version: str | None, api: Api, state: ClusterState
) -> None:
    done = threading.Event()

    def wait() -> None:
        state.catch_up("v1", "Service", "web", version)
        done.set()

    threading.Thread(target=wait, daemon=True).start()
    api.changes.put(("MODIFIED", service(2)))
    assert not done.wait(0.05), "an earlier change is not the write"
    api.changes.put(change)
    assert done.wait(10)


def test_a_watch_that_stays_behind_is_the_harnesss_fault(
    api: Api, state: ClusterState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BEHIND_S_MAX", 0.02)
    with pytest.raises(HarnessError, match="the watch of Service did not show a write to default/web"):
        state.catch_up("v1", "Service", "default/web", "7")
    api.now = None  # deleted since: nothing to wait for
    state.catch_up("v1", "Service", "default/web", "7")


def test_changes_are_told_to_the_journal_with_what_was_before(api: Api, state: ClusterState, journal: Journal) -> None:
    api.changes.put(("MODIFIED", service(2)))
    state.catch_up("v1", "Service", "default/web", "2")
    journal.wait_for_change(0, 10)
    (entry,) = journal.of(ObjectEntry)
    assert (entry.change, entry.name, entry.before, entry.after) == ("MODIFIED", "default/web", service(1), service(2))
