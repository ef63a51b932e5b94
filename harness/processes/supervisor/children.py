"""Child processes: started in their own process group, reaped, signalled, and all killed in the end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


class Children:
    """Every process that this supervisor started, and what those started in turn.

    Must stay on one thread: the kernel ties a child's parent-death signal to the thread that forked it.
    """

    def __init__(self) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of children come to us, so that they can be killed

    def spawn(self, *, argv: list[str], env: dict[str, str], log: str, cwd: str) -> int:
        """Start a program, its output appended to `log`; return its pid. Raises OSError when it cannot."""
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = subprocess.Popen(
                argv,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
                preexec_fn=_DieWith(os.getpid()),  # safe: one thread
            )
        finally:
            os.close(descriptor)
        self._processes[process.pid] = process
        return process.pid

    def exit_code(self, pid: int) -> int | None:
        """Return a child's exit code, negative for a signal, None while it runs."""
        self.reap()
        return self._processes[pid].returncode

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to the process group of a child that has not ended."""
        if self._processes[pid].returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)

    def reap(self) -> None:
        """Collect every child that has ended; the rest of its process group ends with it."""
        while (pid := _ended()) is not None:
            # Not reaped yet, so neither the pid nor the group id can belong to someone else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            if pid in self._processes:
                self._processes[pid].wait()
            else:
                os.waitpid(pid, 0)

    def kill_all(self) -> None:
        """Kill every process group, then orphan after orphan until no descendant is left."""
        for pid in self._processes:
            self.signal(pid, signal.SIGKILL)
        while pids := _children_of(os.getpid()):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


class _DieWith:
    """Runs in the child before its exec: the kernel kills it when the supervisor dies."""

    def __init__(self, supervisor_pid: int) -> None:
        self._supervisor_pid = supervisor_pid

    def __call__(self) -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._supervisor_pid:
            os._exit(1)  # it died before the line above


def _ended() -> int | None:
    """Return the pid of a child that has ended and is not reaped, or None."""
    try:
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if result is None else result.si_pid


def _children_of(parent_pid: int) -> list[int]:
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                # pid (name, which may hold spaces and parentheses) state ppid …
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent_pid:
                    pids.append(int(entry.name))
    return pids
