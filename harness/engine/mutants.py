"""Mutants: the behaviour of a scenario broken on purpose, so that the scenario is seen red for the right reason.

A mutant is a rule of the fake cloud's front door, flags that take a loop out of the controller, or sabotage: an action
performed behind the controller's back after a step. The committed table holds one for every scenario.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from fakeclouds.rules import Action as RuleAction
from fakeclouds.rules import Hide, Ignore, Refuse, Rule

from ..actions import ACTIONS, Action
from ..scenario.load import read_document
from ..scenario.model import OneKey, one_of
from ..scenario.strict import Strict

if TYPE_CHECKING:
    ActionEntry = OneKey
else:
    ActionEntry = one_of("ActionEntry", "One action.", OneKey, ACTIONS)


class MutantRule(Strict):
    """A rule of the front door that lasts for the whole run."""

    operation: str
    """Operations it is about, with wildcards."""
    action: Literal["hide", "ignore", "refuse"]
    """Answer a read with nothing; acknowledge a write without effect; refuse with an error."""
    code: str = "ServiceUnavailable"
    """Error code of a refusal."""

    def rule(self) -> Rule:
        """Return the front door's rule; only controllers feel it."""
        actions: dict[str, RuleAction] = {
            "hide": Hide(),
            "ignore": Ignore(),
            "refuse": Refuse(code=self.code, status=503),
        }
        return Rule(operation=self.operation, caller="*#*", action=actions[self.action])


class Sabotage(Strict):
    """Actions behind the controller's back."""

    after: int = Field(ge=1)
    """Number of the step after which they happen."""
    do: list[ActionEntry] = Field(min_length=1)
    """The actions."""


class Mutant(Strict):
    """One way to break a scenario's behaviour."""

    scenario: str
    """The scenario's name."""
    variants: list[str] = []
    """Kinds of load balancer that it is for; all by default."""
    cloud: str = "aws"
    """The cloud that it is for."""
    arguments: list[str] = []
    """Further flags of the controller."""
    rules: list[MutantRule] = []
    """Rules of the front door."""
    sabotage: Sabotage | None = None
    """Actions behind the controller's back."""
    turns_red: str
    """The check that has to fail."""

    @model_validator(mode="after")
    def _one_way(self) -> Mutant:
        if sum(map(bool, (self.arguments, self.rules, self.sabotage))) != 1:
            raise ValueError("a mutant breaks one thing: give one of arguments, rules and sabotage")
        return self

    def sabotage_after(self, number: int) -> Sequence[Action]:
        """Return the actions that happen after a step."""
        if self.sabotage is None or self.sabotage.after != number:
            return ()
        return [entry.chosen[1] for entry in self.sabotage.do]


class MutantTable(Strict):
    """The table's rows."""

    mutants: list[Mutant] = Field(min_length=1)
    """The mutants."""


class Mutants(Strict):
    """A file of mutants."""

    api_version: Literal["harness/v1alpha1"]
    """Version of this format."""
    kind: Literal["Mutants"]
    """Always Mutants."""
    spec: MutantTable
    """The table."""


def load_mutants(path: Path) -> list[Mutant]:
    """Return the rows of a table; raises DocumentError with every problem."""
    return read_document(path).validate(Mutants).spec.mutants
