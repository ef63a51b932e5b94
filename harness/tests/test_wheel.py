"""The wheel: what it carries, and that a provider's repository runs the shipped scenarios with it and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.components import Binaries

pytestmark = pytest.mark.needs_binaries

REPOSITORY = Path(__file__).parents[2]
BOUND_S = 600.0


def run(command: Sequence[str | Path], folder: Path, bound_s: float = BOUND_S) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of this checkout on its path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=bound_s,
        check=False,
    )


def succeed(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command that must succeed; return its output."""
    result = run(command, folder)
    assert result.returncode == 0, f"{result.stdout[-5000:]}\n{result.stderr[-5000:]}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    succeed([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY], REPOSITORY)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, and what it asks for, into a fresh environment; return its folder of programs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    succeed([folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", wheel], folder)
    return folder / "bin"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that holds no Python and YAML of other kinds, one of them broken."""
    for path, text in {
        "deploy/broken.yaml": "a: [",
        "deploy/service.yaml": "kind: Service\n",
        "scenarios/values.yaml": "replicas: 2\n",
        "scenarios/pods.yaml": "kind: Pod\n---\nkind: Pod\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture(scope="module")
def controller(request: pytest.FixtureRequest) -> Path:
    """The controller binary that the session was given, or the default release."""
    for text in request.config.getoption("--controller"):
        cloud, _, value = text.partition("=")
        if cloud == "aws" and Path(value).is_file():
            return Path(value).absolute()
    return Binaries().get("aws-cloud-controller-manager").path


def test_the_wheel_carries_scenarios_build_modules_and_data_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        entry_points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "[pytest11]\nharness.plugin = harness.plugin\n" in archive.read(entry_points).decode()
    scenarios = {f"harness/{path.relative_to(REPOSITORY)}" for path in REPOSITORY.glob("scenarios/*/*.yaml")}
    modules = {str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("harness/components/*/go.*")}
    assert scenarios
    assert modules
    data = {
        "fakeclouds/aws/controller.yaml",
        "fakeclouds/py.typed",
        "harness/cluster/kubelet-stages.yaml",
        "harness/processes/supervisor/__main__.py",
        "harness/py.typed",
        "harness/scenarios/scenario.schema.json",
    }
    assert sorted((scenarios | modules | data) - names) == []
    assert [name for name in sorted(names) if re.search(r"(^|/)(tests|__pycache__)/|conftest|\.pyc$", name)] == []
    assert {name.partition("/")[0] for name in names} == {"fakeclouds", "harness"}


def test_an_installed_wheel_collects_the_shipped_scenarios_and_no_other_yaml(
    environment: Path, repository: Path
) -> None:
    program = str(environment / "pytest")
    command = [program, "-p", "no:cacheprovider", "--pyargs", "harness.scenarios", "--collect-only", "-q"]
    ids = [line for line in succeed(command, repository).splitlines() if "::" in line]
    assert "node/initialised.yaml::aws" in ids
    shipped = {f"{path.parent.name}/{path.name}" for path in REPOSITORY.glob("scenarios/*/*.yaml")}
    assert {name.partition("::")[0] for name in ids} == shipped
    (repository / "conftest.py").write_text('pytest_plugins = ["harness.plugin"]\n')
    again = [line for line in succeed(command, repository).splitlines() if "::" in line]
    assert again == ids, "the plugin is registered once, however it is asked for"
    nothing = run([program, "-p", "no:cacheprovider"], repository)
    assert nothing.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, nothing.stdout


def test_an_installed_wheel_runs_a_shipped_scenario_with_a_controller_given_by_its_path(
    environment: Path, repository: Path, controller: Path
) -> None:
    before = sorted(repository.rglob("*"))
    shown = succeed(
        [
            *(environment / "pytest", "-p", "no:cacheprovider", "--pyargs", "harness.scenarios"),
            *("-k", "node-initialised", f"--controller=aws={controller}", "--artifacts=kept"),
        ],
        repository,
    )
    assert re.search(r"^=+ 1 passed, \d+ deselected in ", shown, re.MULTILINE), shown
    assert re.search(rf"^behaviour +aws {re.escape(controller.name)}$", shown, re.MULTILINE)
    assert re.search(r"^N1 node-initialised +pass \d+s$", shown, re.MULTILINE)
    assert sorted(repository.rglob("*")) == before, "a run that passes leaves nothing behind"
