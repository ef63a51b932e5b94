"""`python -m harness bench`: measures the harness against its peers and prints one table."""

from __future__ import annotations

import argparse

NAME = "bench"
SUMMARY = "measure the harness against its peers, in one run"
DESCRIPTION = """\
Control planes are started in turn, ours and the bare programs, and compared pair by pair; scenarios are run by pytest
as a user runs them. Takes a few minutes; let the machine rest meanwhile. Only ratios mean anything on another machine.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="how often each side is started (default: 5)")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; raises HarnessError when something does not start."""
    from .table import measure

    measure(arguments.pairs)
    return 0
