"""Binding pods: which node can take one, and an address that no other pod has."""

from __future__ import annotations

import ipaddress
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from lightkube import ApiError

from harness.cluster.kube import Kube, Object
from harness.cluster.scheduler import POD_IP_ANNOTATION, Scheduler, choose_node
from harness.cluster.watch import ClusterState
from harness.journal import Journal

from .light_lab import Objects, refusal

TAINT = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
BOUND_S = 30


def node(name: str = "a", *, ready: str = "True", labels: dict[str, str] | None = None, **spec: Any) -> Object:
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"podCIDR": "10.244.1.0/24", **spec},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def pod(name: str = "p", **spec: Any) -> Object:
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"}, "spec": spec}


def chosen(of: Object, *nodes: Object, pods: list[Object] | None = None) -> str | None:
    found = choose_node(of, nodes, pods or [])
    return found["metadata"]["name"] if found else None


def tolerating(**toleration: str) -> Object:
    return pod(tolerations=[toleration])


@pytest.mark.parametrize(
    "unfit",
    [
        node(ready="False"),
        node(ready="Unknown"),
        {**node(), "status": {}},
        node(podCIDR=None),
        node(unschedulable=True),
        node(taints=[TAINT]),
        node(taints=[{"key": "a", "effect": "NoExecute"}]),
    ],
    ids=["not ready", "unknown", "no status", "no pod CIDR", "cordoned", "tainted", "tainted NoExecute"],
)
def test_a_node_that_cannot_take_a_pod_is_passed_over(unfit: Object) -> None:
    assert chosen(pod(), unfit) is None
    assert chosen(pod(), unfit, node("b")) == "b"


def test_without_a_node_a_pod_waits() -> None:
    assert chosen(pod()) is None


@pytest.mark.parametrize(
    ("selector", "fits"),
    [({"disk": "ssd"}, True), ({"disk": "hdd"}, False), ({"disk": "ssd", "zone": "b"}, False), ({}, True)],
    ids=str,
)
def test_a_pod_goes_where_its_node_selector_says(selector: dict[str, str], fits: bool) -> None:
    assert (chosen(pod(nodeSelector=selector), node(labels={"disk": "ssd"})) == "a") is fits


@pytest.mark.parametrize(
    ("waiting", "fits"),
    [
        (tolerating(key="dedicated", value="gpu", effect="NoSchedule"), True),
        (tolerating(key="dedicated", operator="Equal", value="gpu"), True),
        (tolerating(key="dedicated", operator="Exists"), True),
        (tolerating(operator="Exists"), True),
        (tolerating(key="dedicated", value="cpu"), False),
        (tolerating(key="dedicated"), False),
        (tolerating(key="other", operator="Exists"), False),
        (tolerating(key="dedicated", operator="Exists", effect="NoExecute"), False),
        (pod(), False),
    ],
    ids=lambda value: str(value["spec"]) if isinstance(value, dict) else "",
)
def test_a_taint_keeps_out_pods_that_do_not_tolerate_it(waiting: Object, fits: bool) -> None:
    assert (chosen(waiting, node(taints=[TAINT])) == "a") is fits


def test_every_taint_has_to_be_tolerated() -> None:
    both = node(taints=[TAINT, {"key": "other", "effect": "NoSchedule"}])
    assert chosen(tolerating(key="dedicated", operator="Exists"), both) is None


def test_a_taint_that_only_prefers_keeps_nobody_out() -> None:
    assert chosen(pod(), node(taints=[{"key": "a", "effect": "PreferNoSchedule"}])) == "a"


def test_pods_are_spread_by_their_number() -> None:
    pods = [pod("1", nodeName="a"), pod("2", nodeName="a"), pod("3", nodeName="b"), pod("4")]
    assert chosen(pod(), node("a"), node("b"), pods=pods) == "b"
    assert chosen(pod(), node("a"), node("b"), node("c"), pods=pods) == "c"


# The thread that binds.


