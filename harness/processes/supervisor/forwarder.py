"""Forwarding of unix socket connections to a TCP port of the namespace, each direction on its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

BUFFER_BYTES_MAX = 1 << 20
"""Bytes held for a reader that is slower than its writer, per direction; then the writer has to wait."""


class Forwarder:
    """A unix socket that forwards to 127.0.0.1:`port`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connecting: set[asyncio.Task[None]] = set()

    async def serve(self, path: Path) -> None:
        """Listen on `path` as long as the event loop runs. Raises OSError when the path cannot be bound."""
        await asyncio.get_running_loop().create_unix_server(self._accept, path, backlog=1024)

    def _accept(self) -> _End:
        near, far = _End(), _End()
        near.peer, far.peer = far, near
        task = asyncio.get_running_loop().create_task(self._connect(near, far))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return near

    async def _connect(self, near: _End, far: _End) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: far, "127.0.0.1", self._port)
        except OSError:
            near.transport.abort()
        else:
            near.transport.resume_reading()
            far.transport.resume_reading()


class _End(asyncio.Protocol):
    """One side of a forwarded connection: what it reads is written to its peer."""

    peer: _End
    transport: asyncio.Transport
    is_connected = False
    is_lost = False
    has_read_all = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=BUFFER_BYTES_MAX)
        self.is_connected = True
        if self.peer.is_lost:
            self.transport.abort()
        else:
            self.transport.pause_reading()  # until both sides are connected

    def data_received(self, data: bytes) -> None:
        self.peer.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the half-close on; stay open for the other direction until that has ended too."""
        self.has_read_all = True
        if self.peer.has_read_all:
            self.peer.transport.close()  # after what it still has to write
            self.transport.close()
        else:
            self.peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        self.peer.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        if self.peer.is_connected:
            if error is None:
                self.peer.transport.close()
            else:
                self.peer.transport.abort()
