"""Known issues: what a controller release is known to do wrong, with the reference that says so.

An issue either fails scenarios (strictly: a pass fails the run), or explains writes that a settled controller repeats
(strictly too: when they stay away, the issue is gone and its entry has to go). Each cloud ships a file of them; a
provider's repository adds files of its own.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import Field, field_validator, model_validator

from .scenario.load import read_document
from .scenario.strict import Strict


class KnownIssue(Strict):
    """One thing that some releases of a controller are known to do wrong."""

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    """Short name, for reports."""
    component: str
    """Name of the controller's binary."""
    versions: list[str] = Field(min_length=1)
    """Ranges of releases that have it, such as `>=1.34.0,<1.34.4`; any of them."""
    variants: list[str] = []
    """Kinds of load balancer that show it; all by default."""
    scenarios: list[str] = []
    """Scenarios that fail with it, by name, with wildcards."""
    shows: str = ""
    """Regular expression that the failure's text has, so that another failure is not mistaken for it."""
    repeats: list[str] = []
    """Operations that a settled controller repeats with it, such as elb:ModifyLoadBalancerAttributes."""
    reference: str
    """Where it is written down: an issue, or the place in the controller's source."""

    @field_validator("versions")
    @classmethod
    def _are_ranges(cls, versions: list[str]) -> list[str]:
        for text in versions:
            try:
                SpecifierSet(text)
            except InvalidSpecifier:
                raise ValueError(f"{text!r} is no range of versions: write such as >=1.34.0,<1.34.4") from None
        return versions

    @model_validator(mode="after")
    def _says_what(self) -> KnownIssue:
        if bool(self.scenarios) == bool(self.repeats):
            raise ValueError("give scenarios (that fail) or repeats (operations), one of them")
        return self

    def concerns(self, component: str, version: str | None, variant: str | None) -> bool:
        """Whether a release has it. A build without a release number may have any issue that is still open."""
        if component != self.component or (self.variants and variant not in self.variants):
            return False
        try:
            release = Version(version or "")
        except InvalidVersion:
            return any("<" not in text and "==" not in text for text in self.versions)
        return any(release in SpecifierSet(text) for text in self.versions)

    def fails(self, scenario: str) -> bool:
        """Whether a scenario fails with it."""
        return any(fnmatch.fnmatchcase(scenario, pattern) for pattern in self.scenarios)

    def explains(self, failure: str) -> bool:
        """Whether a failure's text is this issue's."""
        return re.search(self.shows, failure) is not None

    def __str__(self) -> str:
        """Return name and reference."""
        return f"{self.name} ({self.reference})"


class Issues(Strict):
    """A list of known issues."""

    issues: list[KnownIssue]
    """The issues."""


class KnownIssues(Strict):
    """A file of known issues."""

    api_version: Literal["harness/v1alpha1"]
    """Version of this format."""
    kind: Literal["KnownIssues"]
    """Always KnownIssues."""
    spec: Issues
    """The issues."""


def load_known_issues(cloud: str, further: Iterable[Path] = ()) -> tuple[KnownIssue, ...]:
    """Return the issues that a cloud's folder ships and those of a user's files; raises DocumentError."""
    shipped = Path(str(resources.files("fakeclouds") / cloud / "known-issues.yaml"))
    paths = [*([shipped] if shipped.exists() else []), *further]
    return tuple(issue for path in paths for issue in read_document(path).validate(KnownIssues).spec.issues)


def repeated_operations(issues: Sequence[KnownIssue]) -> dict[str, KnownIssue]:
    """Return the operations that known issues make a settled controller repeat."""
    return {operation: issue for issue in issues for operation in issue.repeats}
