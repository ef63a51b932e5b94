"""The tribunal: judges every entry of the journal as it arrives.

Always: no live node is deleted, nobody else's resources are touched, the controller does not crash. And whatever the
scenario demands to hold. The first violation is kept, with its evidence, and ends the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import HarnessError
from ..journal import CloudCallEntry, ClusterCallEntry, Entry
from ..lab import Lab
from ..wait import Observation, until
from .evidence import HARNESS_CALLER, evidence
from .outcome import CheckFailed, Failure


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
        except HarnessError as fault:
            self._fault = self._fault or fault
            return
        except Exception as fault:  # in the thread of whoever appended the entry: kept for the engine's to raise
            self._fault = self._fault or HarnessError(f"{oracle} could not be judged: {type(fault).__name__}: {fault}")
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
