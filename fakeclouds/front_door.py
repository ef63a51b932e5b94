"""The one way into a fake cloud: identify, check the key, apply the rules, answer, and journal every call.

Speaks no vendor's language (that is the `Dialect`) and opens no socket (that is `http`).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from fakeclouds.base import Call, CloudError, Crash, Observer
from fakeclouds.http import Reply, Request
from fakeclouds.rules import Decision, Hide, Ignore, Refuse, Rules, Vocabulary

KEY_SHOWN_CHARS = 4
"""How much of an access key that was not issued is ever shown: it might be a real one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingCall:
    """What a request asks for, before anybody answers it."""

    service: str
    """The vendor's service prefix, e.g. `ec2`."""

    operation: str
    """The vendor's operation, e.g. `CreateRoute`; reported as unimplemented unless the dialect lists it."""

    resource: str = ""
    """What the call is about, in canonical form; empty where it names nothing."""

    mutating: bool
    """Whether the operation changes the account."""

    access_key: str | None = None
    """The key that the request was signed with; None where it was not signed."""

    caller: str | None = None
    """Who calls, where the dialect knows it without a key; None: the access key decides."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What was asked, credentials left out."""

    @property
    def name(self) -> str:
        """The operation with its service, e.g. `ec2:CreateRoute`."""
        return f"{self.service}:{self.operation}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the cloud's own backend says to a call."""

    reply: Reply | None
    """The reply; None drops the connection without one."""

    error_code: str | None = None
    """The vendor's error code where the reply is an error that was not raised as a CloudError."""

    unread: tuple[str, ...] = ()
    """Parameters that the caller sent and nothing looked at."""

    implemented: bool = True
    """False where the backend has no real answer."""


class Dialect(Vocabulary, Protocol):
    """One vendor's API: how its calls are read, answered and refused. Used from the server's thread only.

    `answer` may raise CloudError (a refusal by design) and NotImplementedError (reported as unimplemented);
    whatever else any of these raises is recorded as a crash of the fake cloud. `operations` and
    `acknowledgeable` are those of `Vocabulary`; `operations` holds every operation that the fake implements.
    """

    @property
    def cloud(self) -> str:
        """Name of the cloud, e.g. `aws`."""

    def identify(self, request: Request) -> PendingCall:
        """Read the request, outside the lock and without the backend. CloudError: it is no valid call."""

    def unknown_key(self, call: PendingCall, shown: str) -> CloudError:
        """The vendor's error for a key that nobody was issued; `shown` is all of it that may be repeated."""

    def answer(self, request: Request, call: PendingCall) -> Answer:
        """The backend's answer; the front door holds its lock meanwhile."""

    def acknowledge(self, call: PendingCall) -> Reply:
        """The reply of a success that had no effect."""

    def empty(self, call: PendingCall) -> Reply:
        """The reply of a read that found nothing."""

    def refuse(self, call: PendingCall | None, error: CloudError) -> Reply:
        """The error in the vendor's form; without a call when it could not be read.

        Codes that are ours, not the vendor's: `InternalFailure` (500, the fake crashed) and `NotImplemented`
        (501).
        """


class Callers:
    """Who holds which access key. Safe to use from any thread."""

    def __init__(self) -> None:
        self._by_key: dict[str, str] = {}

    def issue(self, caller: str) -> tuple[str, str]:
        """A fresh pair of access key and secret key for a caller; earlier pairs stay valid.

        Keys are random, so that a process which strays to another run's cloud is refused there.
        """
        access_key = f"FAKE{secrets.token_hex(8).upper()}"
        self._by_key[access_key] = caller
        return access_key, secrets.token_hex(20)

    def caller_of(self, access_key: str) -> str | None:
        """To whom the key was issued; None for a key that was not."""
        return self._by_key.get(access_key)


@dataclass(slots=True)
class Passage:
    """What is known of one request on its way through."""

    request: Request
    dialect: Dialect
    started_s: float = field(default_factory=time.time)
    arrived: float = field(default_factory=time.perf_counter)
    call: PendingCall | None = None
    caller: str = "unknown"
    decision: Decision = field(default_factory=Decision)

    @property
    def operation(self) -> str:
        """The best name there is for what was asked."""
        return f"{self.request.method} {self.request.path}" if self.call is None else self.call.operation

    @property
    def name(self) -> str:
        """The operation with its service, where one is known."""
        return self.operation if self.call is None else self.call.name


