"""The supervisor as pytest sees it: one object that starts every component and whose end is their end."""

from __future__ import annotations

import errno
import ipaddress
import os
import shutil
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from harness.errors import HarnessError, UsageError
from harness.processes.channel import Channel
from harness.processes.executables import USER_ERRNOS, why_not_started
from harness.processes.isolation import Isolation, IsolationLevel
from harness.processes.process import Process

_SOCKET_PATH_BYTES_MAX = 107
"""Of sockaddr_un, see unix(7)."""


class Supervisor:
    """A process of ours that starts every component and, however this process ends, kills them all.

    Safe to use from several threads. At its end its private folder is removed too.
    """

    def __init__(self, *, channel: Channel, folder: Path, isolation: Isolation) -> None:
        self.pid = channel.pid
        self.folder = folder
        self.isolation = isolation
        self._channel = channel
        self._is_folder_retained = False

    @classmethod
    def start(cls, *, isolate: bool = True) -> Supervisor:
        """Sweep what killed runs left behind, start, and isolate the children as far as this machine can.

        Raises UsageError on anything but Linux, HarnessError when the private folder cannot be made.
        """
        if sys.platform != "linux":
            raise UsageError(f"components run on Linux only, and this is {sys.platform}")
        channel = Channel(isolate=isolate)
        try:
            greeting = channel.greeting()
        except BaseException:
            channel.close()
            raise
        namespaces = tuple(greeting["namespaces"])
        level = IsolationLevel.NETWORK_NAMESPACE if namespaces else IsolationLevel.EGRESS_PROXY
        isolation = Isolation(level=level, reason=greeting["reason"], namespaces=namespaces)
        return cls(channel=channel, folder=Path(greeting["folder"]), isolation=isolation)

    def spawn(
        self, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path | None = None
    ) -> Process:
        """Start a program with exactly this environment, its output appended to `log`, in `folder` or `cwd`.

        It gets its own process group and no input, and dies with the supervisor. Raises UsageError when the
        program cannot be executed (its path is wrong), HarnessError when the machine cannot start it.
        """
        program = str(Path(argv[0]).absolute()) if os.sep in argv[0] else argv[0]
        arguments = {
            "argv": [program, *argv[1:]],
            "env": dict(env),
            "log": str(log.absolute()),
            "cwd": str((cwd or self.folder).absolute()),
        }
        reply, descriptors = self._channel.exchange("spawn", arguments)
        if "error" in reply:
            raise _spawn_error(name, program, reply)
        request = self._channel.request
        return Process(name=name, pid=reply["pid"], argv=argv, log=log, pidfd=descriptors[0], request=request)

    def listen(self, *, host: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """Return a listening TCP socket of the children's network, to be served from here.

        Raises HarnessError when the address is not loopback or the port is taken.
        """
        if not ipaddress.ip_address(host).is_loopback:
            raise HarnessError(f"refusing to listen on {host}: only loopback addresses are allowed")
        reply, descriptors = self._channel.exchange("listen", {"host": host, "port": port})
        if reply.get("errno") == errno.EADDRINUSE:
            raise HarnessError(f"port {port} of {host} is taken: choose another, or 0 for a free one")
        if "error" in reply:
            raise HarnessError(f"cannot listen on port {port} of {host}: {reply['error']}")
        return socket.socket(fileno=descriptors[0])

    def free_port(self) -> int:
        """Return a TCP port of 127.0.0.1 that is free in the children's network, none of them twice."""
        port: int = self._channel.request("free_port")["port"]
        return port

    def forward(self, port: int) -> Path:
        """Return the unix socket (one a port) that forwards to 127.0.0.1:`port` of the children's network.

        Raises HarnessError when the folder's path is too long for a unix socket.
        """
        path = self.folder / f"port-{port}.sock"
        if len(os.fsencode(path)) > _SOCKET_PATH_BYTES_MAX:
            raise HarnessError(f"{path} is too long for a unix socket: set TMPDIR to a shorter path")
        self._channel.request("forward", port=port, path=str(path))
        return path

    def enter_command(self) -> list[str]:
        """Return what to put before a command to run it in the children's network; [] when that is ours."""
        if not self.isolation.namespaces:
            return []
        kinds = [f"--{kind}" for kind in self.isolation.namespaces]
        identity = ["--preserve-credentials"] if "--user" in kinds else []
        return ["nsenter", "--target", str(self.pid), *kinds, *identity, "--"]

    def retain_folder(self) -> None:
        """Leave the private folder where it is at the end, however that comes; no later run sweeps it."""
        self._channel.request("retain_folder")
        self._is_folder_retained = True

    def close(self) -> None:
        """Kill every child, remove the folder and wait until both are done. Idempotent.

        Raises HarnessError when the supervisor does not end.
        """
        if self._channel.close() == -signal.SIGKILL and not self._is_folder_retained:
            shutil.rmtree(self.folder, ignore_errors=True)  # it could not do so itself

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _spawn_error(name: str, program: str, reply: Mapping[str, Any]) -> HarnessError:
    if reply["path"] != program:
        return HarnessError(f"{name} cannot be started: {reply['path'] or program}: {reply['error']}")
    kind = UsageError if reply["errno"] in USER_ERRNOS else HarnessError
    return kind(f"{name} cannot be started: {why_not_started(Path(program), reply['errno'], reply['error'])}")
