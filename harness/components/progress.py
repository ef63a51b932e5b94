"""Progress of long work: a live line on a terminal, a plain line now and then elsewhere, as CI logs want it.

It shows what it is told; it starts, stops and measures no work but its duration.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import rich.console
import rich.progress

LINE_INTERVAL_S = 15.0
"""Seconds between two plain lines about one piece of work."""

Tick = Callable[[str], None]
"""Called about once a second while work goes on, with how far it is (`12 of 98 MB`) or an empty text."""


class Progress:
    """Tells people on one stream (standard error, if none is given) what is going on."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        line_interval_s: float = LINE_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = rich.console.Console(file=stream or sys.stderr, highlight=False, markup=False, soft_wrap=True)
        self._line_interval_s = line_interval_s
        self._clock = clock

    def note(self, text: str) -> None:
        """Write one line."""
        self._console.print(text)

    @contextmanager
    def activity(self, text: str, *, expectation: str = "") -> Iterator[Tick]:
        """Show a piece of work from here to the end of the block, and how long it took.

        `expectation` says how long it may take, in words.
        """
        started_s = self._clock()
        show = _live if self._console.is_terminal else _lines
        try:
            with show(self._console, text, expectation, self._clock, self._line_interval_s) as tick:
                yield tick
        except BaseException:
            self.note(f"{text}: stopped after {self._clock() - started_s:.0f} s")
            raise
        self.note(f"{text}: done in {self._clock() - started_s:.0f} s")


@contextmanager
def _live(
    console: rich.console.Console, text: str, expectation: str, clock: Callable[[], float], interval_s: float
) -> Iterator[Tick]:
    """Show a spinner with the elapsed time; the line vanishes at the end."""
    columns = (
        rich.progress.SpinnerColumn(),
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("{task.fields[detail]}", markup=False),
    )
    with rich.progress.Progress(*columns, console=console, transient=True) as display:
        task = display.add_task(text, total=None, detail=expectation)
        yield lambda detail: display.update(task, detail=detail or expectation)


@contextmanager
def _lines(
    console: rich.console.Console, text: str, expectation: str, clock: Callable[[], float], interval_s: float
) -> Iterator[Tick]:
    """Write a line at the start and one every `interval_s` seconds."""
    started_s = last_s = clock()
    console.print(f"{text} ({expectation})" if expectation else text)

    def tick(detail: str) -> None:
        nonlocal last_s
        now_s = clock()
        if now_s - last_s >= interval_s:
            last_s = now_s
            console.print(f"{text}: {now_s - started_s:.0f} s so far" + (f", {detail}" if detail else ""))

    yield tick
