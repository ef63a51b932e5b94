"""The real programs that a lab runs, and where their binaries come from.

Every component is pinned by a Go module of its own in a folder beside this file. This package finds, builds,
downloads and caches binaries; it starts none of them (`harness.processes` does).
"""

from __future__ import annotations

from .binaries import Binaries, Binary, Listing, Origin
from .progress import Progress
from .registry import COMPONENTS, Component, Release

__all__ = ["COMPONENTS", "Binaries", "Binary", "Component", "Listing", "Origin", "Progress", "Release"]
