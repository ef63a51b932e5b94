"""Scenario files and mutants as pytest items, and how an outcome becomes pytest's."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import HarnessError
from .session import SEED, artifacts, binaries, new_lab, retain, selection

if TYPE_CHECKING:
    from ..controllers.profile import ControllerProfile
    from ..engine.mutants import Mutant
    from ..engine.outcome import Outcome
    from ..known_issues import KnownIssue
    from ..lab import Lab
    from ..scenario.model import Scenario
    from ..selection import ControllerChoice


class ScenarioFile(pytest.File):
    """A scenario file: one item for each controller, combination of its matrix, and kind of load balancer."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the items."""
        from ..scenario.model import load_scenarios

        scenarios = load_scenarios(self.path)
        chosen = selection(self.config)
        for choice in chosen.choices:
            profile = chosen.profiles[choice.cloud]
            for label, scenario in scenarios:
                for variant in _variants(scenario, profile):
                    controller = f"{choice.cloud}@{choice.label}" if choice.label else choice.cloud
                    name = "-".join(filter(None, [controller, variant, label]))
                    yield ScenarioItem.from_parent(
                        self, name=name, scenario=scenario, choice=choice, variant=variant, label=label
                    )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what is wrong with the file, not where the harness noticed."""
        return str(excinfo.value) if isinstance(excinfo.value, HarnessError) else super().repr_failure(excinfo)


class ScenarioItem(pytest.Item):
    """One run of one scenario."""

    def __init__(
        self,
        *,
        scenario: Scenario,
        choice: ControllerChoice,
        variant: str | None,
        label: str = "",
        mutant: Mutant | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mutant = mutant
        self.label = label
        self.scenario = scenario
        self.choice = choice
        self.variant = variant
        controller = choice.version or (choice.path.name if choice.path else "")
        self.user_properties += [
            ("behaviour", " ".join(filter(None, [scenario.spec.behaviour, scenario.metadata.name, label]))),
            ("column", " ".join(filter(None, [choice.cloud, controller, variant]))),
        ]
        self.extra_keyword_matches.add(scenario.metadata.name)
        for marker in ("scenario", choice.cloud, self.path.parent.name, variant, scenario.spec.behaviour):
            if marker:
                self.add_marker(pytest.mark.__getattr__(_marker(self.config, marker)))

    def setup(self) -> None:
        """Say why it cannot run here. What can go wrong belongs to `runtest`, whose errors pytest lets us show."""
        profile = selection(self.config).profiles[self.choice.cloud]
        missing: list[str] = [name for name in self.scenario.spec.features if name not in profile.spec.features]
        if self.scenario.is_about_load_balancers and self.variant is None:
            missing += self.scenario.spec.variants or ["load balancer variant"]
        if missing:
            self.judge("unsupported")
            pytest.skip(f"unsupported: {profile.metadata.name} declares no {', '.join(missing)}")

    def runtest(self) -> None:
        """Run the scenario; raises ScenarioFailed or ScenarioErred."""
        from ..engine.run import run
        from ..lab import LabSpec

        chosen = selection(self.config)
        spec = LabSpec(
            cloud=self.choice.cloud,
            profile=chosen.profiles[self.choice.cloud],
            binaries=chosen.paths(self.choice, binaries(self.config)),
            topology=self.scenario.spec.topology,
            variant=self.variant,
            facts_from=self.scenario.spec.controller.facts_from,
            seed=self.config.stash[SEED],
            known_issues=chosen.issues(self.choice, self.variant),
            controller_arguments=tuple(self.mutant.arguments) if self.mutant else (),
        )
        lab = new_lab(self.config, spec)
        try:
            outcome = run(self.scenario, lab, self.path.parent, self.mutant)
            self._tell(outcome, lab.sandbox.isolation.level)
            self._raise(
                outcome, lab, [issue for issue in spec.known_issues if issue.fails(self.scenario.metadata.name)]
            )
        except (ScenarioFailed, ScenarioErred) as error:
            if self.config.getoption("--retain") and hasattr(lab, "controller"):  # it opened
                retain(self.config, lab, str(error))
            raise
        finally:
            lab.close()

    def judge(self, verdict: str) -> None:
        """Set the verdict, in place of an earlier one."""
        others = [entry for entry in self.user_properties if entry[0] != "verdict"]
        self.user_properties[:] = [*others, ("verdict", verdict)]

    def _tell(self, outcome: Outcome, isolation: str) -> None:
        """Put what is worth knowing into the report, and so into the table and the JUnit XML."""
        self.judge(str(outcome.verdict))
        self.user_properties += [
            *((f"seconds: {phase}", round(seconds, 2)) for phase, seconds in outcome.phases_s.items()),
            ("memory: lab MB", round(outcome.lab_rss_bytes / 1e6)),
            ("isolation", str(isolation)),
            *(("note", note) for note in outcome.notes),
        ]

    def _raise(self, outcome: Outcome, lab: Lab, issues: list[KnownIssue]) -> None:
        """Turn the outcome into pytest's: known issues are strict expected failures."""
        from ..report import keep

        if outcome.failure is None and outcome.error is None:
            # A build without a release number may be the one that fixes the issue.
            if issues and self.choice.version is not None:
                self.judge("fail")
                raise ScenarioFailed(
                    f"passes, but has the known issue {issues[0]}: if it is fixed, its entry has to go"
                )
            return
        folder = artifacts(self.config) / _file_name(self.nodeid)
        keep(lab, outcome, folder)
        if outcome.error is not None:
            before = f"\nbefore that: {outcome.failure}" if outcome.failure else ""
            raise ScenarioErred(f"{outcome.error}{before}\n{self._again(folder)}")
        for issue in issues:
            if issue.explains(str(outcome.failure)):
                self.judge("known issue")
                pytest.xfail(f"known issue {issue}\n{outcome.failure}\n{self._again(folder)}")
        raise ScenarioFailed(f"{self.choice.title}: {outcome.failure}\n{self._again(folder)}")

    def _again(self, folder: Path) -> str:
        options = [word for text in self.config.getoption("--controller") for word in ("--controller", text)]
        command = shlex.join(["pytest", *self._selectors(), "--seed", str(self.config.stash[SEED]), *options])
        kept = "journal.jsonl, component logs, cluster.yaml, cloud-after.json"
        return f"  again     {command}\n  kept      {folder}/ ({kept})"

    def _selectors(self) -> list[str]:
        """Return arguments of pytest that select this item: outside the repository its id is no path."""
        if self.path.is_relative_to(self.config.rootpath):
            return [self.nodeid]
        words = filter(None, [self.scenario.metadata.name, self.variant, self.label])
        return ["--pyargs", "harness.scenarios", "-k", " and ".join(words)]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the failure as a reader needs it; a traceback only for what nobody foresaw."""
        if isinstance(excinfo.value, HarnessError | ScenarioFailed):
            return str(excinfo.value)
        excinfo.traceback = excinfo.traceback.cut(path=__file__)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the item by file and run."""
        return self.path, None, f"{self.scenario.metadata.name} [{self.name}]"


