"""What holds in every scenario, whatever its author wrote.

Judges watch every entry of the journal: no live node is deleted, no decoy is touched. After the steps: a restarted
controller re-reads what it owns and changes nothing, and deletion leaves the account as it was before the steps.
"""

from __future__ import annotations

import fnmatch
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..checks.account import AsBefore
from ..checks.services import FINALIZER, load_balancer_services
from ..cluster.kube import object_name
from ..errors import HarnessError
from ..journal import CloudCallEntry, ClusterCallEntry, Entry
from ..known_issues import repeated_operations
from ..lab import Lab
from ..wait import Observation, until
from .bounds import CONVERGENCE_S, QUIET_PERIODS
from .evidence import evidence
from .outcome import CheckFailed, Failure

HARNESS_CALLER = "test"
"""Who the harness is in the journal when it calls the cloud's own API."""

UNTOUCHED_RESOURCES = ("leases", "events", "serviceaccounts")
"""Writes of a settled controller that count as nothing: it renews its lease and tells what it does."""


class Tribunal:
    """Judges that look at every entry as it arrives; the first violation is kept and ends the run."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._lock = threading.Lock()
        self._violation: Failure | None = None
        self._fault: HarnessError | None = None
        self._step = "start"
        self._standing: list[tuple[str, Any]] = []
        self._end = lab.journal.judge(self._judge)

    def close(self) -> None:
        """Stop judging."""
        self._end()

    def enter(self, step: str) -> None:
        """Name the step that violations from now on happened in."""
        self._step = step

    def demand(self, oracle: str, check: Any) -> None:
        """From now on the check must be met whenever anything changes."""
        self._standing.append((oracle, check))
        self._look(oracle, check)

    def release(self) -> None:
        """Drop the scenario's own standing demands: its steps are over."""
        self._standing.clear()

    def hold(self, demands: Sequence[tuple[str, Any]], seconds: float) -> None:
        """For a time every check must be met whenever anything changes."""
        self._standing += demands
        for oracle, check in demands:
            self._look(oracle, check)
        until(
            lambda: Observation(met=False, subject="", expected="", observed=""),
            within_s=seconds,
            changes=self._lab.journal,
            give_up=self.raise_violation,
        )
        for demand in demands:
            self._standing.remove(demand)
        self.raise_violation()

    def raise_violation(self) -> None:
        """Raise CheckFailed when anything was violated, or whatever the lab's health is."""
        if self._fault is not None:
            raise self._fault
        if self._violation is not None:
            raise CheckFailed(self._violation)
        controller_health(self._lab, self._step)
        self._lab.health()

    def _judge(self, entry: Entry) -> None:
        if self._violation is not None:
            return
        if isinstance(entry, ClusterCallEntry):
            self._live_node_deleted(entry)
        elif isinstance(entry, CloudCallEntry):
            if entry.call.caller == HARNESS_CALLER:
                return  # a check's own question must not be the occasion to ask it again
            self._decoy_touched(entry)
        for oracle, check in tuple(self._standing):
            self._look(oracle, check)

    def _look(self, oracle: str, check: Any) -> None:
        try:
            observation = check.observe(self._lab)
        except HarnessError as fault:  # raised in the thread of whoever appended the entry: kept for the engine's
            self._fault = self._fault or fault
            return
        if not observation.met:
            self._violate(oracle, observation, "at every change")

    def _live_node_deleted(self, entry: ClusterCallEntry) -> None:
        lab = self._lab
        if entry.verb != "delete" or entry.resource != "nodes" or entry.user not in lab.spec.profile.users:
            return
        if entry.status < 300 and entry.name in lab.live_node_names():
            self._violate(
                "no live node is deleted",
                Observation(
                    met=False,
                    subject=f"v1/Node {entry.name}",
                    expected="kept: its instance is running",
                    observed=f"deleted by {entry.user}",
                ),
                "at every call",
            )

    def _decoy_touched(self, entry: CloudCallEntry) -> None:
        call = entry.call
        touched = call.mutating and call.status < 400
        if touched and any(decoy.partition("/")[2] == call.resource for decoy in self._lab.decoys):
            self._violate(
                "nobody else's resources are touched",
                Observation(
                    met=False,
                    subject=call.resource,
                    expected="untouched: it belongs to somebody else",
                    observed=f"{call.name} by {call.caller}",
                ),
                "at every call",
            )

    def _violate(self, oracle: str, observation: Observation, bound: str) -> None:
        with self._lock:
            if self._violation is None:
                lab = self._lab
                self._violation = Failure(
                    oracle=oracle,
                    step=self._step,
                    observation=observation,
                    bound=bound,
                    evidence=evidence(lab.journal, lab.spec.profile.users, observation.subject),
                )


