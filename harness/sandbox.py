"""The sandbox that components run in: supervised, without your environment, with every way out leading into a trap."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from .processes import EgressAttempt, EgressTrap, Isolation, Process, Supervisor, canary, child_environment


class Sandbox:
    """One supervisor and the egress trap of its children, for a whole session."""

    def __init__(self, supervisor: Supervisor, trap: EgressTrap) -> None:
        self._supervisor = supervisor
        self._trap = trap
        self.folder = supervisor.folder
        """Private folder, removed at the end."""

    @classmethod
    def open(cls, *, isolate: bool = True) -> Self:
        """Start a sandbox and prove that a child cannot reach a real cloud; raises HarnessError when it can."""
        with ExitStack() as undo:
            supervisor = undo.enter_context(Supervisor.start(isolate=isolate))
            trap = EgressTrap(supervisor.listen())
            undo.callback(trap.close)
            sandbox = cls(supervisor, trap)
            canary(supervisor, sandbox._environment({}), trap)
            undo.pop_all()
        return sandbox

    def close(self) -> None:
        """End every child and remove the folder; idempotent."""
        self._supervisor.close()
        self._trap.close()

    @property
    def isolation(self) -> Isolation:
        """How well children are kept in."""
        return self._supervisor.isolation

    @property
    def escapes(self) -> tuple[EgressAttempt, ...]:
        """Every attempt of a component to leave this machine."""
        return self._trap.attempts

    def spawn(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path,
        variables: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a component with an allow-list environment and these variables."""
        arguments = [str(argument) for argument in argv]
        return self._supervisor.spawn(name, arguments, env=self._environment(variables or {}), log=log, cwd=cwd)

    def listen(self) -> socket.socket:
        """Return a listening loopback socket in the children's network."""
        return self._supervisor.listen()

    def free_port(self) -> int:
        """Return a port that is free in the children's network."""
        return self._supervisor.free_port()

    def forward(self, port: int) -> Path:
        """Return a unix socket that leads to a port in the children's network."""
        return self._supervisor.forward(port)

    def enter_command(self) -> list[str]:
        """Return what to put before a command to run it in the children's network."""
        return self._supervisor.enter_command()

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return child_environment(folder=self.folder, proxy_url=self._trap.proxy_url, extra=variables)
