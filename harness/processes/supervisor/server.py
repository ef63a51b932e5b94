"""The supervisor's loop: one request after another from its parent until that closes its end or dies.

A message is one JSON object in one SOCK_SEQPACKET datagram; replies may carry a file descriptor (SCM_RIGHTS).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import random
import signal
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import folders, namespace
from .children import Children
from .forwarder import Forwarder

MESSAGE_BYTES_MAX = 1 << 20
BACKLOG = 1024
FREE_PORTS = range(20_000, 32_000)
"""Where free ports come from: below the ports that the kernel gives to outgoing connections."""

Answer = tuple[dict[str, Any], list[int]]
"""Fields of a reply, and the descriptors that go with it."""


class Server:
    """Answers requests; every public coroutine is an operation of the protocol."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children = Children()
        self._forwarders: set[int] = set()
        self._ports: set[int] = set()
        self._is_folder_retained = False

    async def spawn(self, *, argv: list[str], env: dict[str, str], log: str, cwd: str) -> Answer:
        """Start a child and pass a descriptor of it (pidfd)."""
        pid = self._children.spawn(argv=argv, env=env, log=log, cwd=cwd)
        return {"pid": pid}, [os.pidfd_open(pid)]

    async def exit_code(self, *, pid: int) -> Answer:
        """Tell how a child ended, null while it runs."""
        return {"exit_code": self._children.exit_code(pid)}, []

    async def signal(self, *, pid: int, number: int) -> Answer:
        """Send a signal to a child's process group."""
        self._children.signal(pid, number)
        return {}, []

    async def listen(self, *, host: str, port: int) -> Answer:
        """Pass a listening TCP socket of the children's network."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return {}, [socket.create_server((host, port), family=family, backlog=BACKLOG).detach()]

    async def free_port(self) -> Answer:
        """Name a TCP port that nobody uses, each at most once."""
        while len(self._ports) < len(FREE_PORTS):
            port = random.choice(FREE_PORTS)  # noqa: S311 - supervisors without a namespace share them
            if port not in self._ports:
                self._ports.add(port)
                with contextlib.suppress(OSError), socket.socket() as attempt:
                    attempt.bind(("127.0.0.1", port))
                    return {"port": port}, []
        raise OSError(errno.EADDRNOTAVAIL, "no free port is left")

    async def forward(self, *, port: int, path: str) -> Answer:
        """Forward a unix socket to a port of the children's network."""
        if port not in self._forwarders:
            await Forwarder(port).serve(Path(path))
            self._forwarders.add(port)
        return {}, []

    async def retain_folder(self) -> Answer:
        """Leave the folder where it is when this process ends."""
        folders.retain(self._folder)
        self._is_folder_retained = True
        return {}, []

    def reap(self) -> None:
        """Collect the children that have ended."""
        self._children.reap()

    def end(self) -> None:
        """Kill all children and remove the folder."""
        self._children.kill_all()
        if not self._is_folder_retained:
            folders.remove(self._folder)


OPERATIONS: dict[str, Callable[..., Any]] = {
    operation.__name__: operation
    for operation in (
        Server.spawn,
        Server.exit_code,
        Server.signal,
        Server.listen,
        Server.free_port,
        Server.forward,
        Server.retain_folder,
    )
}


async def _answer(server: Server, request: dict[str, Any]) -> Answer:
    try:
        return await OPERATIONS[request["operation"]](server, **request["arguments"])  # type: ignore[no-any-return]
    except OSError as error:
        return {"errno": error.errno, "error": error.strerror or str(error), "path": error.filename}, []
    except Exception:  # one bad request must not take every child down: its sender is told
        return {"errno": None, "error": traceback.format_exc(), "path": None}, []


def _send(channel: socket.socket, message: dict[str, Any], descriptors: list[int]) -> None:
    socket.send_fds(channel, [json.dumps(message).encode()], descriptors)
    for descriptor in descriptors:
        os.close(descriptor)


async def _serve(channel: socket.socket, server: Server, parent: int) -> None:
    """Return when the parent has closed its end, has died (`parent` is a pidfd), or a signal asks for it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGCHLD, server.reap)
    # A process forked by the parent may hold a copy of its end: only the pidfd tells that the parent died.
    loop.add_reader(parent, ended.set)
    requests = loop.create_task(_requests(channel, server))
    requests.add_done_callback(lambda _: ended.set())
    await ended.wait()
    requests.cancel()


async def _requests(channel: socket.socket, server: Server) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(channel, MESSAGE_BYTES_MAX):
        request = json.loads(data)
        fields, descriptors = await _answer(server, request)
        _send(channel, {"id": request["id"], **fields}, descriptors)


def main(*, descriptor: int, isolate: bool, parent_folder: Path) -> None:
    """Serve the channel `descriptor`; at its end kill every child and remove the folder."""
    parent = os.pidfd_open(os.getppid())
    channel = socket.socket(fileno=descriptor)
    channel.setblocking(False)
    try:
        folders.sweep(parent_folder)
        folder = folders.make(parent_folder)
        log = os.open(folder / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 2)
        kinds, reason = namespace.enter() if isolate else ([], "no isolation was asked for")
        server = Server(folder)
    except OSError as error:
        _send(channel, {"error": error.strerror, "path": str(error.filename or parent_folder)}, [])
        return
    try:
        _send(channel, {"folder": str(folder), "namespaces": kinds, "reason": reason}, [])
        asyncio.run(_serve(channel, server, parent))
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
        server.end()
