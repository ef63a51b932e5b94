"""The pytest plugin: options, and the hooks that tie scenarios to pytest.

What costs time to import is imported when a scenario is collected, so that a repository which has none pays nothing.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from ..errors import UsageError
from .fixtures import open_lab
from .items import MutantFile, ScenarioFailed, ScenarioFile, ScenarioItem
from .session import MUTANTS, SEED, ensure_binaries, is_named, names_scenarios, scenario_folders, selection
from .verdicts import VerdictTable

__all__ = ["open_lab"]


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
        "--retain", action="store_true", help="keep the lab of a scenario that fails until you press Ctrl-C"
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


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect scenario files under the configured paths; no other YAML is opened."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    if not any(file_path.is_relative_to(folder) for folder in scenario_folders(parent.config)):
        return None
    if file_path.name == MUTANTS:
        return MutantFile.from_parent(parent, path=file_path) if is_named(parent.config, file_path) else None
    from ..scenario.model import is_scenario_file

    return ScenarioFile.from_parent(parent, path=file_path) if is_scenario_file(file_path) else None


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
    if any(names_scenarios(config, argument) for argument in config.args):
        ensure_binaries(config)


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
