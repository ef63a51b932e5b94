"""A run that starts nothing: its scenario's name says what comes of it, so that the plugin is tested alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness.components
import harness.engine.run
import harness.report
import harness.sandbox
import harness.selection
from harness.engine.mutants import Mutant
from harness.engine.outcome import Failure, Outcome, Verdict
from harness.errors import ComponentExited
from harness.lab import Lab
from harness.processes import Isolation, IsolationLevel
from harness.scenario.model import Scenario
from harness.wait import Observation

FAILURE = Failure(
    oracle="nodeInitialised",
    step="step 1: eventually nodeInitialised",
    observation=Observation(met=False, subject="v1/Node a", expected="initialised", observed="no such Node"),
    bound="30.0 s, 7 looks",
    evidence=("+  1.00s  ec2:DescribeInstances",),
)


class FakeSandbox:
    """A folder."""

    escapes = ()
    isolation = Isolation(level=IsolationLevel.NETWORK_NAMESPACE, reason="", namespaces=())

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)

    def close(self) -> None:
        self._temporary.cleanup()

    def enter_command(self) -> list[str]:
        return ["enter"]


def run(scenario: Scenario, lab: Lab, scenario_folder: Path, mutant: Mutant | None = None) -> Outcome:
    """Return or raise what the scenario's name says."""
    name = scenario.metadata.name
    if name == "crash":
        raise RuntimeError("a bug of ours")
    if name == "retained":
        lab.controller = None  # type: ignore[assignment] # it opened
    if name in ("fail", "retained"):
        return Outcome(verdict=Verdict.FAIL, elapsed_s=1.0, failure=FAILURE, phases_s={"lab": 0.5})
    if name == "error":
        return Outcome(verdict=Verdict.ERROR, elapsed_s=1.0, error="etcd exited with 1", failure=FAILURE)
    seed = f"the seed is {lab.spec.seed}"
    return Outcome(verdict=Verdict.PASS, elapsed_s=1.0, notes=(seed,), lab_rss_bytes=300_000_000)


def broken_sandbox() -> FakeSandbox:
    """Fail as a sandbox does whose canary got out."""
    raise ComponentExited("a component can reach the internet")


def install(replace: Callable[[object, str, Any], None]) -> None:
    """Replace what starts processes and looks for binaries; `replace` is `setattr` or that of a monkeypatch."""
    replace(harness.engine.run, "run", run)
    replace(harness.sandbox.Sandbox, "open", FakeSandbox)
    replace(harness.selection.Selection, "paths", lambda selection, choice, binaries: {})
    replace(harness.components.Binaries, "ensure", lambda binaries, wanted: {})
