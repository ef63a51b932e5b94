"""What holds after every scenario, whatever its author wrote.

The controller comes to rest; one that is restarted re-reads what it owns and changes nothing; and deletion leaves the
account as it was before the steps.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Mapping

from ..checks.account import AsBefore
from ..checks.services import FINALIZER, load_balancer_services
from ..cluster.kube import object_name
from ..journal import CloudCallEntry, ClusterCallEntry
from ..known_issues import repeated_operations
from ..lab import Lab
from ..wait import Observation
from .bounds import CONVERGENCE_S, QUIET_PERIODS
from .tribunal import Tribunal, demand_within

UNTOUCHED_RESOURCES = ("leases", "events", "serviceaccounts")
"""Writes of a settled controller that count as nothing: it renews its lease and tells what it does."""


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
