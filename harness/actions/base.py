"""What an action is: a step that changes the world and asserts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..scenario.strict import Strict

if TYPE_CHECKING:
    from ..lab import Lab


class Action(Strict):
    """A change of the world. The class docstring is its manual, the class name its YAML key."""

    def perform(self, lab: Lab) -> None:
        """Make the change. Raises UsageError when the scenario asks for what cannot be."""
        raise NotImplementedError

    def tell(self) -> str:
        """Say what it does, in a few words."""
        fields = self.model_dump(by_alias=True, exclude_defaults=True)
        return " ".join(f"{key}={value}" for key, value in fields.items() if isinstance(value, str | int | bool))
