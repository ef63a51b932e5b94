"""A child process as pytest sees it: waited for and read here, started and signalled by the supervisor."""

from __future__ import annotations

import os
import select
import signal
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

KILL_S_MAX = 10.0
"""How long the kernel may take to end a killed process."""

_TAIL_BYTES_MAX = 65_536

Request = Callable[..., dict[str, Any]]


class Process:
    """One child, in its own process group, which ends with it."""

    def __init__(self, *, name: str, pid: int, argv: Sequence[str], log: Path, pidfd: int, request: Request) -> None:
        self.name = name
        self.pid = pid
        self.argv = tuple(argv)
        self.log = log
        self._pidfd = pidfd  # readable once the process has ended
        self._request = request
        self._exit_code: int | None = None
        weakref.finalize(self, os.close, pidfd)

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while the process runs."""
        return self.wait(0)

    def wait(self, timeout_s: float) -> int | None:
        """Return the exit code as soon as there is one, None after `timeout_s` seconds without."""
        if self._exit_code is None and self._has_ended(timeout_s):
            try:
                self._exit_code = self._request("exit_code", pid=self.pid)["exit_code"]
            except HarnessError:
                self._exit_code = -signal.SIGKILL  # the supervisor is gone, and it takes all children with it
        return self._exit_code

    def _has_ended(self, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def terminate(self, grace_s: float = 5.0) -> None:
        """Ask the process group to end (SIGTERM); kill it if it still runs after `grace_s` seconds."""
        self._signal(signal.SIGTERM)
        if self.wait(grace_s) is None:
            self.kill()

    def kill(self) -> None:
        """Kill the process group (SIGKILL) and wait. Raises HarnessError when the process does not end."""
        self._signal(signal.SIGKILL)
        if self.wait(KILL_S_MAX) is None:
            raise HarnessError(f"{self.name} (pid {self.pid}) survives SIGKILL: it hangs in the kernel")

    def _signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            self._request("signal", pid=self.pid, number=int(number))

    def log_tail(self, lines: int = 20) -> str:
        """Return the last `lines` lines that the process wrote, empty when there are none or no log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES_MAX))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def rss_bytes(self) -> int:
        """Return the resident memory in bytes, 0 when the process has ended."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")