def controller_health(lab: Lab, step: str) -> None:
    """Raise CheckFailed when the controller has ended by itself: a controller must not crash."""
    process = lab.controller.process
    code = process.poll() if process is not None else None
    if process is None or code is None:
        return
    observation = Observation(
        met=False,
        subject=f"process {lab.controller.caller}",
        expected="running",
        observed=(f"killed by signal {-code}" if code < 0 else f"exited with {code}")
        + f"; its last lines:\n{process.log_tail(30)}",
    )
    raise CheckFailed(
        Failure(
            oracle="the controller does not crash",
            step=step,
            observation=observation,
            bound="throughout",
            evidence=evidence(lab.journal, lab.spec.profile.users, observation.subject),
        )
    )


def demand_within(
    lab: Lab,
    tribunal: Tribunal,
    oracle: str | Callable[[], str],
    step: str,
    look: Callable[[], Observation],
    within_s: float,
) -> None:
    """Wait for an observation; raise CheckFailed with the evidence when it is not met in time."""
    waited = until(look, within_s=within_s, changes=lab.journal, give_up=tribunal.raise_violation)
    tribunal.raise_violation()
    if not waited.observation.met:
        raise CheckFailed(
            Failure(
                oracle=oracle if isinstance(oracle, str) else oracle(),
                step=step,
                observation=waited.observation,
                bound=f"{waited.elapsed_s:.1f} s, {waited.looks} looks",
                evidence=evidence(lab.journal, lab.spec.profile.users, waited.observation.subject),
            )
        )


def converge(lab: Lab, tribunal: Tribunal) -> None:
    """Wait until the controller has changed nothing for one reconcile period; it must come to rest."""
    step = "convergence"
    tribunal.enter(step)
    lab.journal.step(step)
    period_s = lab.spec.profile.spec.reconcile_period.seconds

    begun_s = time.time()

    def look() -> Observation:
        # A period counts from here at the earliest: what the last step set off may not have begun yet.
        latest = [entry for entry in controller_writes(lab) if time.time() - entry.at_s < period_s]
        return Observation(
            met=not latest and time.time() - begun_s >= period_s,
            subject=f"process {lab.controller.caller}",
            expected=f"no write for {period_s:.0f} s",
            observed="; ".join(entry.line() for entry in latest[-3:]) or "none",
        )

    demand_within(lab, tribunal, "a controller comes to rest", step, look, CONVERGENCE_S)


def settle_after_restart(lab: Lab, tribunal: Tribunal) -> None:
    """Restart the controller: it must re-read what it owns, then change nothing for two reconcile periods."""
    step = "restart and quiet period"
    tribunal.enter(step)
    lab.journal.step(step)
    lab.controller.stop()
    restarted = lab.journal.mark()
    lab.controller.start()
    demand_within(
        lab,
        tribunal,
        "a restarted controller re-reads what it owns",
        step,
        lambda: reread(lab),
        CONVERGENCE_S,
    )
    quiet_s = QUIET_PERIODS * lab.spec.profile.spec.reconcile_period.seconds
    # Judged from the restart on: what it changes while it reads again is as needless as what it changes after.
    tribunal.hold([("a settled controller changes nothing", Quiet(restarted))], quiet_s)
    demand_within(lab, tribunal, "known issues show", step, lambda: known_repeats(lab, restarted), 0.0)


class Quiet:
    """No write by the controller since a position of the journal."""

    def __init__(self, mark: int) -> None:
        self._mark = mark

    def observe(self, lab: Lab) -> Observation:
        """Look for writes to the cloud and to the cluster."""
        known = repeated_operations(lab.spec.known_issues)
        found = [
            entry.line()
            for entry in controller_writes(lab, self._mark)
            if not (isinstance(entry, CloudCallEntry) and entry.call.name in known)
        ]
        return Observation(
            met=not found,
            subject=f"process {lab.controller.caller}",
            expected="no mutating cloud call and no write to the cluster: everything is as it should be",
            observed="; ".join(found[:4]) or "none",
        )