class MutantFile(pytest.File):
    """The table of mutants: an item for each row and each run of its scenario, which must turn red."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the items."""
        from ..engine.mutants import load_mutants
        from ..scenario.model import is_scenario_file, load_scenarios

        beside = [path for path in sorted(self.path.parent.rglob("*.yaml")) if path != self.path]
        files = [path for path in beside if is_scenario_file(path)]
        scenarios = {scenario.metadata.name: scenario for path in files for _, scenario in load_scenarios(path)}
        choice = selection(self.config).choices[0]
        profile = selection(self.config).profiles[choice.cloud]
        for mutant in load_mutants(self.path):
            scenario = scenarios[mutant.scenario]
            known = profile.spec.load_balancer_variants
            for variant in (mutant.variants or known) if scenario.is_about_load_balancers else [None]:
                name = "-".join(filter(None, [mutant.scenario, choice.cloud, variant]))
                yield MutantItem.from_parent(
                    self, name=name, scenario=scenario, choice=choice, variant=variant, mutant=mutant
                )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what is wrong with the file."""
        return str(excinfo.value) if isinstance(excinfo.value, HarnessError) else super().repr_failure(excinfo)


class MutantItem(ScenarioItem):
    """One scenario with its behaviour broken: it passes when the right check turns red."""

    def _raise(self, outcome: Outcome, lab: Lab, issues: list[KnownIssue]) -> None:
        """Turn the outcome round."""
        turns_red = self.mutant.turns_red if self.mutant else ""
        if outcome.failure is not None and outcome.error is None and outcome.failure.oracle == turns_red:
            self.judge("seen red")
            return
        if outcome.error is not None:
            super()._raise(outcome, lab, [])
        self.judge("not seen red")
        seen = f"{outcome.failure.oracle!r} did:\n{outcome.failure}" if outcome.failure else "nothing did"
        raise ScenarioFailed(f"{turns_red!r} should have turned red, but {seen}")


class ScenarioFailed(AssertionError):
    """The controller under test is at fault."""


class ScenarioErred(HarnessError):
    """The harness or this machine is at fault: the verdict says nothing about the controller."""


def _variants(scenario: Scenario, profile: ControllerProfile) -> Sequence[str | None]:
    """Return the kinds of load balancer that a scenario runs once for, or None once."""
    wanted = scenario.spec.variants
    offered = profile.spec.load_balancer_variants if scenario.is_about_load_balancers else []
    return [name for name in offered if wanted is None or name in wanted] or [None]


def _marker(config: pytest.Config, text: str) -> str:
    name = "".join(character if character.isalnum() else "_" for character in text).lower()
    line = f"{name}: scenarios of this cloud, topic, variant or behaviour"
    if line not in config.getini("markers"):
        config.addinivalue_line("markers", line)
    return name


def _file_name(nodeid: str) -> str:
    return "".join(character if character.isalnum() or character in "-._@" else "_" for character in nodeid)
