"""What came of a scenario: the verdict, and for a failure everything that a reader needs to see why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ..wait import Observation


class Verdict(StrEnum):
    """Who is at fault, if anybody."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    """The controller's."""
    ERROR = "error"
    """The harness's or the machine's."""
    KNOWN_ISSUE = "known issue"
    """The controller's, and written down."""
    UNSUPPORTED = "unsupported"
    """The provider declares that it has not the feature."""
    NOT_RUN = "not run"
    """Something that it needs is not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a scenario failed: the controller's fault."""

    oracle: str
    """The check, or the rule that always holds."""
    step: str
    """The step or phase it happened in."""
    observation: Observation
    """Subject, expected, observed."""
    bound: str
    """How long and how often was looked."""
    evidence: tuple[str, ...] = ()
    """Journal lines that matter, with their times."""

    def __str__(self) -> str:
        """Return the failure as a person reads it."""
        lines = [
            f"{self.observation.subject}",
            f"  check     {self.oracle}  (in step: {self.step})",
            f"  expected  {self.observation.expected}",
            f"  observed  {self.observation.observed}",
            f"  bound     {self.bound}",
        ]
        lines += [f"  {'journal' if number == 0 else '       '}   {line}" for number, line in enumerate(self.evidence)]
        return "\n".join(lines)


class CheckFailed(AssertionError):
    """The controller under test is at fault."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The end of one run of one scenario."""

    verdict: Verdict
    """Who is at fault, if anybody."""
    elapsed_s: float
    """Seconds from the start of the lab to its end."""
    phases_s: Mapping[str, float] = field(default_factory=dict)
    """Where the seconds went."""
    failure: Failure | None = None
    """For `fail`."""
    error: str | None = None
    """For `error`."""
    notes: tuple[str, ...] = ()
    """What a reader should know whatever the verdict: parameters that nothing read, the isolation held."""
    folder: Path | None = None
    """Where logs, journal and state were kept."""
    lab_rss_bytes: int = 0
    """Resident memory of the lab's processes at the end of the steps."""
