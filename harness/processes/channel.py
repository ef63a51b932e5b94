"""The wire to the supervisor program: starts it, exchanges messages with it, and sees it end."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

START_S_MAX = 60.0
"""For a busy machine, and for sweeping what killed runs left behind."""
REQUEST_S_MAX = 30.0
END_S_MAX = 30.0

_PROGRAM = Path(__file__).parent / "supervisor"
_MESSAGE_BYTES_MAX = 1 << 20

Reply = dict[str, Any]


class Channel:
    """One supervisor process and the socket whose end is its end. Safe to use from several threads."""

    def __init__(self, *, isolate: bool) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._last_id = 0
        with theirs:
            mode = "isolate" if isolate else "share"
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM), str(descriptor), mode, tempfile.gettempdir()],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def greeting(self) -> Reply:
        """Return the first message, once. Raises HarnessError when the program could not start."""
        reply, _ = self._receive(START_S_MAX)
        _raise_error("the supervisor cannot start", reply)
        return reply

    def request(self, operation: str, **arguments: Any) -> Reply:
        """Have an operation done and return its reply. Raises HarnessError when it failed."""
        reply, _ = self.exchange(operation, arguments)
        _raise_error(operation, reply)
        return reply

    def exchange(self, operation: str, arguments: Mapping[str, Any]) -> tuple[Reply, list[int]]:
        """Send a request; return the reply, which may hold `error`, `errno` and `path`, and its descriptors.

        Raises HarnessError when the supervisor has ended or does not answer.
        """
        with self._lock:
            self._last_id += 1
            self._send({"id": self._last_id, "operation": operation, "arguments": arguments})
            while True:
                reply, descriptors = self._receive(REQUEST_S_MAX)
                if reply["id"] == self._last_id:
                    return reply, descriptors
                for descriptor in descriptors:  # the late reply to a request that was given up
                    os.close(descriptor)

    def close(self) -> int:
        """End the supervisor, wait, and return its exit code. Raises HarnessError when it does not end."""
        with self._lock:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)  # a forked process may hold a copy of the descriptor
            except OSError as error:
                if error.errno not in (errno.ENOTCONN, errno.EBADF):  # the other end, or this one, is closed
                    raise
            self._socket.close()
        try:
            return self._process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise HarnessError(f"the supervisor (pid {self.pid}) did not end: a child hangs") from None

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self._socket.send(json.dumps(message).encode())
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise HarnessError(f"{message['operation']}: arguments and environment are too long") from error
            raise self._ended() from error

    def _receive(self, timeout_s: float) -> tuple[Reply, list[int]]:
        self._socket.settimeout(timeout_s)
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _MESSAGE_BYTES_MAX, 1, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError:
            raise HarnessError(f"the supervisor (pid {self.pid}) gave no answer in {timeout_s:g} s") from None
        except OSError as error:
            raise self._ended() from error
        if not data:
            raise self._ended()
        return json.loads(data), descriptors

    def _ended(self) -> HarnessError:
        return HarnessError(f"the supervisor (pid {self.pid}) has ended, and with it every component")


def _raise_error(subject: str, reply: Mapping[str, Any]) -> None:
    if "error" in reply:
        path = f"{reply['path']}: " if reply["path"] else ""
        raise HarnessError(f"{subject}: {path}{reply['error']}")
