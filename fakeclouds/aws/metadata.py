"""The EC2 instance metadata service (IMDS), a listener for each process that pretends to run on an instance.

Reads instances through a function that it is given and writes nothing; a dialect of the front door, so its
reads are journalled and open to rules as all calls are. Behaviour and error codes, where nothing else is
said: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import html
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import responses
from types import MappingProxyType

from fakeclouds.aws import metadata_categories as categories
from fakeclouds.aws.metadata_categories import CREDENTIALS, MetadataView, timestamp
from fakeclouds.base import CloudError
from fakeclouds.front_door import Answer, Callers, PendingCall
from fakeclouds.http import Reply, Request

SERVICE = "imds"
TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
TOKEN_HEADER = "x-aws-ec2-metadata-token"  # noqa: S105 - a header name
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
TTL_S_MIN, TTL_S_MAX = 1, 21600
CREDENTIALS_LIFETIME = timedelta(hours=6)
TEXT = MappingProxyType({"content-type": "text/plain"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """Where a caller sits: the process behind one listener and the instance on which it pretends to run."""

    caller: str
    """To whom the listener was given."""

    instance_id: str | None
    """The instance; None for a process that runs on no instance of this cloud."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """An IMDSv2 session."""

    instance_id: str
    """The only instance on which it is valid."""

    expires_s: float
    """When it ends, on the clock of the service."""


ROOT = "/latest/"

OPERATIONS: Mapping[str, bool] = MappingProxyType(
    {f"{SERVICE}:PUT {TOKEN_PATH}": False}
    | {f"{SERVICE}:GET {ROOT}{path}": False for path in categories.PATHS | categories.FOLDERS | {""}}
)
"""Every request that is answered or rightly refused; none changes the account."""

ERROR_PAGE = """\
<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
 </head>
 <body>
  <h1>{title}</h1>{reason}
 </body>
