"""Progress, as CI logs and terminals show it."""

from __future__ import annotations

import io

import pytest

from harness.components.progress import Progress


class Clock:
    """Time that stands still until it is told otherwise."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_at_the_start_every_fifteen_seconds_and_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, clock=clock).activity("building x 1.2.3", expectation="about 7 min, once") as tick:
        for clock.now_s in (1.0, 14.9, 15.0, 16.0, 29.9, 31.0):
            tick("")
        clock.now_s = 46.0
        tick("another run is building it")
        clock.now_s = 50.4
    assert stream.getvalue().splitlines() == [
        "building x 1.2.3 (about 7 min, once)",
        "building x 1.2.3: 15 s so far",
        "building x 1.2.3: 31 s so far",
        "building x 1.2.3: 46 s so far, another run is building it",
        "building x 1.2.3: done in 50 s",
    ]


def test_work_that_fails_is_not_reported_as_done() -> None:
    stream, clock = io.StringIO(), Clock()

    def work() -> None:
        with Progress(stream, clock=clock).activity("building x"):
            clock.now_s = 3.0
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        work()
    assert stream.getvalue().splitlines() == ["building x", "building x: stopped after 3 s"]


def test_a_long_line_of_a_log_is_not_wrapped() -> None:
    stream = io.StringIO()
    Progress(stream).note("word [not markup] " * 40)
    assert len(stream.getvalue().splitlines()) == 1
    assert "[not markup]" in stream.getvalue()


def test_a_terminal_shows_what_is_going_on_and_then_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with Progress(stream).activity("building x [1]", expectation="about 7 min") as tick:
        tick("12 of 98 MB")
    shown = stream.getvalue()
    assert "building x [1]" in shown
    assert "12 of 98 MB" in shown
    assert shown.rstrip().endswith("building x [1]: done in 0 s")
