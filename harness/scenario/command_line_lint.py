"""`python -m harness lint`: says everything that is wrong with scenario files, without running them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from .load import Problem

NAME = "lint"
SUMMARY = "check scenario files without running them"
DESCRIPTION = """\
Prints every problem of every file as compilers do, FILE:LINE: MESSAGE, and ends with 1 if there is any.
A folder means the scenario files (kind: Scenario) in it and below; other YAML is left alone.
"""

SUFFIXES = (".yaml", ".yml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is checked."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|FOLDER", help="scenario files, or their folders")


def run(arguments: argparse.Namespace) -> int:
    """Print all problems or that there are none; return 1 if any, raise UsageError for a path that is not there."""
    from .load import DocumentError
    from .model import load_scenarios

    files = scenario_files(arguments.paths)
    problems: list[Problem] = []
    count = 0
    for path in files:
        try:
            count += len(load_scenarios(path))
        except DocumentError as error:
            problems += error.problems
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    if problems:
        wrong = len({problem.path for problem in problems})
        sys.stdout.write(f"{_count(len(problems), 'problem')} in {wrong} of {_count(len(files), 'file')}\n")
        return 1
    sys.stdout.write(f"{_count(count, 'scenario')} in {_count(len(files), 'file')}, no problems\n")
    return 0


def scenario_files(paths: Sequence[Path]) -> list[Path]:
    """Return every file named and every scenario file below the folders named, each once.

    Raises UsageError for a path that does not exist and for a folder without a scenario.
    """
    return list(dict.fromkeys(file for path in paths for file in _files(path)))


def _files(path: Path) -> Iterator[Path]:
    from .model import is_scenario_file

    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if not path.is_dir():
        yield path
        return
    candidates = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    found = [file for file in candidates if is_scenario_file(file)]
    if not found:
        raise UsageError(f"{path} holds no scenario: no YAML file in it says kind: Scenario")
    yield from found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
