"""The pytest plugin: scenario files as items, options, fixtures, and the table at the end.

The only module that knows pytest. What costs time to import is imported when a scenario is collected, so that a
repository which has none pays nothing.
"""

from __future__ import annotations

import random
import shlex
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .errors import BinaryNotFound, HarnessError, UsageError

if TYPE_CHECKING:
    from .components import Binaries
    from .controllers.profile import ControllerProfile
    from .engine.mutants import Mutant
    from .engine.outcome import Outcome
    from .known_issues import KnownIssue
    from .lab import Lab
    from .report import Row
    from .sandbox import Sandbox
    from .scenario.model import Scenario
    from .selection import ControllerChoice, Selection

SHIPPED = Path(__file__).with_name("scenarios")
"""Where an installed wheel has the scenarios (in a checkout they are the folder beside `harness`)."""

MUTANTS = "mutants.yaml"
"""Name of the table of mutants; it is collected only when it is named on the command line."""

SELECTION = pytest.StashKey["Selection"]()
BINARIES = pytest.StashKey["Binaries"]()
SANDBOX = pytest.StashKey["Sandbox"]()
SEED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare options and settings."""
    group = parser.getgroup("cloud provider harness")
    group.addoption(
        "--cloud", action="append", default=[], metavar="NAME", help="run on this fake cloud only (repeatable)"
    )
    group.addoption(
        "--controller",
        action="append",
        default=[],
        metavar="CLOUD=VERSION|PATH",
        help="run this controller: a release such as aws=1.34.3, or your own build such as aws=./ccm (repeatable)",
    )
    group.addoption(
        "--cluster", default="local", choices=["local"], help="where the control plane comes from (default: local)"
    )
    group.addoption(
        "--seed", type=int, default=None, metavar="N", help="seed of everything drawn (default: a new one, printed)"
    )
    group.addoption(
        "--retain", action="store_true", help="keep the lab of the first scenario that fails until you press Ctrl-C"
    )
    group.addoption(
        "--artifacts",
        type=Path,
        default=None,
        metavar="DIR",
        help="where failed scenarios leave logs and state (default: .artifacts)",
    )
    parser.addini("scenario_paths", "folders and files that hold scenarios", type="args", default=["scenarios"])
    parser.addini("known_issues", "files of known issues of your own, one a line", type="linelist", default=[])
    parser.addini("controller_profiles", "profiles of your own: CLOUD=FILE, one a line", type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed, register markers, check options."""
    seed = config.getoption("--seed")
    worker = getattr(config, "workerinput", None)
    config.stash[SEED] = (
        worker["harness_seed"] if worker else (seed if seed is not None else random.SystemRandom().randrange(10**6))
    )
    if worker is None:
        config.pluginmanager.register(VerdictTable(), "harness-verdicts")
    config.addinivalue_line(
        "markers", "scenario: a scenario file; further markers are its cloud, topic, variant and behaviour"
    )
    if config.getoption("--retain") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--retain keeps one lab to look into: run it without -n")
    if any(config.getoption(name) for name in ("--cloud", "--controller")):
        try:
            selection(config)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give every worker of pytest-xdist the seed."""
    node.workerinput["harness_seed"] = node.config.stash[SEED]


def pytest_report_header(config: pytest.Config) -> str:
    """Show the seed, which repeats a run."""
    return f"cloud provider harness: seed {config.stash[SEED]}"


# Collection


def scenario_folders(config: pytest.Config) -> list[Path]:
    """Return every path under which scenarios are looked for."""
    return [config.rootpath / path for path in config.getini("scenario_paths")] + [SHIPPED]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect scenario files under the configured paths; no other YAML is opened."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    if not any(file_path.is_relative_to(folder) for folder in scenario_folders(parent.config)):
        return None
    if file_path.name == MUTANTS:
        return MutantFile.from_parent(parent, path=file_path) if _is_named(parent.config, file_path) else None
    from .scenario.model import is_scenario_file

    return ScenarioFile.from_parent(parent, path=file_path) if is_scenario_file(file_path) else None


def _is_named(config: pytest.Config, path: Path) -> bool:
    return any(
        (config.invocation_params.dir / argument.partition("::")[0]).absolute() == path for argument in config.args
    )


def selection(config: pytest.Config) -> Selection:
    """Return what the session runs, read once."""
    if SELECTION not in config.stash:
        from .selection import select

        config.stash[SELECTION] = select(
            config.getoption("--cloud"),
            config.getoption("--controller"),
            config.getini("controller_profiles"),
            config.getini("known_issues"),
            config.rootpath,
        )
    return config.stash[SELECTION]


class ScenarioFile(pytest.File):
    """A scenario file: one item for each controller, combination of its matrix, and kind of load balancer."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the items."""
        from .scenario.model import load_scenarios

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
        from .engine.run import run
        from .lab import Lab, LabSpec

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
        box = sandbox(self.config)
        lab = Lab(spec, box, box.folder / f"lab-{len(list(box.folder.iterdir()))}")
        try:
            outcome = run(self.scenario, lab, self.path.parent, self.mutant)
            self._tell(outcome, box.isolation.level)
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
        from .report import keep

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
        from .engine.mutants import load_mutants
        from .scenario.model import is_scenario_file, load_scenarios

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


def artifacts(config: pytest.Config) -> Path:
    """Return the folder for what failed scenarios leave."""
    given: Path | None = config.getoption("--artifacts")
    return given.absolute() if given else config.rootpath / ".artifacts"


