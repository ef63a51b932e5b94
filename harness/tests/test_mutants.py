"""The table of mutants: every scenario has one for each of its kinds of load balancer, and rows say one thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakeclouds.rules import Hide, Ignore, Refuse
from harness.controllers.profile import load_profile
from harness.engine.mutants import Mutant, MutantRule, load_mutants
from harness.scenario.model import Scenario, is_scenario_file, load_scenarios

SCENARIOS = Path(__file__).parents[2] / "scenarios"

pytestmark = pytest.mark.skipif(not SCENARIOS.exists(), reason="an installed package has its scenarios elsewhere")


def scenarios() -> list[Scenario]:
    paths = [path for path in sorted(SCENARIOS.rglob("*/*.yaml")) if is_scenario_file(path)]
    return [scenario for path in paths for _, scenario in load_scenarios(path)]


def test_every_scenario_has_a_mutant_for_each_kind_of_load_balancer() -> None:
    variants = load_profile("aws").spec.load_balancer_variants
    table = load_mutants(SCENARIOS / "mutants.yaml")
    missing = [
        f"{scenario.metadata.name} {variant or ''}".strip()
        for scenario in scenarios()
        for variant in (variants if scenario.is_about_load_balancers else [None])
        if not any(
            mutant.scenario == scenario.metadata.name and (not mutant.variants or variant in mutant.variants)
            for mutant in table
        )
    ]
    assert missing == []


def test_every_mutant_names_a_scenario_that_there_is() -> None:
    names = {scenario.metadata.name for scenario in scenarios()}
    assert {mutant.scenario for mutant in load_mutants(SCENARIOS / "mutants.yaml")} <= names


def test_a_mutant_breaks_one_thing() -> None:
    with pytest.raises(ValueError, match="breaks one thing"):
        Mutant.model_validate({"scenario": "a", "turnsRed": "b"})
    with pytest.raises(ValueError, match="breaks one thing"):
        Mutant.model_validate(
            {"scenario": "a", "turnsRed": "b", "arguments": ["-x"], "rules": [{"operation": "c", "action": "hide"}]}
        )


@pytest.mark.parametrize(("action", "expected"), [("hide", Hide), ("ignore", Ignore), ("refuse", Refuse)])
def test_a_rule_is_felt_by_controllers_alone(action: str, expected: type) -> None:
    rule = MutantRule.model_validate({"operation": "ec2:CreateRoute", "action": action}).rule()
    assert isinstance(rule.action, expected)
    assert rule.matches(operation="ec2:CreateRoute", caller="aws-cloud-controller-manager#1", resource="")
    assert not rule.matches(operation="ec2:CreateRoute", caller="test", resource="")


def test_sabotage_happens_after_its_step_alone() -> None:
    mutant = Mutant.model_validate(
        {"scenario": "a", "turnsRed": "b", "sabotage": {"after": 2, "do": [{"mark": {}}]}},
    )
    assert [len(mutant.sabotage_after(number)) for number in (1, 2, 3)] == [0, 1, 0]
