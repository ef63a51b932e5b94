"""What a run leaves for people: the folder of a failed scenario and the table of verdicts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from .cluster.watch import WATCHED
from .engine.outcome import Outcome
from .lab import Lab

KEPT_SUFFIXES = (".log", ".conf", ".json")
"""Files of a lab that a reader needs; kubeconfigs and keys are not among them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One run of one scenario, as the table shows it."""

    behaviour: str
    """Number and name, such as `N1 node-initialised`."""
    column: str
    """Controller and variant."""
    verdict: str
    """The verdict's word."""
    elapsed_s: float
    """Seconds."""


def keep(lab: Lab, outcome: Outcome, folder: Path) -> None:
    """Write journal, logs, and the final state of cloud and cluster into a folder, in place of an earlier run's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    (folder / "outcome.txt").write_text(f"{outcome.verdict}\n\n{outcome.failure or outcome.error or ''}\n")
    lab.journal.write(folder / "journal.jsonl")
    for path in sorted(lab.folder.rglob("*")):
        if path.suffix in KEPT_SUFFIXES and path.is_file():
            shutil.copyfile(path, folder / path.name)
    _write_json(folder / "cloud-before.json", getattr(lab, "baseline", {}))
    if hasattr(lab, "cloud"):
        _write_json(folder / "cloud-after.json", lab.cloud.snapshot())
    if hasattr(lab, "state"):
        with (folder / "cluster.yaml").open("w") as file:
            YAML(typ="safe").dump_all([item for _, kind in WATCHED for item in lab.state.all(kind)], file)


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, sort_keys=True, default=str) + "\n")


def table(rows: Sequence[Row]) -> list[str]:
    """Return the verdicts as lines: a row a behaviour, a column a controller and variant."""
    columns = list(dict.fromkeys(row.column for row in rows))
    behaviours = sorted({row.behaviour for row in rows}, key=_natural)
    cells = {(row.behaviour, row.column): f"{row.verdict} {row.elapsed_s:.0f}s" for row in rows}
    header = ["behaviour", *columns]
    body = [[behaviour, *(cells.get((behaviour, column), "") for column in columns)] for behaviour in behaviours]
    widths = [max(len(line[index]) for line in [header, *body]) for index in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [header, *body]
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _natural(behaviour: str) -> tuple[str, int, str]:
    number, _, name = behaviour.partition(" ")
    return number[:1], int(number[1:] or 0), name