def retain(config: pytest.Config, lab: Lab, failure: str) -> None:
    """Print how to look inside, and wait until the user has looked."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        out = config.get_terminal_writer()
        out.line()
        out.line(failure)
        out.line("the lab is kept; look inside with:", bold=True)
        admin = lab.write_admin_kubeconfig()
        look = [*lab.sandbox.enter_command(), "kubectl", f"--kubeconfig={admin}", "get", "nodes,services"]
        out.line(f"  {shlex.join(look)}")
        out.line(f"  tail -f {lab.folder}/*.log")
        out.line("press Ctrl-C to delete it")
        try:
            while True:
                lab.journal.wait_for_change(sys.maxsize, 3600)
        except KeyboardInterrupt:
            out.line("deleting the lab")


# Session


def binaries(config: pytest.Config) -> Binaries:
    """Return the binaries, found or built once a session."""
    if BINARIES not in config.stash:
        from .components import Binaries

        config.stash[BINARIES] = Binaries()
    return config.stash[BINARIES]


def sandbox(config: pytest.Config) -> Sandbox:
    """Return the sandbox of this process, opened at first use and proven by its canary."""
    if SANDBOX not in config.stash:
        from .sandbox import Sandbox

        config.stash[SANDBOX] = Sandbox.open()
        config.add_cleanup(config.stash[SANDBOX].close)
    return config.stash[SANDBOX]


def ensure_binaries(config: pytest.Config) -> None:
    """Find or build everything that the selected controllers need, with progress on the terminal."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        try:
            selection(config).check_paths()
            binaries(config).ensure(selection(config).wanted())
        except (UsageError, BinaryNotFound) as error:
            raise pytest.UsageError(str(error)) from None
        except HarnessError as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what is missing before the first scenario starts (without pytest-xdist)."""
    config = session.config
    if config.getoption("collectonly") or hasattr(config, "workerinput"):
        return
    if any(isinstance(item, ScenarioItem) for item in session.items):
        ensure_binaries(config)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Build what is missing before the workers of pytest-xdist start, when the command line names scenarios."""
    config = session.config
    if not config.getoption("numprocesses", None) or hasattr(config, "workerinput") or config.getoption("collectonly"):
        return
    if any(_names_scenarios(config, argument) for argument in config.args):
        ensure_binaries(config)


def _names_scenarios(config: pytest.Config, argument: str) -> bool:
    if config.getoption("pyargs", False) and argument.partition("::")[0].replace("/", ".").startswith(
        "harness.scenarios"
    ):
        return True
    path = (config.invocation_params.dir / argument.partition("::")[0]).absolute()
    folders = [folder for folder in scenario_folders(config) if folder.exists()]
    return any(path.is_relative_to(folder) or folder.is_relative_to(path) for folder in folders)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Report the harness's own faults as errors (E): failures (F) are the controller's."""
    report = yield
    verdicts = (ScenarioFailed, pytest.skip.Exception, pytest.xfail.Exception)
    is_fault = call.excinfo is not None and not call.excinfo.errisinstance(verdicts)
    if isinstance(item, ScenarioItem) and is_fault and call.when != "teardown":
        item.judge("error")
        report.when = "setup"
        report.user_properties = list(item.user_properties)
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Give verdicts that are no test result a word of their own."""
    verdict = dict(report.user_properties).get("verdict") if hasattr(report, "user_properties") else None
    if report.skipped and verdict in ("unsupported", "not run"):
        return str(verdict), "u" if verdict == "unsupported" else "n", str(verdict).upper()
    if report.skipped and verdict == "known issue":
        return "xfailed", "x", "KNOWN ISSUE"
    return None


class VerdictTable:
    """Collects every verdict in the process that has the terminal, and prints the table at the end."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._notes: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the verdict of a scenario."""
        facts: dict[str, Any] = dict(report.user_properties)
        if "verdict" not in facts or report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        from .report import Row

        row = Row(
            behaviour=facts["behaviour"], column=facts["column"], verdict=facts["verdict"], elapsed_s=report.duration
        )
        self._rows.append(row)
        self._notes.update(f"note: {text}" for name, text in report.user_properties if name == "note")
        if "isolation" in facts:
            self._notes.add(f"components were kept in by: {facts['isolation']}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table."""
        if not self._rows:
            return
        from .report import table

        terminalreporter.section("verdicts")
        for line in [*table(self._rows), "", *sorted(self._notes)]:
            terminalreporter.write_line(line)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail a run in which no scenario ran: green would mean nothing."""
        idle = self._rows and all(row.verdict in ("unsupported", "not run") for row in self._rows)
        if exitstatus == pytest.ExitCode.OK and idle:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


# Fixtures, for tests in Python


@pytest.fixture
def open_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Open labs that end with the test, by calling it with `cloud`, `nodes`, `variant` and `facts_from`.

    The controller is not started: `lab.controller.start()` does.
    """
    from .lab import Lab, LabSpec
    from .scenario.topology import Topology

    config = request.config
    opened = ExitStack()

    def open_one(*, cloud: str = "aws", nodes: int = 0, variant: str | None = None, facts_from: str = "config") -> Lab:
        chosen = selection(config)
        choice = next((choice for choice in chosen.choices if choice.cloud == cloud), None)
        if choice is None:
            pytest.skip(f"--cloud and --controller leave out {cloud}")
        ensure_binaries(config)
        spec = LabSpec(
            cloud=cloud,
            profile=chosen.profiles[cloud],
            binaries=chosen.paths(choice, binaries(config)),
            topology=Topology(nodes=nodes),
            variant=variant,
            facts_from=facts_from,
            seed=config.stash[SEED],
        )
        box = sandbox(config)
        lab = Lab(spec, box, box.folder / f"lab-{len(list(box.folder.iterdir()))}")
        opened.callback(lab.close)
        lab.open(tmp_path)
        for node in spec.topology.node_specs:
            lab.add_node(node)
        return lab

    with opened:
        yield open_one
