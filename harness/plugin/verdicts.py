"""The table of verdicts at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..report import Row


class VerdictTable:
    """Collects every verdict in the process that has the terminal, and prints the table at the end."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._notes: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the verdict of a scenario."""
        facts: dict[str, Any] = dict(report.user_properties)
        if "verdict" not in facts or report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        from ..report import Row

        row = Row(
            behaviour=facts["behaviour"], column=facts["column"], verdict=facts["verdict"], elapsed_s=report.duration
        )
        self._rows.append(row)
        self._notes.update(f"note: {text}" for name, text in report.user_properties if name == "note")
        if "isolation" in facts:
            self._notes.add(f"components were kept in by: {facts['isolation']}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table."""
        if not self._rows:
            return
        from ..report import table

        terminalreporter.section("verdicts")
        for line in [*table(self._rows), "", *sorted(self._notes)]:
            terminalreporter.write_line(line)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail a run in which no scenario ran: green would mean nothing."""
        idle = self._rows and all(row.verdict in ("unsupported", "not run") for row in self._rows)
        if exitstatus == pytest.ExitCode.OK and idle:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
