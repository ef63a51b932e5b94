"""The README's tables say what the registries and the scenario files say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.actions import ACTIONS
from harness.checks import CHECKS, key_of
from harness.scenario.model import ENGINE_STEPS, is_scenario_file, load_scenarios

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

pytestmark = pytest.mark.skipif(not README.exists(), reason="an installed package has no README")


def summary(item: type) -> str:
    text = " ".join((item.__doc__ or "").split())
    return text.partition(". ")[0].removesuffix(".")


def scenario_rows() -> list[str]:
    scenarios = [
        load_scenarios(path)[0][1] for path in sorted((ROOT / "scenarios").rglob("*/*.yaml")) if is_scenario_file(path)
    ]
    scenarios.sort(key=lambda scenario: (scenario.spec.behaviour[0], int(scenario.spec.behaviour[1:])))
    rows = [f"| {one.spec.behaviour} | `{one.metadata.name}` | {one.metadata.description} |" for one in scenarios]
    return ["| | scenario | holds when |", "|---|---|---|", *rows]


def step_rows() -> list[str]:
    steps = sorted([*ACTIONS, *ENGINE_STEPS], key=lambda entry: entry[0])
    return ["| step | does |", "|---|---|", *(f"| `{key}` | {summary(step)} |" for key, step in steps)]


def check_rows() -> list[str]:
    rows = [f"| `{key_of(check)}` | {summary(check)} |" for check in CHECKS]
    return ["| check | is met when |", "|---|---|", *rows]


@pytest.mark.parametrize(("name", "rows"), [("scenarios", scenario_rows), ("steps", step_rows), ("checks", check_rows)])
def test_table_is_fresh(name: str, rows: Callable[[], list[str]]) -> None:
    expected = "\n".join(rows())
    found = re.search(rf"<!-- table: {name} -->\n(.*?)\n?<!-- end -->", README.read_text(), re.DOTALL)
    assert found is not None, f"the README has no place for the table of {name}"
    assert found[1] == expected, f"put this between the marks of table {name}:\n{expected}"


def test_every_command_of_the_readme_is_an_environment_of_tox() -> None:
    environments = set(re.findall(r"^\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text(), re.MULTILINE))
    named = {name for names in re.findall(r"tox run -e ([\w,]+)", README.read_text()) for name in names.split(",")}
    assert named <= environments
