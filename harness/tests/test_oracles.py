"""What holds in every scenario: judges, demands, the controller's health, rest and re-reading, the evidence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from fakeclouds.base import InstanceState
from harness.engine import oracles
from harness.engine.oracles import (
    Quiet,
    controller_writes,
    converge,
    delete_everything,
    known_repeats,
    owned_kinds,
    reread,
    routes_gone,
    services_gone,
    settle_after_restart,
)
from harness.engine.outcome import CheckFailed, Failure
from harness.engine.tribunal import Tribunal, controller_health, demand_within
from harness.errors import HarnessError
from harness.journal import CloudCallEntry, ClusterCallEntry, Entry, StepEntry
from harness.known_issues import KnownIssue
from harness.wait import Observation

from .light_lab import CALLER, HARNESS, USER, World, call, changed, cluster_call, instance, process, profile, route


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def tribunal(world: World) -> Iterator[Tribunal]:
    judging = Tribunal(world.lab)
    judging.enter("step 1: sample")
    yield judging
    judging.close()


class Demand:
    """A check whose answer a test switches."""

    def __init__(self, met: bool = True) -> None:
        self.met = met
        self.looks = 0
        self.looked = threading.Event()

    def observe(self, lab: object) -> Observation:
        del lab
        self.looks += 1
        self.looked.set()
        return Observation(met=self.met, subject="thing", expected="there", observed="there" if self.met else "gone")


def violation(tribunal: Tribunal) -> Failure | None:
    """Return what the tribunal holds against the controller."""
    try:
        tribunal.raise_violation()
    except CheckFailed as failed:
        return failed.failure
    return None


# Judges.


def test_the_controller_may_not_delete_a_node_whose_instance_runs(world: World, tribunal: Tribunal) -> None:
    world.lab.journal.append(cluster_call("delete", "nodes", "node-1.internal"))
    failure = violation(tribunal)
    assert failure is not None
    assert (failure.oracle, failure.step) == ("no live node is deleted", "step 1: sample")
    assert failure.observation.subject == "v1/Node node-1.internal"
    assert failure.observation.observed == f"deleted by {USER}"
    assert any("delete nodes node-1.internal" in line for line in failure.evidence)


@pytest.mark.parametrize(
    "entry",
    [
        cluster_call("delete", "nodes", "node-1.internal", user=HARNESS),
        cluster_call("delete", "nodes", "node-1.internal", status=404),
        cluster_call("delete", "nodes", "elsewhere.internal"),
        cluster_call("delete", "services", "node-1.internal"),
        cluster_call("patch", "nodes", "node-1.internal"),
    ],
    ids=["by the scenario", "refused", "a node of no instance", "another resource", "another verb"],
)
def test_other_calls_delete_no_live_node(entry: Entry, world: World, tribunal: Tribunal) -> None:
    world.lab.journal.append(entry)
    assert violation(tribunal) is None


@pytest.mark.parametrize("state", [InstanceState.STOPPED, InstanceState.TERMINATED])
def test_the_controller_may_delete_a_node_whose_instance_does_not_run(
    state: InstanceState, world: World, tribunal: Tribunal
) -> None:
    world.cloud.machines["node-1"] = instance(state=state)
    world.lab.journal.append(cluster_call("delete", "nodes", "node-1.internal"))
    assert violation(tribunal) is None


def test_the_controller_may_not_change_what_belongs_to_somebody_else(world: World, tribunal: Tribunal) -> None:
    world.lab.journal.append(call("elb:DeleteLoadBalancer", resource="decoy"))
    failure = violation(tribunal)
    assert failure is not None
    assert failure.oracle == "nobody else's resources are touched"
    assert failure.observation.observed == f"elb:DeleteLoadBalancer by {CALLER}"


@pytest.mark.parametrize(
    "entry",
    [
        call("elb:DeleteLoadBalancer", resource="decoy", caller="test"),
        call("elb:DescribeLoadBalancers", resource="decoy"),
        call("elb:DeleteLoadBalancer", resource="decoy", status=400, error_code="Denied"),
        call("elb:DeleteLoadBalancer", resource="mine"),
    ],
    ids=["by the scenario", "a read", "refused", "the cluster's own"],
)
def test_other_calls_touch_no_decoy(entry: Entry, world: World, tribunal: Tribunal) -> None:
    world.lab.journal.append(entry)
    assert violation(tribunal) is None


def test_the_first_violation_is_kept(world: World, tribunal: Tribunal) -> None:
    world.lab.journal.append(cluster_call("delete", "nodes", "node-1.internal"))
    tribunal.enter("step 2: later")
    world.lab.journal.append(cluster_call("delete", "nodes", "node-2.internal"))
    failure = violation(tribunal)
    assert failure is not None
    assert (failure.step, failure.observation.subject) == ("step 1: sample", "v1/Node node-1.internal")


def test_a_closed_tribunal_judges_nothing(world: World) -> None:
    tribunal = Tribunal(world.lab)
    tribunal.close()
    world.lab.journal.append(cluster_call("delete", "nodes", "node-1.internal"))
    assert violation(tribunal) is None


# Standing demands.


@pytest.mark.parametrize(
    ("entry", "judged"),
    [
        (call("ec2:CreateRoute"), True),
        (call("ec2:DescribeInstances"), True),
        (call("ec2:CreateRoute", caller="test"), False),
        (cluster_call("patch", "nodes", "node-1.internal"), True),
        (changed(), True),
    ],
    ids=["mutating call", "read", "the harness's own call", "write to the cluster", "object"],
)
def test_a_standing_demand_is_judged_whenever_something_changes(
    entry: Entry, judged: bool, world: World, tribunal: Tribunal
) -> None:
    demand = Demand()
    tribunal.demand("always thing", demand)
    assert demand.looks == 1
    world.lab.journal.append(entry)
    assert demand.looks == 1 + judged


def test_a_demand_that_is_not_met_once_is_a_violation_though_it_is_met_again(world: World, tribunal: Tribunal) -> None:
    demand = Demand()
    tribunal.demand("always thing", demand)
    demand.met = False
    world.lab.journal.append(changed())
    demand.met = True
    world.lab.journal.append(changed())
    failure = violation(tribunal)
    assert failure is not None
    assert (failure.oracle, failure.bound) == ("always thing", "at every change")
    assert failure.observation.observed == "gone"


def test_a_demand_that_is_not_met_from_the_start_is_a_violation(tribunal: Tribunal) -> None:
    tribunal.demand("always thing", Demand(met=False))
    assert violation(tribunal) is not None


def test_a_released_demand_is_judged_no_longer(world: World, tribunal: Tribunal) -> None:
    demand = Demand()
    tribunal.demand("always thing", demand)
    tribunal.release()
    world.lab.journal.append(changed())
    assert demand.looks == 1


def test_what_is_held_for_a_time_is_judged_no_longer_after_it(world: World, tribunal: Tribunal) -> None:
    demand = Demand()
    tribunal.hold([("hold thing", demand)], 0.0)
    looks = demand.looks
    world.lab.journal.append(changed())
    assert demand.looks == looks


def test_what_is_held_and_breaks_ends_the_wait_at_once(world: World, tribunal: Tribunal) -> None:
    demand = Demand()

    def break_it() -> None:
        demand.looked.wait(30)
        demand.met = False
        world.lab.journal.append(changed())

    breaker = threading.Thread(target=break_it)
    breaker.start()
    with pytest.raises(CheckFailed, match="hold thing"):
        tribunal.hold([("hold other", Demand()), ("hold thing", demand)], 3600.0)
    breaker.join()


def test_a_demand_within_a_bound_fails_with_what_was_seen(world: World, tribunal: Tribunal) -> None:
    world.called("elb:CreateLoadBalancer")
    with pytest.raises(CheckFailed) as failed:
        demand_within(world.lab, tribunal, "thing", "step 1", lambda: Demand(met=False).observe(world.lab), 0.0)
    failure = failed.value.failure
    assert (failure.oracle, failure.step, failure.bound) == ("thing", "step 1", "0.0 s, 1 looks")
    assert "elb:CreateLoadBalancer" in failure.evidence[-1]


def test_a_demand_that_is_met_within_its_bound_raises_nothing(world: World, tribunal: Tribunal) -> None:
    demand_within(world.lab, tribunal, "thing", "step 1", lambda: Demand().observe(world.lab), 0.0)


def test_a_violation_ends_a_wait_for_something_else(world: World, tribunal: Tribunal) -> None:
    def look() -> Observation:
        world.lab.journal.append(cluster_call("delete", "nodes", "node-1.internal"))
        return Demand(met=False).observe(world.lab)

    with pytest.raises(CheckFailed, match="no live node is deleted"):
        demand_within(world.lab, tribunal, "thing", "step 1", look, 3600.0)


class Faulty:
    """A check that the harness itself cannot answer."""

    def observe(self, lab: object) -> Observation:
        raise HarnessError("nothing to compare with")


def test_a_demand_that_cannot_be_judged_is_the_harnesss_fault(world: World, tribunal: Tribunal) -> None:
    tribunal.demand("always thing", Faulty())
    world.lab.journal.append(changed())
    with pytest.raises(HarnessError, match="nothing to compare with"):
        tribunal.raise_violation()


class Broken:
    def observe(self, lab: object) -> Observation:
        raise KeyError("spec")


def test_a_check_that_breaks_is_the_harnesss_fault_too(world: World, tribunal: Tribunal) -> None:
    tribunal.demand("always broken", Broken())
    with pytest.raises(HarnessError, match="always broken could not be judged: KeyError: 'spec'"):
        tribunal.raise_violation()


# The controller's health, and the lab's.


@pytest.mark.parametrize(
    ("code", "observed"),
    [
        (2, "exited with 2; its last lines:\npanic: nil map"),
        (-9, "killed by signal 9; its last lines:\npanic: nil map"),
    ],
)
def test_a_controller_that_ends_by_itself_has_crashed(code: int, observed: str, world: World) -> None:
    world.controller.process = process(code, "panic: nil map")
    with pytest.raises(CheckFailed) as failed:
        controller_health(world.lab, "step 3")
    failure = failed.value.failure
    assert (failure.oracle, failure.step) == ("the controller does not crash", "step 3")
    assert failure.observation.observed == observed


@pytest.mark.parametrize("running", [None, process()], ids=["not started", "running"])
def test_a_controller_that_runs_or_was_not_started_has_not_crashed(running: Any, world: World) -> None:
    world.controller.process = running
    controller_health(world.lab, "step 3")


def test_a_clean_exit_is_a_crash_too(world: World, tribunal: Tribunal) -> None:
    world.controller.process = process(0)
    failure = violation(tribunal)
    assert failure is not None
    assert failure.observation.observed.startswith("exited with 0")


def fake_stopped(world: World) -> None:
    world.nodes.process = process(1, "out of memory")


def call_not_implemented(world: World) -> None:
    world.called("ec2:CreateVolume", implemented=False)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (fake_stopped, "kwok exited with 1; its last lines:\nout of memory"),
        (call_not_implemented, "the fake aws does not implement ec2:CreateVolume"),
    ],
)
def test_a_fault_of_the_harness_is_no_fault_of_the_controller(
    harm: Callable[[World], None], message: str, world: World, tribunal: Tribunal
) -> None:
    harm(world)
    with pytest.raises(HarnessError, match=message):
        tribunal.raise_violation()


# Rest, restart, what is left.


def test_the_controllers_writes_are_its_mutating_calls_and_its_writes_to_the_cluster(world: World) -> None:
    writes: list[CloudCallEntry | ClusterCallEntry] = [
        call("ec2:CreateRoute"),
        cluster_call("patch", "nodes/status", "node-1.internal"),
    ]
    rest: list[CloudCallEntry | ClusterCallEntry] = [
        call("ec2:DescribeInstances"),
        call("ec2:CreateRoute", caller="test"),
        cluster_call("update", "leases", "kube-system/ccm"),
        cluster_call("create", "events", "default/web.1"),
        cluster_call("create", "serviceaccounts/token", "kube-system/node-controller"),
        cluster_call("list", "nodes", ""),
        cluster_call("patch", "nodes", "node-1.internal", user=HARNESS),
    ]
    for entry in rest:
        world.lab.journal.append(entry)
    for entry in writes:
        world.lab.journal.append(entry)
    assert controller_writes(world.lab) == writes
    assert controller_writes(world.lab, world.lab.journal.mark()) == []


def test_quiet_is_no_write_since_a_position(world: World) -> None:
    world.called("ec2:CreateRoute")
    quiet = Quiet(world.lab.journal.mark())
    assert quiet.observe(world.lab).met
    world.called("ec2:DescribeInstances")
    assert quiet.observe(world.lab).met
    world.called("ec2:DeleteRoute")
    observation = quiet.observe(world.lab)
    assert not observation.met
    assert observation.observed.startswith("ec2:DeleteRoute rtb-1 -> 200")


def test_a_controller_comes_to_rest_when_its_last_write_is_a_period_old() -> None:
    world = World(profile=profile("20ms"))
    world.called("ec2:CreateRoute", at_s=time.time() - 0.02)
    converge(world.lab, Tribunal(world.lab))
    assert [entry.text for entry in world.lab.journal.of(StepEntry)] == ["convergence"]


def test_coming_to_rest_takes_a_period_at_least(
    world: World, tribunal: Tribunal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracles, "CONVERGENCE_S", 0.0)
    with pytest.raises(CheckFailed, match="a controller comes to rest"):
        converge(world.lab, tribunal)


def test_a_controller_that_goes_on_writing_fails(
    world: World, tribunal: Tribunal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracles, "CONVERGENCE_S", 0.0)
    world.called("ec2:CreateRoute", at_s=time.time() + 3600)
    with pytest.raises(CheckFailed) as failed:
        converge(world.lab, tribunal)
    assert (failed.value.failure.oracle, failed.value.failure.step) == ("a controller comes to rest", "convergence")
    assert "ec2:CreateRoute" in failed.value.failure.observation.observed


def test_what_a_controller_owns_is_nodes_load_balancers_and_its_routes(world: World) -> None:
    world.routes(route(1), route(2), route(3, owned=False))
    assert owned_kinds(world.lab) == {"instances": 2, "load-balancers": 1, "routes": 2}


def test_what_there_is_none_of_need_not_be_read(world: World) -> None:
    world.routes().drop_nodes().drop("Service", "default/web")
    assert owned_kinds(world.lab) == {}
    assert reread(world.lab).met


def test_a_service_that_still_holds_its_finalizer_is_owned_though_it_asks_for_nothing(world: World) -> None:
    world.service({"spec": {"type": "ClusterIP"}})
    assert owned_kinds(world.lab)["load-balancers"] == 1
    world.service({"metadata": {"finalizers": None}})
    assert "load-balancers" not in owned_kinds(world.lab)


READS = ("ec2:DescribeInstances", "ec2:DescribeRouteTables", "elb:DescribeLoadBalancers")


@pytest.mark.parametrize(
    ("operations", "caller", "observed"),
    [
        ((), CALLER, "not yet: instances (0 of 2), load-balancers (0 of 1), routes (0 of 2)"),
        (READS[:1], CALLER, "not yet: load-balancers (0 of 1), routes (0 of 2)"),
        (READS, CALLER, "has read everything"),
        (
            READS,
            "aws-cloud-controller-manager#0",
            "not yet: instances (0 of 2), load-balancers (0 of 1), routes (0 of 2)",
        ),
    ],
    ids=["nothing", "instances alone", "everything", "before the restart"],
)
def test_a_restarted_controller_has_to_read_everything_that_it_owns(
    operations: tuple[str, ...], caller: str, observed: str, world: World
) -> None:
    world.called(*operations, caller=caller)
    observation = reread(world.lab)
    assert observation.observed == observed
    assert observation.met is (observed == "has read everything")


def test_every_load_balancer_has_to_be_read(world: World) -> None:
    web = world.state.held["Service"]["default/web"]
    world.state.put({**web, "metadata": {**web["metadata"], "name": "api"}})
    world.called(*READS)
    assert reread(world.lab).observed == "not yet: load-balancers (1 of 2)"
    world.called(READS[2], resource="another")
    assert reread(world.lab).met


def test_routes_are_gone_when_none_of_this_cluster_is_left(world: World) -> None:
    world.routes(route(1, state="blackhole"), route(9, owned=False))
    observation = routes_gone(world.lab)
    assert (observation.met, observation.observed) == (False, "10.244.1.0/24 (blackhole)")
    world.routes(route(9, owned=False))
    assert routes_gone(world.lab).met


def re_reads(world: World, *operations: str) -> None:
    """A start of the controller makes these calls."""
    world.controller.start = lambda: world.called(*operations)  # type: ignore[attr-defined]


def test_a_settled_controller_is_restarted_re_reads_and_changes_nothing(
    world: World, tribunal: Tribunal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracles, "QUIET_PERIODS", 0)
    world.called("ec2:CreateRoute")
    re_reads(world, *READS)
    settle_after_restart(world.lab, tribunal)
    assert world.asked == [("stop",)]


def test_a_restarted_controller_that_does_not_re_read_fails(
    world: World, tribunal: Tribunal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracles, "CONVERGENCE_S", 0.0)
    with pytest.raises(CheckFailed, match="a restarted controller re-reads what it owns"):
        settle_after_restart(world.lab, tribunal)


def test_a_settled_controller_that_writes_fails_at_once(
    world: World, tribunal: Tribunal, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = tribunal.hold

    def hold_after_a_write(demands: Sequence[tuple[str, Any]], seconds: float) -> None:
        world.called("ec2:CreateTags")
        hold(demands, seconds + 3600)

    monkeypatch.setattr(tribunal, "hold", hold_after_a_write)
    re_reads(world, *READS)
    with pytest.raises(CheckFailed, match="a settled controller changes nothing"):
        settle_after_restart(world.lab, tribunal)


class Obedient:
    """A controller that cleans up as soon as it is told to."""

    def __init__(self, world: World, *, leaves: str = "") -> None:
        self._world = world
        self._leaves = leaves

    def __call__(self, entry: Entry) -> None:
        world = self._world
        if isinstance(entry, StepEntry) and self._leaves != "load balancer":
            world.balancers()
            world.service({"metadata": {"finalizers": None}})
        if isinstance(entry, StepEntry) and self._leaves != "routes":
            world.routes()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracles, "CONVERGENCE_S", 0.0)


@pytest.mark.usefixtures("impatient")
def test_after_everything_is_deleted_the_account_is_as_before(world: World, tribunal: Tribunal) -> None:
    world.lab.journal.judge(Obedient(world))
    delete_everything(world.lab, tribunal)
    assert world.asked == [
        ("delete", "v1", "Service", "default/web"),
        ("terminate_instance", "node-1"),
        ("delete", "v1", "Node", "node-1.internal"),
        ("terminate_instance", "node-2"),
        ("delete", "v1", "Node", "node-2.internal"),
        ("stop",),
        ("terminate_instance", "node-1", ("purge", True)),
        ("terminate_instance", "node-2", ("purge", True)),
    ]


@pytest.mark.usefixtures("impatient")
def test_routes_of_deleted_nodes_have_to_go(world: World, tribunal: Tribunal) -> None:
    world.lab.journal.judge(Obedient(world, leaves="routes"))
    with pytest.raises(CheckFailed, match="routes of deleted nodes go away"):
        delete_everything(world.lab, tribunal)


@pytest.mark.usefixtures("impatient")
def test_what_is_left_in_the_account_is_a_leak(world: World, tribunal: Tribunal) -> None:
    world.lab.journal.judge(Obedient(world))
    world.cloud.held["group/sg-9"] = {}
    with pytest.raises(CheckFailed) as failed:
        delete_everything(world.lab, tribunal)
    failure = failed.value.failure
    assert (failure.oracle, failure.step) == ("nothing is left behind", "deletion and leak check")
    assert "group/sg-9 is left" in failure.observation.observed


def test_a_deleted_service_that_holds_its_finalizer_is_not_gone(world: World) -> None:
    observation = services_gone(world.lab)
    assert (observation.met, observation.subject) == (False, "v1/Service default/web")
    world.service({"metadata": {"finalizers": None}})
    assert services_gone(world.lab).met


# Known issues.


def with_issue() -> World:
    issue = KnownIssue(
        name="rewrites",
        component="ccm",
        versions=[">=1"],
        repeats=["elb:ModifyLoadBalancerAttributes"],
        reference="here",
    )
    return World(known_issues=(issue,))


def test_a_write_that_a_known_issue_explains_breaks_no_quiet() -> None:
    world = with_issue()
    world.lab.journal.append(call("elb:ModifyLoadBalancerAttributes"))
    assert Quiet(0).observe(world.lab).met
    world.lab.journal.append(call("elb:DeleteLoadBalancer"))
    assert not Quiet(0).observe(world.lab).met


def test_a_known_issue_that_no_longer_shows_has_to_go() -> None:
    world = with_issue()
    assert not known_repeats(world.lab, 0).met
    assert "rewrites (here)" in known_repeats(world.lab, 0).observed
    world.lab.journal.append(call("elb:ModifyLoadBalancerAttributes"))
    assert known_repeats(world.lab, 0).met
    assert not known_repeats(world.lab, world.lab.journal.mark()).met


def test_without_a_load_balancer_no_known_issue_has_to_show() -> None:
    world = with_issue()
    world.state.held["Service"].clear()
    assert known_repeats(world.lab, 0).met
