"""The API server's audit log: what an event says, and the pipe that brings it."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.cluster.audit import POLICY, AuditLog, parse
from harness.journal import ClusterCallEntry

BOUND_S = 30
EVENT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Request",
    "auditID": "0f0b6ee6-7a8a-4f1c-a4a8-7d3c5b4f4b55",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/default/services/web/status",
    "verb": "patch",
    "user": {
        "username": "system:serviceaccount:kube-system:service-controller",
        "uid": "5f2a",
        "groups": ["system:serviceaccounts", "system:authenticated"],
    },
    "sourceIPs": ["127.0.0.1"],
    "userAgent": "aws-cloud-controller-manager/v1.37.1 (linux/amd64) kubernetes/$Format/service-controller",
    "objectRef": {
        "resource": "services",
        "namespace": "default",
        "name": "web",
        "apiVersion": "v1",
        "subresource": "status",
    },
    "responseStatus": {"metadata": {}, "code": 200},
    "requestObject": {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}},
    "requestReceivedTimestamp": "2025-11-02T10:20:30.123456Z",
    "stageTimestamp": "2025-11-02T10:20:30.125000Z",
    "annotations": {"authorization.k8s.io/decision": "allow"},
}


def without(*keys: str, **changes: Any) -> dict[str, Any]:
    return {**{key: value for key, value in EVENT.items() if key not in keys}, **changes}


def test_an_event_is_read_as_a_call() -> None:
    assert parse(EVENT) == ClusterCallEntry(
        at_s=datetime(2025, 11, 2, 10, 20, 30, 123456, tzinfo=UTC).timestamp(),
        user="system:serviceaccount:kube-system:service-controller",
        agent="aws-cloud-controller-manager/v1.37.1",
        verb="patch",
        resource="services/status",
        name="default/web",
        status=200,
        body=EVENT["requestObject"],
    )


@pytest.mark.parametrize(
    ("event", "resource", "name", "status"),
    [
        (without(objectRef={"resource": "nodes", "name": "a"}), "nodes", "a", 200),
        (without(objectRef={"resource": "services", "namespace": "default"}), "services", "", 200),
        (without("objectRef", requestURI="/apis", responseStatus={"code": 403}), "/apis", "", 403),
        (without("responseStatus"), "services/status", "default/web", 0),
    ],
    ids=["cluster-scoped", "a collection", "no object", "no answer"],
)
def test_what_an_event_leaves_out_is_empty(event: dict[str, Any], resource: str, name: str, status: int) -> None:
    entry = parse(event)
    assert (entry.resource, entry.name, entry.status) == (resource, name, status)


def test_an_event_without_a_body_or_an_agent_is_read_all_the_same() -> None:
    entry = parse(without("requestObject", "userAgent"))
    assert (entry.body, entry.agent) == (None, "")


def test_the_policy_keeps_every_write_and_the_bodies_of_nodes_and_services() -> None:
    rules: Any = POLICY["rules"]
    bodies = next(rule for rule in rules if rule["level"] == "Request")
    assert bodies["resources"] == [{"group": "", "resources": ["nodes", "nodes/status", "services", "services/status"]}]
    silent = {verb for rule in rules if rule["level"] == "None" for verb in rule.get("verbs", [])}
    assert silent == {"get", "watch"}
    assert rules[-1] == {"level": "Metadata"}


# The pipe.


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    opened = AuditLog(tmp_path / "audit.pipe")
    yield opened
    opened.close()


@pytest.fixture
def entries(log: AuditLog) -> queue.Queue[ClusterCallEntry]:
    arriving: queue.Queue[ClusterCallEntry] = queue.Queue()
    log.sink = arriving.put
    return arriving


def write(log: AuditLog, *events: dict[str, Any]) -> None:
    with log.path.open("wb") as pipe:
        for event in events:
            pipe.write(json.dumps(event).encode() + b"\n")


def test_the_pipe_brings_every_event_once_and_in_order(log: AuditLog, entries: queue.Queue[ClusterCallEntry]) -> None:
    events = [without(objectRef={"resource": "nodes", "name": f"n{number}"}) for number in range(200)]
    write(log, *events)
    assert [entries.get(timeout=BOUND_S).name for _ in events] == [f"n{number}" for number in range(200)]
    assert entries.empty()


def test_an_event_larger_than_the_pipe_is_brought_whole(log: AuditLog, entries: queue.Queue[ClusterCallEntry]) -> None:
    write(log, without(requestObject={"text": "x" * 300_000}))
    body = entries.get(timeout=BOUND_S).body
    assert body is not None
    assert len(body["text"]) == 300_000


def test_the_writer_may_come_and_go(log: AuditLog, entries: queue.Queue[ClusterCallEntry]) -> None:
    write(log, EVENT)
    write(log, EVENT)
    assert entries.get(timeout=BOUND_S) == entries.get(timeout=BOUND_S)


def test_empty_lines_are_no_events(log: AuditLog, entries: queue.Queue[ClusterCallEntry]) -> None:
    with log.path.open("wb") as pipe:
        pipe.write(b"\n \n" + json.dumps(EVENT).encode() + b"\n")
    assert entries.get(timeout=BOUND_S).name == "default/web"
    assert entries.empty()


def test_the_pipe_is_the_users_alone(log: AuditLog) -> None:
    assert log.path.is_fifo()
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_closing_ends_the_reader(tmp_path: Path) -> None:
    others = {*threading.enumerate()}
    log = AuditLog(tmp_path / "audit.pipe")
    (reader,) = {*threading.enumerate()} - others
    log.close()
    assert not reader.is_alive()


def test_a_record_that_the_api_servers_end_cut_short_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    log = AuditLog(tmp_path / "audit.pipe")
    told: list[ClusterCallEntry] = []
    log.sink = told.append
    pipe = os.open(log.path, os.O_WRONLY)
    os.write(pipe, json.dumps(EVENT).encode()[:100])
    os.close(pipe)
    log.close()
    assert (told, raised) == ([], [])


def test_without_a_sink_the_writer_goes_on_all_the_same(log: AuditLog) -> None:
    write(log, *[without(requestObject={"text": "x" * 300_000})] * 3)  # far more than a pipe holds
