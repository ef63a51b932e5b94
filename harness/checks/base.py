"""What a check is: a question about a lab that changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..scenario.strict import Strict
from ..wait import Observation

if TYPE_CHECKING:
    from ..lab import Lab


class Check(Strict):
    """A question with one answer now. The class docstring is its manual, the class name its YAML key."""

    def observe(self, lab: Lab) -> Observation:
        """Look once. Must not change, wait for, or remember anything."""
        raise NotImplementedError


def combine(observations: list[Observation], *, subject: str, expected: str) -> Observation:
    """Return the first observation that is not met, or a met one when all are."""
    missed = [observation for observation in observations if not observation.met]
    if missed:
        return missed[0]
    return Observation(
        met=bool(observations),
        subject=subject,
        expected=expected,
        observed=expected if observations else "nothing to look at",
    )
