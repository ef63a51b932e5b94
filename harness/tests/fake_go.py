"""A Go toolchain of a few lines: it answers `go env` and "builds" a script that announces a version."""

from __future__ import annotations

import json
import os
import select
from pathlib import Path

import pytest

_SCRIPT = """\
#!/bin/sh
if [ "$1" = env ]; then
  printf '%s' '{answers}'
  exit 0
fi
echo "$PWD $*" >> "{folder}/builds"
while [ "$1" != -o ]; do shift; done
echo '#!/bin/sh' > "$2"
if [ -e "{folder}/started" ]; then
  # Both ends stay open as long as this process lives.
  exec 4> "{folder}/started"
  echo started >&4
  read -r go_on < "{folder}/go-on"
fi
if [ -e "{folder}/fails" ]; then
  while read -r line; do echo "$line" >&2; done < "{folder}/fails"
  exit 1
fi
echo "echo '{announcement}'" >> "$2"
"""


class FakeGo:
    """The toolchain in a folder of its own, which it puts on PATH in place of everything else."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        version: str = "1.26.8",
        toolchain: str = "local",
        announcement: str = "etcd Version: 3.6.8",
    ) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        answers = {"GOVERSION": f"go{version}", "GOHOSTOS": "linux", "GOHOSTARCH": "amd64", "GOTOOLCHAIN": toolchain}
        script = _SCRIPT.format(answers=json.dumps(answers), folder=folder, announcement=announcement)
        write_program(folder / "go", script)
        monkeypatch.setenv("PATH", str(folder))

    @property
    def builds(self) -> list[str]:
        """Folder and command line of every build so far."""
        log = self.folder / "builds"
        return log.read_text().splitlines() if log.exists() else []

    def hold(self) -> int:
        """Let every build wait halfway for ever; return what `next_event` reads."""
        os.mkfifo(self.folder / "started")
        os.mkfifo(self.folder / "go-on")
        return os.open(self.folder / "started", os.O_RDONLY | os.O_NONBLOCK)

    def hold_no_more(self) -> None:
        """Let later builds run through."""
        (self.folder / "started").unlink()
        (self.folder / "go-on").unlink()

    def fail_with(self, text: str) -> None:
        """Let every build print a text and fail."""
        (self.folder / "fails").write_text(text)


def next_event(held: int, *, within_s: float = 30.0) -> bytes:
    """Return what comes from builds that are held: a line of each, nothing once the last of them has ended."""
    poll = select.poll()
    poll.register(held, select.POLLIN)
    assert poll.poll(within_s * 1000), "nothing happened"
    return os.read(held, 100)


def write_program(path: Path, text: str) -> Path:
    """Write an executable file."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def announcing(path: Path, announcement: str) -> Path:
    """Write a program whose answer to everything is one line."""
    return write_program(path, f"#!/bin/sh\necho '{announcement}'\n")
