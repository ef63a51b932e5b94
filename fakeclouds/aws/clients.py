"""botocore clients for our own account: over HTTP through the door, or in this process past it.

A call past the door is neither journalled nor open to rules: the harness's own hand, not a controller's.
"""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from fakeclouds.aws.api import AwsDialect
from fakeclouds.base import CloudError
from fakeclouds.front_door import FrontDoor
from fakeclouds.http import Reply, Request

NO_SETTINGS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""The user's own AWS settings, by environment or file, are none of our business."""

ONCE = Config(retries={"total_max_attempts": 1})
"""Every call is made once: an error is an answer."""

_session_in_use = threading.Lock()

INSIDE_KEY = "FAKEINSIDE0000000000"
"""Access key of calls past the door, where nobody asks for it."""


class RawReply(io.BytesIO):
    """A body as botocore reads it from a connection."""

    def stream(self, amount: int = 1024, **_: Any) -> Iterator[bytes]:
        """Pieces of at most `amount` bytes."""
        while piece := self.read(amount):
            yield piece


@cache
def bare_session() -> botocore.session.Session:
    """The session of the process: it holds AWS's API descriptions, and nothing of anybody's."""
    return botocore.session.Session(session_vars=NO_SETTINGS)


def over_http(service: str, *, endpoint: str, region: str, access_key: str, secret_key: str) -> Any:
    """A client of a service (`ec2`, `elb`, `elbv2`, `sts`) that calls an endpoint."""
    with _session_in_use:
        return bare_session().create_client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=ONCE,
        )


class InsideClients:
    """Clients that call a dialect in this process, under the front door's lock."""

    def __init__(self, dialect: AwsDialect, lock: threading.RLock, region: str) -> None:
        self._dialect = dialect
        self._lock = lock
        self._region = region
        self._access = (INSIDE_KEY, INSIDE_KEY)
        self._clients: dict[str, Any] = {}

    def __getitem__(self, service: str) -> Any:
        """The client of a service (`ec2`, `elb`, `elbv2`, `sts`)."""
        if service not in self._clients:
            access_key, secret_key = self._access
            client = over_http(
                service,
                endpoint="http://localhost",
                region=self._region,
                access_key=access_key,
                secret_key=secret_key,
            )
            client.meta.events.register("before-send.*", self._send)
            self._clients[service] = client
        return self._clients[service]

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        reply = self._answer(received(request))
        return AWSResponse(request.url, reply.status, HTTPHeaders.from_dict(dict(reply.headers)), RawReply(reply.body))

    def _answer(self, request: Request) -> Reply:
        call = None
        try:
            call = self._dialect.identify(request)
            with self._lock:
                reply = self._dialect.answer(request, call).reply
        except CloudError as error:
            return self._dialect.refuse(call, error)
        return reply or Reply(status=500)


class DoorClients(InsideClients):
    """Clients whose calls go through the front door, journalled and open to rules, without a connection.

    They also work when the door's listener is in another network namespace.
    """

    def __init__(self, door: FrontDoor, region: str, access: tuple[str, str]) -> None:
        self._door = door
        self._region = region
        self._access = access
        self._clients = {}

    def _answer(self, request: Request) -> Reply:
        return asyncio.run(self._door.handle(request)) or Reply(status=500)


def received(request: AWSPreparedRequest) -> Request:
    """A request of botocore as a server reads it."""
    headers = {name.lower(): as_text(value) for name, value in request.headers.items()}
    path, _, query = request.url.partition("//")[2].partition("/")[2].partition("?")
    body: Any = request.body or b""
    return Request(
        method=request.method,
        path=f"/{path}",
        query=query,
        headers=headers,
        body=body if isinstance(body, bytes) else body.encode(),
        port=0,
    )


def as_text(value: str | bytes) -> str:
    """A header's value as text."""
    return value.decode() if isinstance(value, bytes) else value
