"""The egress trap: an HTTP proxy that lets nothing through and remembers who wanted to go where."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import BinaryIO

from harness.processes import canary_probe

LINE_BYTES_MAX = 65_536
HEADERS_MAX = 200
IDLE_S_MAX = 5.0
"""How long a client may keep the trap waiting for its next bytes."""
REFUSAL = b"refused by the harness: a component under test must not leave this machine\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class EgressAttempt:
    """One request that wanted to leave this machine."""

    at_s: float
    """Seconds since the epoch."""
    method: str
    target: str
    """`host:port` of a CONNECT, otherwise the URL; for what is no HTTP, its first bytes."""


class EgressTrap:
    """Serves a bound and listening socket in the background: refuses everything (403), records everything."""

    def __init__(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        self.proxy_url = f"http://{host}:{port}"
        self._listener = listener
        self._lock = threading.Lock()
        self._attempts: list[tuple[EgressAttempt, str | None]] = []
        threading.Thread(target=self._serve, name="egress-trap", daemon=True).start()

    @property
    def attempts(self) -> tuple[EgressAttempt, ...]:
        """Everything that was refused so far, oldest first."""
        with self._lock:
            return tuple(attempt for attempt, _ in self._attempts)

    def take(self, token: str) -> tuple[EgressAttempt, ...]:
        """Remove and return the attempts of the canary that has this token: they were expected."""
        with self._lock:
            taken = tuple(attempt for attempt, theirs in self._attempts if theirs == token)
            self._attempts = [entry for entry in self._attempts if entry[1] != token]
        return taken

    def close(self) -> None:
        """Stop serving and close the socket; what was recorded stays. Idempotent."""
        with contextlib.suppress(OSError):  # closed before
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=[connection], name="egress-trap", daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(IDLE_S_MAX)
        with connection, contextlib.suppress(OSError):  # a client that leaves early was recorded before
            first = connection.recv(80, socket.MSG_PEEK)
            if first:  # otherwise it connected and left without a word
                with connection.makefile("rb") as lines:
                    self._record(first, lines)
                _refuse(connection)

    def _record(self, first: bytes, lines: BinaryIO) -> None:
        with contextlib.suppress(TimeoutError):  # what is no HTTP may have no lines
            first = lines.readline(LINE_BYTES_MAX)
        words = first.decode("latin-1").split()
        is_http = len(words) == 3 and words[2].startswith("HTTP/")
        method, target = (words[0], words[1]) if is_http else ("(not HTTP)", repr(first[:80]))
        token = _canary_token(lines) if is_http else None
        with self._lock:
            self._attempts.append((EgressAttempt(at_s=time.time(), method=method, target=target), token))


def _canary_token(lines: BinaryIO) -> str | None:
    """Read the headers of a request to their end; return the value of the canary's, if any."""
    token = None
    with contextlib.suppress(OSError):
        for _ in range(HEADERS_MAX):
            name, _, value = lines.readline(LINE_BYTES_MAX).decode("latin-1").partition(":")
            if not name.strip():
                break
            if name.lower() == canary_probe.TOKEN_HEADER:
                token = value.strip()
    return token


def _refuse(connection: socket.socket) -> None:
    head = (
        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(REFUSAL)}\r\n"
        f"Proxy-Status: {canary_probe.PROXY_NAME}; error=http_request_denied\r\n\r\n"  # RFC 9209
    )
    connection.sendall(head.encode() + REFUSAL)
    connection.shutdown(socket.SHUT_WR)
    # Closing with unread input would reset the connection, and the client might never see the answer.
    while connection.recv(LINE_BYTES_MAX):
        pass
