"""The run of one scenario: steps, then what always holds, then the verdict. The only place with control flow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from httpx2 import TransportError
from lightkube import ApiError

from ..actions import Action
from ..checks.calls import Calls
from ..errors import HarnessError
from ..journal import CloudCallEntry
from ..lab import Lab
from ..scenario.model import Always, Budget, Eventually, Hold, Scenario
from ..wait import Observation
from .mutants import Mutant
from .oracles import converge, delete_everything, settle_after_restart
from .outcome import CheckFailed, Outcome, Verdict
from .tribunal import Tribunal, demand_within


class Stopwatch:
    """Where the seconds of a run went."""

    def __init__(self) -> None:
        self.phases_s: dict[str, float] = {}
        self.started = time.monotonic()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.phases_s[name] = self.phases_s.get(name, 0.0) + time.monotonic() - started


def run(scenario: Scenario, lab: Lab, scenario_folder: Path, mutant: Mutant | None = None) -> Outcome:
    """Open the lab, run the scenario in it and say what came of it; the lab stays open for whoever wants to look.

    A mutant breaks the behaviour on purpose, to see the scenario turn red.

    Controller faults become `fail`, everything else that goes wrong becomes `error`: nothing is raised but what ends
    the whole session.
    """
    watch = Stopwatch()
    tribunal: Tribunal | None = None
    verdict, failure, error, rss_bytes = Verdict.PASS, None, None, 0
    try:
        with watch.phase("lab"):
            lab.open(scenario_folder)
        tribunal = Tribunal(lab)
        for rule in mutant.rules if mutant else ():
            lab.cloud.rules.add(rule.rule())
        with watch.phase("controller"):
            for node in scenario.spec.topology.node_specs:
                lab.add_node(node)
            if scenario.spec.controller.started:
                lab.controller.start()
        with watch.phase("steps"):
            for number, step in enumerate(scenario.spec.steps, start=1):
                perform(number, step, lab, tribunal)
                for sabotage in mutant.sabotage_after(number) if mutant else ():
                    sabotage.perform(lab)
        tribunal.release()
        with watch.phase("convergence"):
            converge(lab, tribunal)
        with watch.phase("restart and quiet"):
            settle_after_restart(lab, tribunal)
        rss_bytes = resident_bytes(lab)
        with watch.phase("deletion and leak check"):
            delete_everything(lab, tribunal)
    except CheckFailed as raised:
        verdict, failure = Verdict.FAIL, raised.failure
    except HarnessError as raised:
        verdict, error = Verdict.ERROR, str(raised)
    except (ApiError, OSError, TransportError) as raised:
        verdict, error = Verdict.ERROR, harness_fault(lab) or f"{type(raised).__name__}: {raised}"
    finally:
        if tribunal is not None:
            tribunal.close()
    if verdict is Verdict.FAIL and (broken := harness_fault(lab)):
        verdict, error = Verdict.ERROR, broken
    return Outcome(
        verdict=verdict,
        elapsed_s=time.monotonic() - watch.started,
        phases_s=watch.phases_s,
        failure=failure,
        error=error,
        notes=notes(lab),
        lab_rss_bytes=rss_bytes,
    )


def perform(number: int, step: Any, lab: Lab, tribunal: Tribunal) -> None:
    """Perform one step; raises CheckFailed when a check of it is not met."""
    key, operation = step.chosen
    title = f"step {number}: {step.name or describe(key, operation)}"
    tribunal.enter(title)
    lab.journal.step(title)
    if isinstance(operation, Action):
        operation.perform(lab)
    elif isinstance(operation, Eventually):
        meet_all(lab, tribunal, title, operation)
    elif isinstance(operation, Hold):
        demands = [(f"hold {name}", check) for name, check in (entry.chosen for entry in operation.checks)]
        tribunal.hold(demands, operation.for_.seconds)
    elif isinstance(operation, Always):
        for name, check in (entry.chosen for entry in operation.checks):
            tribunal.demand(f"always {name}", check)
    elif isinstance(operation, Budget):
        tribunal.demand("budget", Calls.model_validate({"operation": operation.operation, "atMost": operation.at_most}))
    tribunal.raise_violation()


def meet_all(lab: Lab, tribunal: Tribunal, title: str, operation: Eventually) -> None:
    """Wait until every check is met in one look; raises CheckFailed for the first that is not."""
    checks = [entry.chosen for entry in operation.checks]
    missed = checks[0][0]

    def look() -> Observation:
        nonlocal missed
        for name, check in checks:
            observation: Observation = check.observe(lab)
            if not observation.met:
                missed = name
                return observation
        return observation

    demand_within(lab, tribunal, lambda: missed, title, look, operation.within.seconds)


def describe(key: str, operation: Any) -> str:
    """Say what a step without a name does."""
    if isinstance(operation, Action):
        return f"{key} {operation.tell()}".strip()
    if isinstance(operation, Budget):
        return f"budget {operation.operation} at most {operation.at_most}"
    return f"{key} {', '.join(entry.chosen[0] for entry in operation.checks)}"


def harness_fault(lab: Lab) -> str | None:
    """Return why a failure cannot be held against the controller, if so."""
    try:
        lab.health()
    except HarnessError as raised:
        return str(raised)
    except AttributeError:
        return None  # the lab never opened: whatever was raised says why
    return None


def notes(lab: Lab) -> tuple[str, ...]:
    """Return what a reader should know whatever the verdict."""
    unread: dict[str, set[str]] = {}
    for entry in lab.journal.of(CloudCallEntry):
        if entry.call.unread:
            unread.setdefault(entry.call.name, set()).update(entry.call.unread)
    return tuple(
        f"the fake ignored {', '.join(sorted(parameters))} of {name}" for name, parameters in sorted(unread.items())
    )


def resident_bytes(lab: Lab) -> int:
    """Return the resident memory of the lab's child processes."""
    processes = [*lab.control_plane.processes.values(), lab.nodes.process, lab.controller.process]
    total = 0
    for process in processes:
        if process is not None:
            total += psutil.Process(process.pid).memory_info().rss
    return total