def known_repeats(lab: Lab, restarted: int) -> Observation:
    """Whether the writes that known issues explain have been seen since the restart: an issue that is gone must go."""
    known = repeated_operations(lab.spec.known_issues) if load_balancer_services(lab) else {}
    seen = {entry.call.name for entry in lab.controller_calls(mark=restarted)}
    gone = [str(issue) for operation, issue in known.items() if operation not in seen]
    return Observation(
        met=not gone,
        subject=f"process {lab.controller.caller}",
        expected="repeats the writes of its known issues: otherwise they are fixed, and their entries have to go",
        observed=f"not seen: {'; '.join(gone)}" if gone else "seen",
    )


def controller_writes(lab: Lab, mark: int = 0) -> list[CloudCallEntry | ClusterCallEntry]:
    """Return what the controller changed in the cloud and in the cluster, but for leases, events and its own tokens."""
    calls = [entry for entry in lab.controller_calls(mark=mark) if entry.call.mutating]
    writes = [
        entry
        for entry in lab.journal.of(ClusterCallEntry, mark)
        if entry.writes
        and entry.user in lab.spec.profile.users
        and entry.resource.partition("/")[0] not in UNTOUCHED_RESOURCES
    ]
    return [*calls, *writes]


def reread(lab: Lab) -> Observation:
    """Whether the present process has read, in the cloud, every kind of thing that it owns there."""
    caller = lab.controller.caller
    calls = [entry.call for entry in lab.journal.of(CloudCallEntry) if entry.call.caller == caller]
    missing = []
    reads = lab.cloud.reads()
    for kind, wanted in owned_kinds(lab).items():
        seen = {call.resource for call in calls if any(fnmatch.fnmatchcase(call.name, name) for name in reads[kind])}
        if len(seen) < min(wanted, 1) or (kind == "load-balancers" and len(seen) < wanted):
            missing.append(f"{kind} ({len(seen)} of {wanted})")
    return Observation(
        met=not missing,
        subject=f"process {caller}",
        expected="has read again what it owns",
        observed=f"not yet: {', '.join(missing)}" if missing else "has read everything",
    )


def owned_kinds(lab: Lab) -> Mapping[str, int]:
    """How many things of each kind the controller owns and must read: nodes, routes, load balancers."""
    owned = {"instances": len(lab.aliases), "load-balancers": len(load_balancer_services(lab))}
    if "routes" in lab.spec.profile.spec.features:
        owned["routes"] = sum(route.owned for route in lab.cloud.routes())
    return {kind: count for kind, count in owned.items() if count}


def delete_everything(lab: Lab, tribunal: Tribunal) -> None:
    """Delete Services and nodes; the account must come back to what it was before the steps."""
    step = "deletion and leak check"
    tribunal.enter(step)
    lab.journal.step(step)
    for service in lab.state.all("Service"):
        if service["spec"].get("type") == "LoadBalancer":
            lab.kube.delete("v1", "Service", object_name(service))
    demand_within(lab, tribunal, "deleted Services go away", step, lambda: services_gone(lab), CONVERGENCE_S)
    for alias in lab.aliases:
        # As a scale-down does: the instance goes with its Node. A route to a live instance that is no Node makes the
        # AWS route controller give up (cloud-provider-aws #627), which is a scenario's business, not this oracle's.
        lab.cloud.terminate_instance(alias)
        lab.kube.delete("v1", "Node", lab.node_name(alias))
    demand_within(lab, tribunal, "routes of deleted nodes go away", step, lambda: routes_gone(lab), CONVERGENCE_S)
    lab.controller.stop()
    for alias in sorted(lab.instances_added):
        lab.cloud.terminate_instance(alias, purge=True)
    demand_within(lab, tribunal, "nothing is left behind", step, lambda: AsBefore().observe(lab), 0.0)
    tribunal.raise_violation()


def services_gone(lab: Lab) -> Observation:
    """Whether no Service with a load balancer is left."""
    left = [service for service in lab.state.all("Service") if FINALIZER in service["metadata"].get("finalizers", [])]
    return Observation(
        met=not left,
        subject="v1/Service " + (", ".join(map(object_name, left)) or "all"),
        expected="gone once deleted",
        observed="still there, held by its finalizer" if left else "gone",
    )


def routes_gone(lab: Lab) -> Observation:
    """Whether no route of this cluster is left."""
    left = [route for route in lab.cloud.routes() if route.owned]
    return Observation(
        met=not left,
        subject="routes of this cluster",
        expected="none once their nodes are deleted",
        observed=", ".join(f"{route.destination} ({route.state})" for route in left) or "none",
    )
