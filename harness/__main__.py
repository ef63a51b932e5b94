"""`python -m harness`: everything that is no test run. Scenarios and tests are run by pytest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Protocol

from .benchmarks import command_line as bench
from .components import command_line as binaries
from .errors import HarnessError, UsageError
from .scenario import command_line_lint as lint
from .scenario import command_line_schema as schema


class Subcommand(Protocol):
    """What a module offers to be a subcommand."""

    NAME: str
    """The word on the command line."""
    SUMMARY: str
    """One line for `python -m harness --help`."""
    DESCRIPTION: str
    """The text of its own `--help`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; return the exit code, raise UsageError or HarnessError."""
        ...


SUBCOMMANDS: tuple[Subcommand, ...] = (bench, binaries, lint, schema)
"""Every subcommand, by name. A new one is a module and a word here."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns 0 when it succeeded, 1 when the harness or this machine is at fault, 2 when the invocation is, as
    argparse.
    """
    parser = argparse.ArgumentParser(
        prog="python -m harness",
        description="What is no test run. Scenarios and tests are run by pytest: see the README.",
    )
    subparsers = parser.add_subparsers(dest="subcommand", required=True, title="subcommands")
    for subcommand in SUBCOMMANDS:
        subparser = subparsers.add_parser(
            subcommand.NAME,
            help=subcommand.SUMMARY,
            description=subcommand.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        subcommand.add_arguments(subparser)
        subparser.set_defaults(run=subcommand.run)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except HarnessError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
