"""Entering a network namespace that holds only a loopback interface. Decides nothing about proxies."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> tuple[list[str], str]:
    """Move this process into an own network namespace; return the kinds of namespace entered and why.

    The kinds are `["net"]`, `["user", "net"]`, or none where the kernel or its policy refuses both. Each is
    tried in a forked child first: some policies allow a namespace and then refuse to bring its `lo` up.
    """
    refusals = []
    for kinds, flags in ((["net"], CLONE_NEWNET), (["user", "net"], CLONE_NEWUSER | CLONE_NEWNET)):
        refusal = _refusal(flags)
        if refusal is None:
            _enter(flags)
            return kinds, f"own {' and '.join(kinds)} namespace with loopback only"
        refusals.append(f"{'+'.join(kinds)} namespace: {refusal}")
    return [], "; ".join(refusals)


def _refusal(flags: int) -> str | None:
    """Try it in a child: why it does not work, or None."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _enter(flags)
        except OSError as error:
            os.write(writing, str(error.strerror).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        refusal = pipe.read().decode()
    os.waitpid(child, 0)
    return refusal or None


def _enter(flags: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    _unshare(flags)
    if flags & CLONE_NEWUSER:
        # The same identity inside as outside: children then hold no capability after their exec.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