class FrontDoor:
    """Every call of one cloud passes here.

    `handle` belongs to the server's event loop, the rest to any thread. The backend runs inside the event
    loop's thread and under `lock`: one call at a time, however many arrive. Injected delays are waited for
    outside the lock.
    """

    lock: threading.RLock
    """Guards the backend.

    Whoever else reads or edits it holds this; never while waiting for a call to this door.
    """

    def __init__(self, dialect: Dialect, rules: Rules, observe: Observer, callers: Callers) -> None:
        """`dialect` is spoken at every port but those given to `speak`."""
        self.lock = threading.RLock()
        self._dialect = dialect
        self._at_port: dict[int, Dialect] = {}
        self._rules = rules
        self._observe = observe
        self._callers = callers
        self._sequence = itertools.count(1)
        self._crashes: list[Crash] = []

    @property
    def crashes(self) -> tuple[Crash, ...]:
        """Every fault of the fake cloud itself so far, oldest first."""
        return tuple(self._crashes)

    def speak(self, dialect: Dialect, *, port: int) -> None:
        """Let requests at this port be read in another dialect, e.g. that of the metadata service."""
        self._at_port[port] = dialect

    async def handle(self, request: Request) -> Reply | None:
        """Answer one request, and tell the observer. Never raises; None drops the connection."""
        passage = Passage(request=request, dialect=self._at_port.get(request.port, self._dialect))
        try:
            answer = await self._answer(passage)
        except CloudError as error:
            answer = self._refusal(passage, error)
        except NotImplementedError as gap:
            answer = self._refusal(passage, unimplemented(passage, gap), implemented=False)
        except Exception as crash:  # the backend is foreign code: whatever it throws is a finding, not our end
            answer = self._refusal(passage, self._crashed(passage, crash))
        self._journal(passage, answer)
        return answer.reply

    async def _answer(self, passage: Passage) -> Answer:
        dialect, request = passage.dialect, passage.request
        call = passage.call = dialect.identify(request)
        passage.caller = self._caller(passage, call)
        if call.name not in dialect.operations:
            raise NotImplementedError
        passage.decision = self._rules.decide(operation=call.name, caller=passage.caller, resource=call.resource)
        if passage.decision.delay_s:
            await asyncio.sleep(passage.decision.delay_s)
        match passage.decision.action:
            case Refuse(code=code, message=message, status=status):
                raise CloudError(code, message, status)
            case Ignore():
                return Answer(reply=dialect.acknowledge(call))
            case Hide():
                return Answer(reply=dialect.empty(call))
        with self.lock:
            return dialect.answer(request, call)

    def _caller(self, passage: Passage, call: PendingCall) -> str:
        """Who makes the call. CloudError: nobody to whom access was issued."""
        known = call.caller or self._callers.caller_of(call.access_key or "")
        if known is not None:
            return known
        shown = (call.access_key or "")[:KEY_SHOWN_CHARS]
        if shown:
            passage.caller = f"unknown ({shown}…)"
        raise passage.dialect.unknown_key(call, shown)

    def _refusal(self, passage: Passage, error: CloudError, *, implemented: bool = True) -> Answer:
        try:
            reply = passage.dialect.refuse(passage.call, error)
        except Exception as crash:  # see handle
            self._crashed(passage, crash)
            reply = Reply(status=500, headers={"content-type": "text/plain"}, body=str(error).encode())
        return Answer(reply=reply, error_code=error.code, implemented=implemented)

    def _crashed(self, passage: Passage, crash: Exception) -> CloudError:
        """Record a crash, and say what the caller is told."""
        error = "".join(traceback.format_exception_only(crash)).strip()
        self._crashes.append(
            Crash(
                at_s=time.time(),
                caller=passage.caller,
                operation=passage.name,
                error=error,
                traceback="".join(traceback.format_exception(crash)),
            )
        )
        return CloudError("InternalFailure", f"The fake cloud crashed in {passage.name}: {error}", 500)

    def _journal(self, passage: Passage, answer: Answer) -> None:
        try:
            self._observe(self._record(passage, answer))
        except Exception as crash:  # an observer's fault must not look like the cloud's answer, nor be lost
            self._crashed(passage, crash)

    def _record(self, passage: Passage, answer: Answer) -> Call:
        call, reply = passage.call, answer.reply
        error_code = answer.error_code
        if error_code is None and reply is not None and reply.status >= 400:
            error_code = f"HTTP {reply.status}"
        return Call(
            sequence=next(self._sequence),
            started_s=passage.started_s,
            elapsed_s=time.perf_counter() - passage.arrived,
            cloud=passage.dialect.cloud,
            caller=passage.caller,
            service=call.service if call else "",
            operation=passage.operation,
            resource=call.resource if call else "",
            mutating=call.mutating if call else False,
            status=reply.status if reply else 0,
            error_code=error_code,
            parameters=MappingProxyType(dict(call.parameters)) if call else MappingProxyType({}),
            unread=answer.unread,
            implemented=answer.implemented,
            injected=passage.decision.injected,
        )


def unimplemented(passage: Passage, gap: NotImplementedError) -> CloudError:
    """The error for a call that the fake has no answer for, naming it."""
    reason = f" ({gap})" if str(gap) else ""
    return CloudError("NotImplemented", f"The fake cloud does not implement {passage.name}{reason}.", 501)
