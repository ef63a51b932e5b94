"""Which TCP ports a process listens on, in whatever network namespace it is. Only looks."""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_STATE_LISTEN = "0A"
"""TCP_LISTEN of the kernel's include/net/tcp_states.h, as /proc/net/tcp shows it."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Listener:
    """One listening TCP socket of one process."""

    pid: int
    address: str
    """As text, for example 127.0.0.1 or ::."""
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it (an IPv4 address written as IPv6 counts as IPv4)."""
        address = ipaddress.ip_address(self.address)
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback


def listeners(pids: Iterable[int]) -> list[Listener]:
    """Return the listening TCP sockets of these processes, sorted; a process that has ended has none.

    Raises PermissionError for a process of another user.
    """
    found = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            inodes = _socket_inodes(pid)
            for table in ("tcp", "tcp6"):
                for inode, address, port in _listening(Path(f"/proc/{pid}/net/{table}")):
                    if inode in inodes:
                        found.add(Listener(pid=pid, address=address, port=port))
    return sorted(found)


def _socket_inodes(pid: int) -> set[str]:
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inodes.add(target[len("socket:[") : -1])
    return inodes


def _listening(table: Path) -> Iterator[tuple[str, str, int]]:
    """Yield inode, address and port; columns as in the kernel's Documentation/networking/proc_net_tcp.rst."""
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == _STATE_LISTEN:
            address, port = fields[1].split(":")
            yield fields[9], _address(address), int(port, 16)


def _address(text: str) -> str:
    """Decode 32-bit words printed in the byte order of this machine."""
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    return str(ipaddress.ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words)))
