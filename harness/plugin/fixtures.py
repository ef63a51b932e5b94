"""Fixtures for people who write their tests in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .session import SEED, binaries, ensure_binaries, new_lab, selection

if TYPE_CHECKING:
    from ..lab import Lab


@pytest.fixture
def open_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Open labs that end with the test, by calling it with `cloud`, `nodes`, `variant` and `facts_from`.

    The controller is not started: `lab.controller.start()` does.
    """
    from ..lab import LabSpec
    from ..scenario.topology import Topology

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
        lab = new_lab(config, spec)
        opened.callback(lab.close)
        lab.open(tmp_path)
        for node in spec.topology.node_specs:
            lab.add_node(node)
        return lab

    with opened:
        yield open_one
