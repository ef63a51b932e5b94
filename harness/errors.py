"""Who is wrong is a type: every error that the harness raises on purpose, one sentence each."""

from __future__ import annotations


class HarnessError(Exception):
    """The harness or this machine is at fault, never the controller under test."""


class UsageError(HarnessError):
    """The user's invocation or input is wrong: an option, a path, a profile."""


class BinaryNotFound(HarnessError):
    """A component has no binary and none could be built or downloaded."""


class ComponentExited(HarnessError):
    """A component could not be started or ended by itself."""


class ComponentNotReady(HarnessError):
    """A component runs but did not become ready within its bound."""
