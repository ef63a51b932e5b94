"""Which lines of the journal a failure shows."""

from __future__ import annotations

import pytest

from harness.engine.evidence import LINES_MAX, evidence
from harness.engine.outcome import Failure
from harness.journal import Entry, Journal, ProcessEntry, StepEntry
from harness.wait import Observation

from .light_lab import HARNESS, USER, call, changed, cluster_call, event


@pytest.fixture
def journal() -> Journal:
    return Journal()


def shown(journal: Journal, *entries: Entry, subject: str = "v1/Service default/web") -> list[str]:
    """Return the lines of the evidence without their times."""
    for entry in entries:
        journal.append(entry)
    return [line.partition("s  ")[2] for line in evidence(journal, frozenset({USER}), subject)]


@pytest.mark.parametrize(
    "entry",
    [
        StepEntry(at_s=1.0, text="apply web", phase="begin"),
        ProcessEntry(at_s=1.0, component="etcd", text="started"),
        call("ec2:CreateRoute"),
        call("ec2:DescribeInstances", error_code="Throttled", status=503),
        cluster_call("patch", "services/status", "default/web"),
        cluster_call("list", "nodes", "", status=403),
        changed("default/web", "Service", change="ADDED"),
        changed("default/web", "Service", change="DELETED", after=None),
        changed("default/web.1", "Event", after=event("web", "SyncLoadBalancerFailed", "Warning")),
    ],
    ids=lambda entry: entry.line(),
)
def test_evidence_shows_what_matters(entry: Entry, journal: Journal) -> None:
    assert shown(journal, entry, call("ec2:CreateTags")) == [entry.line(), call("ec2:CreateTags").line()]


@pytest.mark.parametrize(
    "entry",
    [
        StepEntry(at_s=1.0, text="apply web", phase="end"),
        call("ec2:DescribeInstances"),
        call("ec2:CreateRoute", caller="test"),
        cluster_call("update", "leases", "kube-system/ccm"),
        cluster_call("create", "events", "default/web.1"),
        cluster_call("patch", "services", "default/web", user=HARNESS),
        cluster_call("list", "nodes", ""),
        changed("default/web", "Service"),
        changed("default/api", "Service", change="ADDED"),
        changed("default/we", "Service", change="ADDED"),
        changed("default/api.1", "Event", after=event("api", "Synced")),
    ],
    ids=lambda entry: entry.line(),
)
def test_evidence_leaves_out_what_does_not(entry: Entry, journal: Journal) -> None:
    assert shown(journal, entry, call("ec2:CreateTags")) == [call("ec2:CreateTags").line()]


def test_the_last_thing_that_the_controller_did_is_shown_though_it_is_a_read(journal: Journal) -> None:
    entries = [call("ec2:DescribeRouteTables"), call("ec2:DescribeInstances"), call("ec2:Describe", caller="test")]
    assert shown(journal, *entries) == [call("ec2:DescribeInstances").line()]


@pytest.mark.parametrize("after_s", [0.0, 30.0, 3000.0])
def test_the_same_line_over_and_over_is_shown_once_with_its_count(after_s: float, journal: Journal) -> None:
    start_s = journal.started_s + after_s
    entries = [call("ec2:CreateRoute", at_s=start_s + number, error_code="Limit", status=400) for number in range(3)]
    line = entries[0].line()
    other = call("ec2:DeleteRoute", at_s=start_s + 5)
    again = call("ec2:CreateRoute", at_s=start_s + 6, error_code="Limit", status=400)
    assert shown(journal, *entries, other, again) == [f"{line}  (x3)", other.line(), line]


def test_the_last_call_is_counted_once(journal: Journal) -> None:
    early = call("ec2:CreateRoute", at_s=journal.started_s)
    entries = [ProcessEntry(at_s=journal.started_s + 1, component=f"c{n}", text="started") for n in range(LINES_MAX)]
    assert not any("(x" in line for line in shown(journal, early, *entries))


def test_evidence_is_the_latest_lines_in_the_order_of_time(journal: Journal) -> None:
    start_s = journal.started_s
    entries = [ProcessEntry(at_s=start_s + n, component=f"c{n}", text="started") for n in range(LINES_MAX + 10)]
    assert shown(journal, *reversed(entries)) == [entry.line() for entry in entries[10:]]


def test_a_failure_reads_as_a_person_needs_it() -> None:
    observation = Observation(met=False, subject="v1/Node a", expected="gone", observed="present")
    failure = Failure(
        oracle="nodeAbsent", step="step 2", observation=observation, bound="30.0 s, 4 looks", evidence=("one", "two")
    )
    assert str(failure).splitlines() == [
        "v1/Node a",
        "  check     nodeAbsent  (in step: step 2)",
        "  expected  gone",
        "  observed  present",
        "  bound     30.0 s, 4 looks",
        "  journal   one",
        "            two",
    ]
