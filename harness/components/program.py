"""What an executable file is: whether it runs here, which program it is and which version.

Asked of files that somebody else put there. It answers or says in one sentence what is wrong; whether that
version is wanted is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from .registry import COMPONENTS, Component, this_machine

ANSWER_S_MAX = 10.0
"""Longest wait for an answer to `--version`, in seconds; the real programs answer within 0.1 s."""

UNSTAMPED = "unstamped"
"""The version of a build that carries none."""

# e_machine of the ELF header, https://www.sco.com/developers/gabi/latest/ch4.eheader.html
_ELF_MACHINES = {3: "386", 22: "s390x", 21: "ppc64", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64"}


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildInfo:
    """What the Go linker wrote into a binary about itself."""

    package: str
    """The main package."""
    version: str | None
    """Version of its module; None for a build from a working tree without one."""


def version_of(path: Path, component: Component | None) -> str:
    """Return the version that an executable announces, `unstamped` without one.

    Raises UsageError when the file is not executable, does not run on this machine, or is another program.
    Without a component any program will do.
    """
    _check_file(path)
    info = build_info(path)
    _check_package(path, info, component)
    status, output = _ask(path)
    announced = re.escape(component.announces) if component is not None else ""
    found = re.search(rf"(?:^|\s){announced}v?(\d\S*)", output)
    if found is None and component is not None:
        raise UsageError(
            f"{path} is not {component.name}: its --version {_told(status, output)}, "
            f"which does not say {component.announces.strip()!r}"
        )
    if found is not None and not found[1].startswith("0.0.0"):
        return found[1]
    return (info and info.version) or UNSTAMPED


def build_info(path: Path) -> BuildInfo | None:
    """Return what Go recorded in a binary; None where it is no Go program."""
    with (
        contextlib.suppress(OSError, ValueError),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        start = 0
        while (start := content.find(b"path\t", start)) >= 0:
            found = re.match(rb"path\t(\S+)\nmod\t\S+\t(\S*)[\t\n]", content[start : start + 1024])
            if found is not None:
                version = found[2].decode().removeprefix("v")
                return BuildInfo(package=found[1].decode(), version=None if version == "(devel)" else version)
            start += 1
    return None


def _check_file(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"there is no file {path}")
    if not path.is_file():
        raise UsageError(f"{path} is not a file but a folder or a device: give the path of the executable")
    if not os.access(path, os.X_OK):
        raise UsageError(f"{path} is not executable: chmod +x it, or give the path of the binary")


def _check_package(path: Path, info: BuildInfo | None, component: Component | None) -> None:
    """Refuse a binary that is another component: several of them announce themselves alike."""
    if info is None or component is None or info.package == component.package:
        return
    for other in COMPONENTS:
        if other.package == info.package:
            raise UsageError(f"{path} is not {component.name} but {other.name} (built from {info.package})")


def _ask(path: Path) -> tuple[int, str]:
    """Run `--version`; return the exit status and what it printed."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    try:
        process = subprocess.Popen(
            [path, "--version"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(_cannot_run(path, error)) from error
    with process:
        try:
            output, _ = process.communicate(timeout=ANSWER_S_MAX)
        except subprocess.TimeoutExpired:
            raise UsageError(
                f"{path} did not answer --version within {ANSWER_S_MAX:.0f} s: is it the binary?"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output.decode(errors="replace")


def _cannot_run(path: Path, error: OSError) -> str:
    """Say why the system refused to start a file."""
    if error.errno == errno.ENOEXEC:
        return f"{path} cannot run on this machine ({this_machine()}): it is {_format_of(path)}"
    if error.errno == errno.ENOENT:
        return f"{path} cannot run on this machine: the interpreter or loader that it names is missing"
    return f"{path} cannot be run: {error.strerror}"


def _format_of(path: Path) -> str:
    """Name the format of a file from its first bytes."""
    with path.open("rb") as file:
        head = file.read(20)
    if head.startswith(b"\x7fELF") and len(head) == 20:
        number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
        return f"a binary for {_ELF_MACHINES.get(number, f'ELF machine {number}')}"
    if head[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"):
        return "a binary for macOS"
    if head.startswith(b"MZ"):
        return "a binary for Windows"
    return "no executable format (a script needs a first line such as #!/bin/sh)" if head else "empty"


def _told(status: int, output: str) -> str:
    """Summarise an answer: the line that says what the program is, or why it ended."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if status == 0:
        return f"printed {lines[0][:200]!r}" if lines else "printed nothing"
    return f"ended with status {status}" + (f" and last printed {lines[-1][:200]!r}" if lines else "")