class Bindings:
    """The API server, which binds pods in the cache as it is asked to, or refuses."""

    def __init__(self, state: Objects) -> None:
        self._state = state
        self.refuses: list[ApiError] = []
        self.made: queue.Queue[tuple[str, str, str]] = queue.Queue()

    def request(self, method: str, path: str, body: Object) -> Object:
        name = body["metadata"]["name"]
        assert (method, path) == ("POST", f"/api/v1/namespaces/default/pods/{name}/binding")
        if self.refuses:
            raise self.refuses.pop()
        target = body["target"]["name"]
        self._state.put(pod(name, nodeName=target))
        self.made.put((name, target, body["metadata"]["annotations"][POD_IP_ANNOTATION]))
        return {}

    def next(self) -> tuple[str, str, str]:
        return self.made.get(timeout=BOUND_S)


@pytest.fixture
def state() -> Objects:
    return Objects()


@pytest.fixture
def bindings(state: Objects) -> Bindings:
    return Bindings(state)


@pytest.fixture
def run(state: Objects, bindings: Bindings) -> Iterator[Callable[[], Journal]]:
    """Start the scheduler over what the test has put into the cache."""
    journal = Journal()
    scheduler = Scheduler(cast(Kube, bindings), cast(ClusterState, state), journal)

    def start() -> Journal:
        scheduler.start()
        journal.step("started")
        return journal

    yield start
    scheduler.close()


def test_every_pod_gets_an_address_of_its_nodes_own_that_no_other_has(
    state: Objects, bindings: Bindings, run: Callable[[], Journal]
) -> None:
    ranges = {"a": "10.244.1.0/24", "b": "10.244.2.0/24"}
    state.put(*(node(name, podCIDR=pod_cidr) for name, pod_cidr in ranges.items()))
    state.put(*(pod(f"p{number}") for number in range(6)))
    run()
    made = [bindings.next() for _ in range(6)]
    assert len({address for _, _, address in made}) == 6
    assert all(ipaddress.ip_address(address) in ipaddress.ip_network(ranges[target]) for _, target, address in made)
    assert sorted(target for _, target, _ in made) == ["a"] * 3 + ["b"] * 3


def test_the_first_address_is_the_nodes_own_end(state: Objects, bindings: Bindings, run: Callable[[], Journal]) -> None:
    state.put(node(), pod())
    run()
    assert bindings.next() == ("p", "a", "10.244.1.2")


def test_a_pod_waits_when_its_nodes_range_is_used_up(
    state: Objects, bindings: Bindings, run: Callable[[], Journal]
) -> None:
    # A /30 has two addresses: the node's own end, and one for a pod.
    state.put(node(podCIDR="10.244.1.0/30"), pod("first"), pod("second"))
    journal = run()
    assert bindings.next() == ("first", "a", "10.244.1.2")
    state.put(node("b", podCIDR="10.244.2.0/24"))
    journal.step("another node came")
    assert bindings.next() == ("second", "b", "10.244.2.2")


def test_a_pod_is_bound_when_a_node_can_take_it_at_last(
    state: Objects, bindings: Bindings, run: Callable[[], Journal]
) -> None:
    state.put(pod())
    journal = run()
    state.put(node())
    journal.step("a node came")
    assert bindings.next()[1] == "a"


def test_pods_that_are_bound_or_on_their_way_out_are_left_alone(
    state: Objects, bindings: Bindings, run: Callable[[], Journal]
) -> None:
    leaving = pod("leaving")
    leaving["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    state.put(node(), pod("bound", nodeName="a"), leaving, pod("waiting"))
    run()
    assert bindings.next()[0] == "waiting"
    assert bindings.made.empty()


@pytest.mark.parametrize("code", [404, 409])
def test_a_pod_that_is_gone_or_bound_already_stops_nothing(
    code: int, state: Objects, bindings: Bindings, run: Callable[[], Journal]
) -> None:
    bindings.refuses = [refusal(code, "no")]
    state.put(node(), pod("first"), pod("second"))
    run()
    assert bindings.next()[0] == "second"


def test_closing_ends_the_thread(state: Objects, bindings: Bindings) -> None:
    others = {*threading.enumerate()}
    scheduler = Scheduler(cast(Kube, bindings), cast(ClusterState, state), Journal())
    scheduler.start()
    (thread,) = {*threading.enumerate()} - others
    scheduler.close()
    assert not thread.is_alive()
