"""Waiting: the one place where the harness waits for a condition.

A wait is woken by the journal (every cloud call and every change of a watched object) instead of polling at a fixed
rate, has a bound always, and returns the last observation: it never decides what a miss means.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

RECHECK_S_MAX = 0.5
"""Longest pause between two looks, for what changes without an event (a process that ends, moto's own life cycles)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What one look at the world saw."""

    met: bool
    """Whether it is what was expected."""
    subject: str
    """The thing looked at, as kubectl or the cloud names it."""
    expected: str
    """What was expected, in words."""
    observed: str
    """What was there, in words."""


class Changes(Protocol):
    """Something that can be waited on for the next change."""

    def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """Block until there are more than `seen` changes or `timeout_s` have passed; return how many there are."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Waited:
    """How a wait ended."""

    observation: Observation
    """The last one."""
    looks: int
    """How often the condition was evaluated."""
    elapsed_s: float
    """Seconds from the first look to the last."""


def until(
    look: Callable[[], Observation],
    *,
    within_s: float,
    changes: Changes,
    give_up: Callable[[], Any] | None = None,
) -> Waited:
    """Look again after every change until the observation is met or `within_s` seconds have passed.

    `give_up` is called before each look and may raise to end the wait (a component that has exited).
    """
    started = time.monotonic()
    seen = 0
    looks = 0
    while True:
        if give_up is not None:
            give_up()
        observation = look()
        looks += 1
        elapsed_s = time.monotonic() - started
        if observation.met or elapsed_s >= within_s:
            return Waited(observation=observation, looks=looks, elapsed_s=elapsed_s)
        seen = changes.wait_for_change(seen, min(RECHECK_S_MAX, within_s - elapsed_s))


def pause(seconds: float) -> None:
    """Let wall time pass: for a scenario that asks for it and for start-up probes of processes without a signal."""
    time.sleep(seconds)
