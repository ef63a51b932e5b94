"""Entry point of the program: make this folder importable as the package `supervisor`, then serve."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Python put this folder itself first on the path and, because of -I -S, only the standard library after.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    server = importlib.import_module("supervisor.server")
    del sys.path[0]
    server.main(descriptor=int(sys.argv[1]), isolate=sys.argv[2] == "isolate", parent_folder=Path(sys.argv[3]))
