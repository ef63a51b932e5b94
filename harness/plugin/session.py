"""What one pytest session holds: the selection, the binaries, the sandbox, and where scenarios are."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..errors import BinaryNotFound, HarnessError, UsageError

if TYPE_CHECKING:
    from ..components import Binaries
    from ..lab import Lab, LabSpec
    from ..sandbox import Sandbox
    from ..selection import Selection

SHIPPED = Path(__file__).parents[1] / "scenarios"
"""Where an installed wheel has the scenarios (in a checkout they are the folder beside `harness`)."""

MUTANTS = "mutants.yaml"
"""Name of the table of mutants; it is collected only when it is named on the command line."""

SELECTION = pytest.StashKey["Selection"]()
BINARIES = pytest.StashKey["Binaries"]()
SANDBOX = pytest.StashKey["Sandbox"]()
SEED = pytest.StashKey[int]()


def scenario_folders(config: pytest.Config) -> list[Path]:
    """Return every path under which scenarios are looked for."""
    return [config.rootpath / path for path in config.getini("scenario_paths")] + [SHIPPED]


def is_named(config: pytest.Config, path: Path) -> bool:
    """Whether the command line, or the setting `testpaths`, names a file."""
    return any(
        (config.invocation_params.dir / argument.partition("::")[0]).absolute() == path for argument in config.args
    )


def names_scenarios(config: pytest.Config, argument: str) -> bool:
    """Whether an argument of the command line leads to scenarios."""
    if config.getoption("pyargs", False) and argument.partition("::")[0].replace("/", ".").startswith(
        "harness.scenarios"
    ):
        return True
    path = (config.invocation_params.dir / argument.partition("::")[0]).absolute()
    folders = [folder for folder in scenario_folders(config) if folder.exists()]
    return any(path.is_relative_to(folder) or folder.is_relative_to(path) for folder in folders)


def selection(config: pytest.Config) -> Selection:
    """Return what the session runs, read once."""
    if SELECTION not in config.stash:
        from ..selection import select

        config.stash[SELECTION] = select(
            config.getoption("--cloud"),
            config.getoption("--controller"),
            config.getini("controller_profiles"),
            config.getini("known_issues"),
            config.rootpath,
        )
    return config.stash[SELECTION]


def binaries(config: pytest.Config) -> Binaries:
    """Return the binaries, found or built once a session."""
    if BINARIES not in config.stash:
        from ..components import Binaries

        config.stash[BINARIES] = Binaries()
    return config.stash[BINARIES]


def sandbox(config: pytest.Config) -> Sandbox:
    """Return the sandbox of this process, opened at first use and proven by its canary."""
    if SANDBOX not in config.stash:
        from ..sandbox import Sandbox

        config.stash[SANDBOX] = Sandbox.open()
        config.add_cleanup(config.stash[SANDBOX].close)
    return config.stash[SANDBOX]


def new_lab(config: pytest.Config, spec: LabSpec) -> Lab:
    """Return a lab, not yet open, with a folder of its own in the sandbox."""
    from ..lab import Lab

    box = sandbox(config)
    return Lab(spec, box, box.folder / f"lab-{len(list(box.folder.iterdir()))}")


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
