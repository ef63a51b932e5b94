"""Building a release with the Go toolchain of this machine.

Knows the command, its environment, and what of the toolchain determines the result. Where the binary is kept
is the cache's business.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import HarnessError
from .progress import Tick
from .registry import Platform, Release

BUILD_S_MAX = 3600.0
"""Longest build of one binary, in seconds: about nine times the slowest on two cores."""

_FLAGS = ("-mod=readonly", "-trimpath")
_SETTINGS = {
    "CGO_ENABLED": "0",
    "GO111MODULE": "on",
    "GOFLAGS": "-mod=readonly -buildvcs=false",
    "GOWORK": "off",
}
_QUESTIONS = (
    "GOVERSION",
    "GOHOSTOS",
    "GOHOSTARCH",
    "GOTOOLCHAIN",
    "GOAMD64",
    "GOARM64",
    "GOEXPERIMENT",
    "GOFIPS140",
)
_TICK_S = 1.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Go:
    """A Go toolchain."""

    path: Path
    settings: Mapping[str, str]
    """What `go env` says of all that changes a build."""

    @property
    def version(self) -> str:
        """E.g. `1.26.8`."""
        return self.settings["GOVERSION"].partition("go")[2].split(" ")[0]

    @property
    def platform(self) -> Platform:
        """What it builds for: the machine itself."""
        return Platform(os=self.settings["GOHOSTOS"], arch=self.settings["GOHOSTARCH"])

    def chosen_for(self, release: Release) -> str | None:
        """Return the Go version that would build a release; None when it needs a newer one than there is.

        An older Go fetches the one that go.mod requires, unless GOTOOLCHAIN forbids it.
        """
        if _numbers(self.version) >= _numbers(release.go_required):
            return self.version
        setting = self.settings["GOTOOLCHAIN"]
        return release.go_required if setting == "auto" or setting.endswith("+auto") else None

    def digest(self, release: Release) -> str:
        """Return a short digest of all of the toolchain that determines the build of a release."""
        relevant = {**self.settings, "GOVERSION": self.chosen_for(release), "GOTOOLCHAIN": None}
        return _digest(relevant)


def find_go() -> Go | None:
    """Return the Go toolchain on PATH, None without one; raises HarnessError for one that does not run."""
    found = shutil.which("go")
    return None if found is None else _inspect(Path(found), os.environ.get("GOTOOLCHAIN"))


@functools.lru_cache(maxsize=8)
def _inspect(path: Path, toolchain: str | None) -> Go:
    """Ask a toolchain about itself, once a process and setting of GOTOOLCHAIN."""
    command = [str(path), "env", "-json", *_QUESTIONS]
    try:
        # Outside of any module: within one it might fetch another toolchain first.
        answer = subprocess.run(command, cwd="/", env=_plain_environment(), capture_output=True, timeout=60, check=True)
        settings = {name: str(value) for name, value in json.loads(answer.stdout).items()}
        return Go(path=path, settings={name: settings.get(name, "") for name in _QUESTIONS})
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip()
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    raise HarnessError(f"the Go at {path} does not work: `go env` failed: {reason}")


def sources_digest(release: Release) -> str:
    """Return a short digest of all but the toolchain that determines the build of a release."""
    files = [(release.folder / name).read_text() for name in ("go.mod", "go.sum")]
    return _digest([*files, release.component.package, release.linker_flags, _FLAGS, _SETTINGS])


def build(go: Go, release: Release, output: Path, *, tick: Tick) -> None:
    """Build a release to `output`.

    Raises HarnessError with the last lines of the compiler when that fails, or after BUILD_S_MAX seconds. The
    compiler does not outlive this process.
    """
    flags = [*_FLAGS, "-ldflags", release.linker_flags]
    command = [str(go.path), "build", *flags, "-o", str(output), release.component.package]
    with tempfile.TemporaryFile() as log:
        status = _run(command, release.folder, _build_environment(go), log.fileno(), tick)
        if status == 0:
            return
        log.seek(0)
        lines = log.read().decode(errors="replace").splitlines()[-20:]
    reason = f"was stopped after {BUILD_S_MAX:.0f} s" if status is None else f"ended with status {status}"
    title = f"building {release.title} failed: `go build` in {release.folder} {reason}:"
    raise HarnessError("\n  ".join([title, *lines, *_hints(lines)]))


def _run(command: list[str], folder: Path, environment: dict[str, str], log: int, tick: Tick) -> int | None:
    """Run a command in its own session, ticking about once a second; None when it took too long."""
    deadline_s = time.monotonic() + BUILD_S_MAX
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )
    try:
        while time.monotonic() < deadline_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=_TICK_S)
            tick("")
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent is gone; runs between fork and exec."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _plain_environment() -> dict[str, str]:
    """Return the environment without what would change what is built: flags and workspaces."""
    return {**os.environ, **_SETTINGS}


def _build_environment(go: Go) -> dict[str, str]:
    """Return the environment of a build: for the machine itself, whatever `go env -w` says."""
    return {**_plain_environment(), "GOOS": go.platform.os, "GOARCH": go.platform.arch}


def _hints(lines: list[str]) -> list[str]:
    """Say what to do about the usual causes outside of the sources."""
    text = "\n".join(lines)
    if "no space left on device" in text:
        return ["The disk is full: free some space (`go clean -cache` empties Go's own cache)."]
    if re.search(r"dial tcp|connection refused|i/o timeout|toolchain not available|disabled by GOPROXY=off", text):
        return ["Go could not fetch a module: check the network, GOPROXY and HTTPS_PROXY."]
    return []


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a Go version, comparable: `1.26rc1` counts as 1.26."""
    found = re.match(r"[\d.]+", version)
    numbers = [int(number) for number in found[0].split(".") if number] if found else []
    return tuple([*numbers, 0, 0, 0][:3])
