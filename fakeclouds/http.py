"""HTTP on loopback: uvicorn in one background thread, over sockets that already listen.

Turns ASGI into `Request` and `Reply` and keeps strangers out (Host header, size of a body). Knows no cloud.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BODY_BYTES_MAX = 1 << 20
"""Largest body that is read. No request of a cloud controller comes near it."""

KEEP_ALIVE_S = 3600
"""Idle connections outlive any client's patience, so that no request meets a connection about to close."""

CLOSE_TIMEOUT_S = 10.0
"""Longer than this no listener takes to close."""

ABORT = "abort"
"""The ASGI extension that cuts the connection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One HTTP request, read whole."""

    method: str
    """Upper case."""

    path: str
    """Percent-decoded, without the query."""

    query: str
    """As sent, without the question mark."""

    headers: Mapping[str, str]
    """By lower-case name; of a repeated header the values are joined by commas."""

    body: bytes
    """The whole body."""

    port: int
    """Port of the listener at which it arrived."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One HTTP response; its length is set when it is sent."""

    status: int
    """HTTP status."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers besides Content-Length and Date."""

    body: bytes = b""
    """The whole body."""


Application = Callable[[Request], Awaitable[Reply | None]]
"""Answers requests, on the server's event loop.

None: drop the connection without a byte, as a dead machine would.
"""


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class TooLargeError(Exception):
    """The body is longer than `BODY_BYTES_MAX`."""


class DisconnectedError(Exception):
    """The client went away before its request was whole."""


class State(StrEnum):
    """The life of a server."""

    NEW = "not started"
    OPEN = "started"
    CLOSED = "closed"


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection that also lets the application cut it."""

    def on_message_begin(self) -> None:
        """Put the way to cut the connection where ASGI keeps what a server adds."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {ABORT: self.transport.abort}}


class Listener(uvicorn.Server):
    """One uvicorn server on one socket; says when it serves, and closes at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take the socket into the event loop."""
        await super().startup(sockets)
        self.serving.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the socket, cut the connections and cancel what is under way; waits for no client."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        under_way = list(self.server_state.tasks)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


class Server:
    """One application on loopback listeners, served by one daemon thread.

    Methods are for any other thread.
    """

    def __init__(self, application: Application, listeners: Iterable[socket.socket] = ()) -> None:
        """`listeners` are bound and listening TCP sockets; the server owns and closes them."""
        self._asgi = asgi(application)
        self._waiting = list(listeners)
        self._serving: dict[Listener, Future[None]] = {}
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake-cloud-http", daemon=True)
        self._state = State.NEW
        self._guard = threading.RLock()

    def start(self) -> None:
        """Return once every listener serves. RuntimeError: started or closed before."""
        with self._guard:
            if self._state is not State.NEW:
                raise RuntimeError(f"this server is {self._state}, so it cannot be started")
            self._state = State.OPEN
            self._thread.start()
            while self._waiting:
                self.add_listener(self._waiting.pop(0))

    def add_listener(self, listener: socket.socket) -> None:
        """Serve one more socket, and return once it is served. RuntimeError: not started, or closed."""
        with self._guard:
            if self._state is not State.OPEN:
                raise RuntimeError(f"this server is {self._state}, so it cannot take a listener")
            server = Listener(configuration(self._asgi))
            done = asyncio.run_coroutine_threadsafe(server.serve([listener]), self._loop)
            self._serving[server] = done
            done.add_done_callback(lambda _: server.serving.set())
            server.serving.wait()
            if done.done():
                done.result()

    def close(self) -> None:
        """Close the listeners, cut the connections, cancel what is under way, join the thread. Repeatable."""
        with self._guard:
            was, self._state = self._state, State.CLOSED
            for listener in self._waiting:
                listener.close()
            self._waiting.clear()
            if was is State.OPEN:
                self._stop()
            if was is not State.CLOSED:
                self._loop.close()

    def _stop(self) -> None:
        for server in self._serving:
            server.should_exit = True
        for done in self._serving.values():
            done.exception(timeout=CLOSE_TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


def configuration(application: Asgi) -> uvicorn.Config:
    """A silent HTTP/1.1 server with keep-alive and nothing around the application."""
    return uvicorn.Config(
        application,
        interface="asgi3",
        http=Connection,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="critical",
        timeout_keep_alive=KEEP_ALIVE_S,
    )


def asgi(application: Application) -> Asgi:
    """The application behind ASGI; it never sees strangers and oversized bodies."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_fields(scope["headers"])
        if not is_loopback(headers.get("host", "")):
            await respond(send, plain(421, "This server answers only to a loopback address as its Host."))
            return
        try:
            body = await read_body(receive)
        except TooLargeError:
            text = f"This server reads bodies of at most {BODY_BYTES_MAX} bytes."
            await respond(send, plain(413, text, connection="close"))
            return
        except DisconnectedError:
            return
        reply = await application(request_of(scope, headers, body))
        if reply is not None:
            await respond(send, reply)
            return
        scope["extensions"][ABORT][ABORT]()
        while (await receive())["type"] != "http.disconnect":
            pass

    return serve


def request_of(scope: Scope, headers: Mapping[str, str], body: bytes) -> Request:
    """The request in our form."""
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        port=scope["server"][1],
    )


def header_fields(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header fields by lower-case name, repeated ones joined (RFC 9110, 5.2)."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine by itself, so that no web page's own name can lead here."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def read_body(receive: Receive) -> bytes:
    """The whole body. TooLargeError: it passes `BODY_BYTES_MAX`. DisconnectedError: it never came."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise TooLargeError
        if not message.get("more_body", False):
            return bytes(body)


async def respond(send: Send, reply: Reply) -> None:
    """Send a reply with its length."""
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    fields = [field for field in fields if field[0] != b"content-length"]
    fields.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": fields})
    await send({"type": "http.response.body", "body": reply.body})


def plain(status: int, text: str, **headers: str) -> Reply:
    """A reply of one line of text."""
    return Reply(status=status, headers={"content-type": "text/plain", **headers}, body=f"{text}\n".encode())
