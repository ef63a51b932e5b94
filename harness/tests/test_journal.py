"""The journal: order, judges, waiting, and what is written and told."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.journal import (
    CloudCallEntry,
    ClusterCallEntry,
    Entry,
    Journal,
    ObjectEntry,
    ProcessEntry,
    StepEntry,
)

from .light_lab import call, cluster_call, event


@pytest.fixture
def journal() -> Journal:
    return Journal()


def step(text: str, at_s: float = 0.0) -> StepEntry:
    return StepEntry(at_s=at_s, text=text, phase="begin")


def changed(change: str, **states: Any) -> ObjectEntry:
    return ObjectEntry(
        at_s=0.0, change=change, object_kind="Node", name="a", **{"before": None, "after": None, **states}
    )


def test_entries_are_kept_in_the_order_in_which_they_came(journal: Journal) -> None:
    late, early = step("late", at_s=2.0), step("early", at_s=1.0)
    journal.append(late)
    journal.append(early)
    assert journal.since() == (late, early)


def test_since_a_mark_there_is_only_what_came_later(journal: Journal) -> None:
    journal.step("before")
    mark = journal.mark()
    assert journal.since(mark) == ()
    journal.step("after")
    assert [entry.text for entry in journal.of(StepEntry, mark)] == ["after"]


def test_entries_are_given_by_kind(journal: Journal) -> None:
    journal.step("a step")
    journal.process("etcd", "started")
    journal.record_call(call().call)
    step, process, called = journal.since()
    assert list(journal.of(StepEntry)) == [step]
    assert list(journal.of(ProcessEntry)) == [process]
    assert list(journal.of(CloudCallEntry)) == [called]
    assert list(journal.of(ObjectEntry)) == []


def test_a_call_is_recorded_at_the_time_of_its_request(journal: Journal) -> None:
    journal.record_call(call(at_s=12.5).call)
    assert journal.since()[0].at_s == 12.5


def test_a_judge_is_told_of_every_later_entry_once(journal: Journal) -> None:
    told: list[Entry] = []
    journal.step("before")
    journal.judge(told.append)
    journal.step("first")
    journal.step("second")
    assert tuple(told) == journal.since(1)


def test_a_judge_that_has_ended_is_told_nothing_more(journal: Journal) -> None:
    told: list[Entry] = []
    journal.judge(told.append)()
    journal.step("after")
    assert told == []


def test_a_judge_may_read_the_journal_and_finds_the_entry_there(journal: Journal) -> None:
    found: list[int] = []
    journal.judge(lambda entry: found.append(journal.since().index(entry)))
    journal.step("first")
    journal.step("second", "end")
    assert found == [0, 1]


def test_a_judge_may_write_to_the_journal(journal: Journal) -> None:
    def judge(entry: Entry) -> None:
        if isinstance(entry, ProcessEntry):
            journal.step("seen", "note")

    journal.judge(judge)
    journal.process("etcd", "started")
    assert [entry.kind for entry in journal.since()] == ["process", "step"]


def test_waiting_ends_with_the_next_entry(journal: Journal) -> None:
    returned: list[int] = []
    waiter = threading.Thread(target=lambda: returned.append(journal.wait_for_change(0, 60)))
    waiter.start()
    journal.step("it comes")
    waiter.join(timeout=30)
    assert returned == [1]


def test_waiting_for_what_has_come_already_returns_at_once(journal: Journal) -> None:
    journal.step("it came")
    assert journal.wait_for_change(0, 60) == 1


def test_waiting_without_a_change_ends_at_the_bound(journal: Journal) -> None:
    journal.step("it came")
    assert journal.wait_for_change(1, 0.001) == 1


def test_entries_of_many_threads_are_all_there_and_judged_once_each(journal: Journal) -> None:
    told: list[Entry] = []
    journal.judge(told.append)

    def write() -> None:
        for _ in range(50):
            journal.step("s")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.since()) == len(told) == 400


def test_it_is_written_as_json_lines_in_the_order_of_time(journal: Journal, tmp_path: Path) -> None:
    start_s = journal.started_s
    journal.append(step("second", at_s=start_s + 2))
    journal.append(step("first", at_s=start_s + 1))
    journal.write(tmp_path / "journal.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["text"], line["after_s"]) for line in lines] == [
        ("step", "first", 1.0),
        ("step", "second", 2.0),
    ]


@pytest.mark.parametrize(
    ("entry", "holds"),
    [
        (ProcessEntry(at_s=0.0, component="etcd", text="started"), {"kind": "process", "component": "etcd"}),
        (cluster_call("patch", "nodes", "a", body={"spec": {}}), {"verb": "patch", "body": {"spec": {}}}),
        (changed("ADDED", after={"spec": {"podCIDR": "10.0.0.0/24"}}), {"after": {"spec": {"podCIDR": "10.0.0.0/24"}}}),
    ],
    ids=["process", "cluster call", "object"],
)
def test_every_kind_of_entry_is_written_in_full(
    entry: Entry, holds: dict[str, Any], journal: Journal, tmp_path: Path
) -> None:
    journal.append(entry)
    journal.write(tmp_path / "journal.jsonl")
    written = json.loads((tmp_path / "journal.jsonl").read_text())
    assert holds.items() <= written.items()


def test_a_call_is_written_with_its_parameters_whatever_they_are(journal: Journal, tmp_path: Path) -> None:
    parameters = {"Filters": [{"Values": ("a",)}], "When": Path("not-json")}
    journal.append(call("ec2:DescribeInstances", parameters=parameters, unread=("Filters",)))
    journal.write(tmp_path / "journal.jsonl")
    written = json.loads((tmp_path / "journal.jsonl").read_text())["call"]
    assert written["parameters"] == {"Filters": [{"Values": ["a"]}], "When": "not-json"}
    assert (written["operation"], written["unread"]) == ("DescribeInstances", ["Filters"])


def test_entries_are_told_as_lines_with_their_times_in_the_order_of_time(journal: Journal) -> None:
    start_s = journal.started_s
    told = journal.tell([step("second", at_s=start_s + 61.25), step("first", at_s=start_s + 1)])
    assert told == ["+  1.00s  ── first", "+ 61.25s  ── second"]


LINES: list[tuple[Entry, str]] = [
    (step("apply Service web"), "── apply Service web"),
    (StepEntry(at_s=0.0, text="settled", phase="note"), "   note: settled"),
    (call(), "ec2:CreateRoute rtb-1 -> 200  [aws-cloud-controller-manager#1]"),
    (
        call(status=503, error_code="Throttled", injected="rule 1"),
        "ec2:CreateRoute rtb-1 -> 503 Throttled  (rule rule 1)  [aws-cloud-controller-manager#1]",
    ),
    (cluster_call("delete", "nodes", "a"), "delete nodes a -> 200  [service-controller]"),
    (
        cluster_call("patch", "services/status", "default/web", body={"status": {}}),
        'patch services/status default/web -> 200  [service-controller]  {"status":{}}',
    ),
    (changed("DELETED", before={}), "DELETED Node a"),
    (
        ObjectEntry(
            at_s=0.0,
            change="ADDED",
            object_kind="Event",
            name="default/web.1",
            before=None,
            after=event("web", "Sync"),
        ),
        "event Normal Sync on Service web: told by the controller",
    ),
    (ProcessEntry(at_s=0.0, component="etcd", text="started"), "etcd: started"),
]


@pytest.mark.parametrize(("entry", "line"), LINES, ids=[line for _, line in LINES])
def test_an_entry_is_one_line_for_a_person(entry: Entry, line: str) -> None:
    assert entry.line() == line


def test_a_long_body_is_cut_in_a_line() -> None:
    assert len(cluster_call("patch", "nodes", "a", body={"spec": "x" * 1000}).line()) < 250


@pytest.mark.parametrize(
    ("verb", "writes"),
    [
        ("create", True),
        ("update", True),
        ("patch", True),
        ("delete", True),
        ("deletecollection", True),
        ("get", False),
        ("list", False),
        ("watch", False),
    ],
)
def test_verbs_that_can_change_the_cluster_are_writes(verb: str, writes: bool) -> None:
    made: ClusterCallEntry = cluster_call(verb, "nodes", "a")
    assert made.writes is writes
