"""The actions: one class each, by the key that scenario files use. A new action is a class and a line here."""

from __future__ import annotations

from .base import Action
from .objects import Apply, Delete, Patch
from .world import (
    AddNode,
    AddRoute,
    CallCloud,
    DeleteNode,
    InstanceAction,
    Kubelet,
    Mark,
    RemoveRoute,
    RestartController,
    SetReady,
    TaintNode,
)

ACTIONS: tuple[tuple[str, type[Action]], ...] = (
    ("addNode", AddNode),
    ("addRoute", AddRoute),
    ("apply", Apply),
    ("callCloud", CallCloud),
    ("delete", Delete),
    ("deleteNode", DeleteNode),
    ("instance", InstanceAction),
    ("kubelet", Kubelet),
    ("mark", Mark),
    ("patch", Patch),
    ("removeRoute", RemoveRoute),
    ("restartController", RestartController),
    ("setReady", SetReady),
    ("taintNode", TaintNode),
)

__all__ = ["ACTIONS", "Action"]
