"""`python -m harness schema`: prints, writes or checks the JSON Schema of scenario files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import HarnessError, UsageError

NAME = "schema"
SUMMARY = "print the JSON Schema of scenario files, for editors"
DESCRIPTION = """\
Editors with a YAML language server complete and check scenario files whose first line is
  # yaml-language-server: $schema=../scenario.schema.json
Without an option: print the schema.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `schema`."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--write", type=Path, metavar="FILE", help="write the schema to a file")
    choice.add_argument("--check", type=Path, metavar="FILE", help="say whether a file is the present schema")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed arguments say; return 1 for a stale file, raise HarnessError or UsageError."""
    from .schema import render

    text = render()
    if arguments.write is not None:
        _write(arguments.write, text)
    elif arguments.check is not None:
        return _check(arguments.check, text)
    else:
        sys.stdout.write(text)
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror}") from None


def _check(path: Path, text: str) -> int:
    try:
        is_current = path.read_text() == text
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if not is_current:
        sys.stdout.write(f"{path}:1: not the present schema (python -m harness schema --write {path})\n")
    return 0 if is_current else 1
