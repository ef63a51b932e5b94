"""A cloud of one shelf, small enough to test the front door with."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from fakeclouds.base import Call, CloudError
from fakeclouds.front_door import Answer, Callers, FrontDoor, PendingCall
from fakeclouds.http import Reply, Request, Server
from fakeclouds.rules import Rules


@dataclass
class Parrot:
    """Speaks `GET /Operation?key=…&resource=…`; backends are given by operation and may do as they like."""

    backends: dict[str, Callable[[PendingCall], Answer]] = field(default_factory=dict)
    shelf: list[str] = field(default_factory=list)

    cloud = "parrot"
    operations: Mapping[str, bool] = field(
        default_factory=lambda: {"shelf:Put": True, "shelf:List": False, "shelf:Create": True}
    )

    def acknowledgeable(self, operation: str) -> bool:
        return operation == "shelf:Put"

    def identify(self, request: Request) -> PendingCall:
        asked = dict(parse_qsl(request.query))
        operation = request.path.removeprefix("/")
        if not operation:
            raise CloudError("MissingAction", "say what to do", 400)
        return PendingCall(
            service="shelf",
            operation=operation,
            resource=asked.get("resource", ""),
            mutating=operation != "List",
            access_key=asked.pop("key", None),
            parameters=asked,
        )

    def unknown_key(self, call: PendingCall, shown: str) -> CloudError:
        return CloudError("AuthFailure", f"who is {shown}?", 401)

    def answer(self, request: Request, call: PendingCall) -> Answer:
        if call.operation in self.backends:
            return self.backends[call.operation](call)
        if call.mutating:
            self.shelf.append(call.resource)
            return Answer(reply=json_reply(200, {"ok": True}))
        return Answer(reply=json_reply(200, {"items": self.shelf}))

    def acknowledge(self, call: PendingCall) -> Reply:
        return json_reply(200, {"ok": True})

    def empty(self, call: PendingCall) -> Reply:
        return json_reply(200, {"items": []})

    def refuse(self, call: PendingCall | None, error: CloudError) -> Reply:
        return json_reply(error.status, {"code": error.code, "message": error.message})


class Aviary:
    """A front door with a parrot behind it and one caller, `ann`."""

    def __init__(self, **backends: Callable[[PendingCall], Answer]) -> None:
        self.parrot = Parrot(backends=backends)
        self.rules = Rules(self.parrot)
        self.callers = Callers()
        self.calls: list[Call] = []
        self.key, _ = self.callers.issue("ann")
        self.door = FrontDoor(self.parrot, self.rules, self.calls.append, self.callers)

    def request(self, operation: str, resource: str = "", *, key: str | None = None) -> Request:
        return request(f"/{operation}", f"key={self.key if key is None else key}&resource={resource}")

    def ask(self, operation: str, resource: str = "", *, key: str | None = None) -> Reply | None:
        return asyncio.run(self.door.handle(self.request(operation, resource, key=key)))

    def code(self, operation: str, resource: str = "", *, key: str | None = None) -> str | None:
        reply = self.ask(operation, resource, key=key)
        assert reply is not None
        code: str | None = json.loads(reply.body).get("code")
        return code


def json_reply(status: int, content: object) -> Reply:
    return Reply(status=status, headers={"content-type": "application/json"}, body=json.dumps(content).encode())


def request(path: str, query: str = "", *, method: str = "GET", port: int = 80, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method=method, path=path, query=query, headers=named, body=b"", port=port)


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@contextmanager
def served(application: Callable[..., object], *listeners: socket.socket) -> Iterator[Server]:
    server = Server(application, listeners)  # type: ignore[arg-type]
    server.start()
    try:
        yield server
    finally:
        server.close()