</html>
"""

Describe = Callable[[str], MetadataView | None]
"""The metadata of an instance by its id as of now; None unless the instance is running."""

Clock = Callable[[], float]
"""Seconds from any fixed point, as `time.monotonic`."""


@dataclass(kw_only=True, slots=True)
class MetadataService:
    """The dialect of the metadata service. Implements `fakeclouds.front_door.Dialect`.

    A listener whose instance does not run (or that has none) drops every connection without an answer: the
    link-local address of a machine that is off answers nothing, not even an error.
    """

    describe: Describe
    """Where the facts come from; called under the front door's lock."""

    callers: Callers
    """Where the credentials of an instance's role are issued."""

    clock: Clock = time.monotonic
    """What tokens expire by."""

    _seats: dict[int, Seat] = field(default_factory=dict)
    _tokens: dict[str, Token] = field(default_factory=dict)

    @property
    def cloud(self) -> str:
        """The cloud that the journal names."""
        return "aws"

    def seat(self, *, port: int, caller: str, instance_id: str | None) -> None:
        """Say who asks at this port, and on which instance; a later word for the same port replaces it."""
        self._seats[port] = Seat(caller=caller, instance_id=instance_id)

    @property
    def operations(self) -> Mapping[str, bool]:
        """Every path that is served or rightly empty, e.g. `imds:GET /latest/meta-data/instance-id`."""
        return OPERATIONS

    def acknowledgeable(self, operation: str) -> bool:
        """Nothing: no metadata request changes the account."""
        return False

    def identify(self, request: Request) -> PendingCall:
        """Who asks, by the port; what for, by the path."""
        seat = self._seats[request.port]
        return PendingCall(
            service=SERVICE,
            operation=f"{request.method} {canonical(request.path)}",
            resource=seat.instance_id or "",
            mutating=False,
            caller=seat.caller,
            parameters={"path": request.path},
        )

    def unknown_key(self, call: PendingCall, shown: str) -> CloudError:
        """No key is ever asked for here."""
        return refusal(HTTPStatus.UNAUTHORIZED)

    def answer(self, request: Request, call: PendingCall) -> Answer:
        """What the instance says. CloudError: 400, 401, 403 and 404 as documented."""
        view = self.describe(call.resource) if call.resource else None
        if view is None:
            return Answer(reply=None)
        if request.path == TOKEN_PATH:
            return Answer(reply=self._issue_token(request, view))
        self._check_token(request, view)
        value = self._value(request.path.removeprefix(ROOT), view, call)
        if value is None:
            raise refusal(HTTPStatus.NOT_FOUND)
        return Answer(reply=Reply(status=200, headers=TEXT, body=value.encode()))

    def acknowledge(self, call: PendingCall) -> Reply:
        """Never asked for: nothing is `acknowledgeable`."""
        return Reply(status=200, headers=TEXT)

    def empty(self, call: PendingCall) -> Reply:
        """A value of no length."""
        return Reply(status=200, headers=TEXT)

    def refuse(self, call: PendingCall | None, error: CloudError) -> Reply:
        """The small page that the service answers; the reason only where it is ours to give."""
        title = f"{error.status} - {responses.get(error.status, 'Error')}"
        reason = f"\n  <p>{html.escape(error.message)}</p>" if error.status >= 500 else ""
        body = ERROR_PAGE.format(title=title, reason=reason)
        return Reply(status=error.status, headers={"content-type": "text/html"}, body=body.encode())

    def _issue_token(self, request: Request, view: MetadataView) -> Reply:
        """A new session. CloudError: 403 for a forwarded request, 400 for a bad time to live."""
        if "x-forwarded-for" in request.headers:
            raise refusal(HTTPStatus.FORBIDDEN)
        ttl = request.headers.get(TTL_HEADER, "")
        if not re.fullmatch("[0-9]{1,5}", ttl) or not TTL_S_MIN <= int(ttl) <= TTL_S_MAX:
            raise refusal(HTTPStatus.BAD_REQUEST)
        now = self.clock()
        self._tokens = {key: token for key, token in self._tokens.items() if now < token.expires_s}
        key = secrets.token_urlsafe(42)
        self._tokens[key] = Token(instance_id=view.instance_id, expires_s=now + int(ttl))
        return Reply(status=200, headers={**TEXT, TTL_HEADER: ttl}, body=key.encode())

    def _check_token(self, request: Request, view: MetadataView) -> None:
        """CloudError: 401 for a token that is missing though required, or invalid, expired or another's."""
        key = request.headers.get(TOKEN_HEADER)
        if key is None and not view.tokens_required:
            return
        token = self._tokens.get(key or "")
        if token is None or token.instance_id != view.instance_id or token.expires_s <= self.clock():
            raise refusal(HTTPStatus.UNAUTHORIZED)

    def _value(self, path: str, view: MetadataView, call: PendingCall) -> str | None:
        """What stands at a path, value or listing; None where nothing does."""
        path = path.rstrip("/")
        leaves = categories.leaves(view)
        if view.role is not None:
            leaves[f"{CREDENTIALS}{view.role}"] = ""
        if view.role is not None and path == f"{CREDENTIALS}{view.role}":
            return self._role_credentials(call.caller or "")
        return leaves[path] if path in leaves else categories.listing(leaves, f"{path}/" if path else "")

    def _role_credentials(self, caller: str) -> str:
        """A fresh key for the caller of this listener, so that the journal still knows who calls.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
        """
        access_key, secret_key = self.callers.issue(caller)
        now = datetime.now(UTC)
        credentials = {
            "Code": "Success",
            "LastUpdated": timestamp(now),
            "Type": "AWS-HMAC",
            "AccessKeyId": access_key,
            "SecretAccessKey": secret_key,
            "Token": secrets.token_urlsafe(64),
            "Expiration": timestamp(now + CREDENTIALS_LIFETIME),
        }
        return json.dumps(credentials, indent=2)


def canonical(path: str) -> str:
    """A request's path as `operations` spells it; a path outside `/latest/` as it is."""
    if path == TOKEN_PATH or not path.startswith(ROOT):
        return path
    return ROOT + categories.canonical(path.removeprefix(ROOT))


def refusal(status: HTTPStatus) -> CloudError:
    """An error that the service is documented to give; its code is the status's own name."""
    return CloudError(status.phrase.replace(" ", ""), status.phrase, status.value)
