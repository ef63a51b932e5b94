"""Waiting: woken by changes, bounded always, and no opinion about a miss."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.wait import RECHECK_S_MAX, Observation, until


def seen(*, met: bool, observed: str = "") -> Observation:
    return Observation(met=met, subject="thing", expected="there", observed=observed)


class Clock:
    """Changes that come at given times; waiting for them is what lets the time pass."""

    def __init__(self, *changes_at_s: float) -> None:
        self.now_s = 1000.0
        self.changes_at_s = changes_at_s
        self.waits: list[tuple[int, float]] = []

    def monotonic(self) -> float:
        return self.now_s

    def wait_for_change(self, seen: int, timeout_s: float) -> int:
        self.waits.append((seen, timeout_s))
        end_s = self.now_s + timeout_s
        arrivals_s = [1000.0 + at_s for at_s in self.changes_at_s]
        if seen < len(arrivals_s):
            end_s = max(self.now_s, min(end_s, arrivals_s[seen]))
        self.now_s = end_s
        return sum(at_s <= self.now_s for at_s in arrivals_s)


@pytest.fixture
def clock_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Clock]:
    def make(*changes_at_s: float) -> Clock:
        clock = Clock(*changes_at_s)
        monkeypatch.setattr("harness.wait.time.monotonic", clock.monotonic)
        return clock

    return make


def test_what_is_met_already_is_looked_at_once_and_not_waited_for(clock_of: Callable[..., Clock]) -> None:
    clock = clock_of()
    waited = until(lambda: seen(met=True), within_s=10, changes=clock)
    assert (waited.observation.met, waited.looks, waited.elapsed_s, clock.waits) == (True, 1, 0.0, [])


def test_a_change_wakes_the_wait_at_once(clock_of: Callable[..., Clock]) -> None:
    clock = clock_of(0.2)
    waited = until(lambda: seen(met=clock.now_s >= 1000.2), within_s=10, changes=clock)
    assert waited.observation.met
    assert waited.elapsed_s == pytest.approx(0.2)


def test_a_change_between_the_look_and_the_wait_is_not_slept_through(clock_of: Callable[..., Clock]) -> None:
    clock = clock_of(0.0)
    until(lambda: seen(met=len(clock.waits) > 0), within_s=10, changes=clock)
    assert clock.now_s == 1000.0


def test_what_changes_without_an_event_is_seen_after_half_a_second(clock_of: Callable[..., Clock]) -> None:
    clock = clock_of()
    waited = until(lambda: seen(met=clock.now_s > 1000.0), within_s=10, changes=clock)
    assert waited.elapsed_s == RECHECK_S_MAX


def test_a_miss_returns_the_last_observation_and_the_number_of_looks(clock_of: Callable[..., Clock]) -> None:
    clock = clock_of()
    waited = until(lambda: seen(met=False, observed=str(clock.now_s)), within_s=1.2, changes=clock)
    assert not waited.observation.met
    assert float(waited.observation.observed) == pytest.approx(1001.2)
    assert waited.looks == 4
    assert waited.elapsed_s == pytest.approx(1.2)


def test_the_last_look_is_at_the_bound_and_not_before(clock_of: Callable[..., Clock]) -> None:
    clock = clock_of()
    assert until(lambda: seen(met=clock.now_s >= 1000.7), within_s=0.7, changes=clock).observation.met


def test_a_bound_of_zero_looks_once(clock_of: Callable[..., Clock]) -> None:
    assert until(lambda: seen(met=False), within_s=0, changes=clock_of()).looks == 1


def test_giving_up_ends_the_wait_before_the_next_look(clock_of: Callable[..., Clock]) -> None:
    looks: list[int] = []

    def give_up() -> None:
        if looks:
            raise ProcessLookupError("it has ended")

    def look() -> Observation:
        looks.append(1)
        return seen(met=False)

    with pytest.raises(ProcessLookupError, match="it has ended"):
        until(look, within_s=10, changes=clock_of(0.1), give_up=give_up)
    assert len(looks) == 1
