"""`python -m harness binaries`: lists and builds the binaries that scenarios run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from ..errors import UsageError
from .assets import ASSETS_VARIABLE, KUBEBUILDER_VARIABLE
from .binaries import Binaries, Listing, Wanted, parse_wanted
from .cache import CACHE_VARIABLE
from .registry import COMPONENTS, is_version

NAME = "binaries"
SUMMARY = "list the binaries that scenarios run, or build those that are missing"
DESCRIPTION = f"""\
A binary is looked for in this order:
  1. given to pytest: --controller CLOUD=PATH
  2. the folders that {ASSETS_VARIABLE} and {KUBEBUILDER_VARIABLE} name, then PATH
  3. the cache; {CACHE_VARIABLE} names another folder for it
  4. built from its pinned Go module
  5. downloaded, where there is no Go and a checksum is pinned
Without list or build: list.
"""

_WANTED_HELP = "component, with @VERSION for another than the default version"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments below `binaries`."""
    actions = parser.add_subparsers(dest="action", title="actions")
    listing = actions.add_parser("list", help="what is there: version, origin, digest, path")
    listing.add_argument("wanted", nargs="*", metavar="NAME[@VERSION]", help=_WANTED_HELP)
    building = actions.add_parser("build", help="make what is missing; the default versions of all, if none is named")
    building.add_argument("wanted", nargs="*", metavar="NAME[@VERSION]", help=_WANTED_HELP)
    building.add_argument("--all", action="store_true", help="every pinned version of what is named, or of all")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed arguments say; return the exit code, raise HarnessError or UsageError."""
    wanted = [parse_wanted(text) for text in getattr(arguments, "wanted", [])]
    if arguments.action == "build":
        _build(wanted, every_version=arguments.all)
    else:
        _list(wanted)
    return 0


def _build(wanted: list[Wanted], *, every_version: bool) -> None:
    requests = wanted or [(component.name, None) for component in COMPONENTS]
    if every_version:
        if any(version is not None for _, version in wanted):
            raise UsageError("--all builds every version: name components without @VERSION beside it")
        names = {name for name, _ in requests}
        requests = [
            (component.name, release.version if release != component.releases[0] else None)
            for component in COMPONENTS
            if component.name in names
            for release in component.releases
        ]
    built = Binaries().ensure(requests)
    _write_table(
        [binary.name, binary.version, binary.origin, binary.digest[:12], str(binary.path)] for binary in built.values()
    )


def _list(wanted: list[Wanted]) -> None:
    listings = [listing for listing in Binaries().list() if not wanted or any(_fits(listing, each) for each in wanted)]
    if not listings:
        raise UsageError(f"no such version is pinned: {', '.join(f'{name}@{version}' for name, version in wanted)}")
    _write_table(_row(listing) for listing in listings)
    for reason in dict.fromkeys(reason for listing in listings for reason in listing.passed_over):
        sys.stdout.write(f"passed over: {reason}\n")


def _fits(listing: Listing, wanted: Wanted) -> bool:
    name, version = wanted
    release = listing.release
    return release.component.name == name and (version is None or is_version(release.version, version))


def _row(listing: Listing) -> list[str]:
    release, binary = listing.release, listing.binary
    if binary is not None:
        return [binary.name, binary.version, binary.origin, binary.digest[:12], str(binary.path)]
    name = release.component.name
    target = name if listing.is_default else f"{name}@{release.version}"
    return [name, release.version, "-", "-", f"not built (python -m harness binaries build {target})"]


def _write_table(rows: Iterable[list[str]]) -> None:
    """Write aligned columns that a terminal may wrap and `grep` can read."""
    table = [["NAME", "VERSION", "ORIGIN", "SHA-256", "PATH"], *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
