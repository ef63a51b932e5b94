"""Fault rules: which calls get another answer than the cloud's own, and how often that happened.

Decides and counts; the front door carries a decision out.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuse:
    """Answer with an error in the cloud's own dialect; the call has no effect."""

    code: str
    """The vendor's error code."""

    message: str = "Refused by a rule of the fake cloud."
    """The text beside it."""

    status: int = 400
    """HTTP status of the reply, 400 to 599."""

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise ValueError(f"status {self.status} is no error: give one from 400 to 599")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignore:
    """Acknowledge a mutation and do nothing; only for operations whose success says no more than that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hide:
    """Answer a read with success and nothing in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delay:
    """Wait before the call takes effect; other calls go on meanwhile."""

    seconds: float
    """How long, in seconds."""

    def __post_init__(self) -> None:
        if not self.seconds >= 0:
            raise ValueError(f"a delay of {self.seconds} seconds cannot be kept: give 0 or more")


Action = Refuse | Ignore | Hide | Delay


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rule:
    """What happens to which calls; equal only to itself.

    Patterns are case-sensitive globs (`fnmatch`). Without `nth` and `times` every match fires; with `nth`
    alone only that one; with `times` as many from the `nth` (or the first) on.
    """

    operation: str
    """Glob over `service:Operation`, e.g. `elasticloadbalancing:Create*`."""

    action: Action
    """What to do."""

    caller: str = "*"
    """Glob over the name to which the access was issued."""

    resource: str = "*"
    """Glob over what the call is about, as `Call.resource` shows it."""

    nth: int | None = None
    """Position of the first match that fires, from 1."""

    times: int | None = None
    """How many matches in a row fire, from 1."""

    def __post_init__(self) -> None:
        for name, value in (("nth", self.nth), ("times", self.times)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value} never happens: count from 1")

    def matches(self, *, operation: str, caller: str, resource: str) -> bool:
        """Whether the rule is about such a call; `operation` as `service:Operation`."""
        return (
            fnmatchcase(operation, self.operation)
            and fnmatchcase(caller, self.caller)
            and fnmatchcase(resource, self.resource)
        )

    def fires_at(self, occurrence: int) -> bool:
        """Whether the match at this position, from 1, gets the action."""
        first = self.nth or 1
        if self.times is not None:
            return first <= occurrence < first + self.times
        return occurrence == first if self.nth is not None else True

    def __str__(self) -> str:
        where = "".join(
            f" {name}={value}" for name, value in (("caller", self.caller), ("resource", self.resource)) if value != "*"
        )
        when = "".join(
            f" {name}={value}" for name, value in (("nth", self.nth), ("times", self.times)) if value is not None
        )
        return f"{self.action} for {self.operation}{where}{when}"


class Vocabulary(Protocol):
    """What rules may speak about: the operations of one API."""

    @property
    def operations(self) -> Mapping[str, bool]:
        """Every known `service:Operation`, and whether it mutates."""

    def acknowledgeable(self, operation: str) -> bool:
        """Whether success of this `service:Operation` carries nothing, so that `Ignore` can fake it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What the rules say about one call."""

    delay_s: float = 0.0
    """The sum of all delays that fired, in seconds."""

    action: Refuse | Ignore | Hide | None = None
    """Who answers instead of the cloud; None: the cloud itself."""

    injected: str | None = None
    """The rules that fired, in their own words."""


@dataclass(slots=True)
class Tally:
    """How often one rule matched and fired."""

    matched: int = 0
    fired: int = 0


class Rules:
    """The rules of one cloud, in the order in which they were added. Safe to use from any thread.

    Every rule that matches a call counts it. All delays that fire add up; of the other actions the first one
    that fires answers, and those after it count the match without firing. Only known operations are counted.
    """

    vocabularies: tuple[Vocabulary, ...]
    """The APIs whose operations rules may name."""

    def __init__(self, *vocabularies: Vocabulary) -> None:
        self.vocabularies = vocabularies
        self._lock = threading.Lock()
        self._active: list[Rule] = []
        self._tallies: dict[Rule, Tally] = {}

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force, after those that are there, and return it.

        ValueError: no known operation matches (the nearest names are given), an operation cannot take the
        action, or this very rule was added before.
        """
        for operation, (vocabulary, mutating) in self._named_by(rule).items():
            if isinstance(rule.action, Ignore) and not vocabulary.acknowledgeable(operation):
                raise ValueError(
                    f"{rule}: the answer of {operation} carries more than an acknowledgement, so it cannot be"
                    " ignored; refuse it instead"
                )
            if isinstance(rule.action, Hide) and mutating:
                raise ValueError(f"{rule}: {operation} is no read, so there is nothing to hide; refuse or ignore it")
        with self._lock:
            if rule in self._tallies:
                raise ValueError(f"{rule}: added twice; write a second rule")
            self._tallies[rule] = Tally()
            self._active.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Take a rule out of force; its counts stay. KeyError: it is not in force."""
        with self._lock:
            if rule not in self._active:
                raise KeyError(f"not in force: {rule}")
            self._active.remove(rule)

    def clear(self) -> None:
        """Take every rule out of force; the counts stay."""
        with self._lock:
            self._active.clear()

    def matched(self, rule: Rule) -> int:
        """How many calls the rule matched while in force. KeyError: it was never added."""
        with self._lock:
            return self._tallies[rule].matched

    def fired(self, rule: Rule) -> int:
        """How many calls got the rule's action. KeyError: it was never added."""
        with self._lock:
            return self._tallies[rule].fired

    def unfired(self) -> tuple[Rule, ...]:
        """Every rule that was ever added and never fired, in force or not, in the order of addition."""
        with self._lock:
            return tuple(rule for rule, tally in self._tallies.items() if not tally.fired)

    def decide(self, *, operation: str, caller: str, resource: str) -> Decision:
        """Count the call against every rule in force and say what is to happen.

        `operation` as `service:Operation`.
        """
        delay_s, answer, fired = 0.0, None, []
        with self._lock:
            for rule in self._active:
                if not rule.matches(operation=operation, caller=caller, resource=resource):
                    continue
                tally = self._tallies[rule]
                tally.matched += 1
                if not rule.fires_at(tally.matched):
                    continue
                if isinstance(rule.action, Delay):
                    delay_s += rule.action.seconds
                elif answer is None:
                    answer = rule.action
                else:
                    continue
                tally.fired += 1
                fired.append(str(rule))
        return Decision(delay_s=delay_s, action=answer, injected="; ".join(fired) or None)

    def _named_by(self, rule: Rule) -> dict[str, tuple[Vocabulary, bool]]:
        """The known operations that the rule's glob matches. ValueError: none."""
        known = {
            operation: (vocabulary, mutating)
            for vocabulary in self.vocabularies
            for operation, mutating in vocabulary.operations.items()
        }
        named = {operation: entry for operation, entry in known.items() if fnmatchcase(operation, rule.operation)}
        if not named:
            raise ValueError(f"{rule}: no operation is called {rule.operation!r}{suggestion(rule.operation, known)}")
        return named


def suggestion(wanted: str, known: Iterable[str]) -> str:
    """The known names nearest to a wrong one, case aside, as the end of a sentence."""
    spelled = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wanted.lower().replace("*", ""), spelled, n=3, cutoff=0.5)
    return f"; near it: {', '.join(spelled[name] for name in near)}" if near else ""
