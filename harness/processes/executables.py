"""Saying in one sentence why a program cannot be started. Starts nothing."""

from __future__ import annotations

import errno
import os
import platform
from pathlib import Path

_ELF_MACHINES = {
    0x03: "x86",
    0x08: "mips",
    0x14: "ppc",
    0x15: "ppc64",
    0x16: "s390x",
    0x28: "arm",
    0x3E: "x86_64",
    0xB7: "aarch64",
    0xF3: "riscv",
    0x102: "loongarch64",
}
"""e_machine of the ELF header, /usr/include/elf.h."""

_FOREIGN_FORMATS = {
    b"\xcf\xfa\xed\xfe": "a macOS program",
    b"\xca\xfe\xba\xbe": "a macOS program",
    b"MZ": "a Windows program",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"PK\x03\x04": "a zip archive: unpack it first",
}

USER_ERRNOS = frozenset({errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.EPERM, errno.ELOOP})
"""Errors of an exec that say that the path is wrong, not that the machine is short of something."""


def why_not_started(path: Path, code: int | None, reason: str) -> str:
    """Return what is wrong with `path`, whose exec failed with the errno `code` (`reason` in words)."""
    if code == errno.ENOENT and os.sep not in str(path):
        return f"{path}: no such program on PATH"
    if code == errno.ENOENT and path.exists():
        return f"{path} exists, but the interpreter or dynamic loader that it names does not"
    if code == errno.EACCES and path.is_dir():
        return f"{path} is a folder, not a program"
    if code == errno.EACCES and path.is_file():
        return f"{path} is not executable: chmod +x it, or look for a mount option noexec"
    if code == errno.ENOEXEC:
        return f"{path} is for another machine or no program at all: it is {_format_of(path)}"
    return f"{path}: {reason}"


def _format_of(path: Path) -> str:
    """Name the format of a file that the kernel refuses to execute."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        return f"unreadable ({error.strerror})"
    if not head:
        return "an empty file"
    if head[:4] == b"\x7fELF":
        machine = int.from_bytes(head[18:20], "big" if head[5:6] == b"\x02" else "little")
        name = _ELF_MACHINES.get(machine, f"machine {machine}")
        return f"an ELF file for {name}, and this machine is {platform.machine()}"
    for magic, name in _FOREIGN_FORMATS.items():
        if head.startswith(magic):
            return name
    return "neither an ELF file nor a script that begins with #!"
