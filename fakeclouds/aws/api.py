"""AWS's query API as a dialect of the front door: who asks for what, and moto's answer with our corrections.

Forwards and reports; what is wrong in moto is put right in `corrections`, one behaviour a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from moto.core.request import Request as MotoRequest

from fakeclouds.aws import operations, wire
from fakeclouds.aws.account import Account
from fakeclouds.aws.parameters import Recorded
from fakeclouds.base import CloudError
from fakeclouds.front_door import Answer, PendingCall
from fakeclouds.http import Reply, Request

SERVICES = {"ec2": "ec2", "sts": "sts"}
"""Signing name → service, where there is no choice of generations."""

REGIONLESS = frozenset({"sts"})
"""Services that answer for every region."""

MOTO_HEADERS = ("authorization", "content-type")
"""Headers that moto is shown: from others it would guess a region or an account."""


class AwsDialect:
    """The dialect of one account. Implements `fakeclouds.front_door.Dialect`."""

    cloud = "aws"

    def __init__(self, account: Account) -> None:
        self._account = account

    @cached_property
    def operations(self) -> Mapping[str, bool]:
        """Every operation that has a handler, as `service:Operation` → mutating."""
        return {
            name: mutating
            for service, handler in self._account.services.items()
            for name, mutating in operations.implemented(service, handler).items()
        }

    def acknowledgeable(self, operation: str) -> bool:
        """Whether success of this `service:Operation` says nothing that a caller could miss."""
        return operations.acknowledgeable(*operation.split(":", 1))

    def identify(self, request: Request) -> PendingCall:
        """Read what is asked. CloudError: not signed, no action, or no such action."""
        form = wire.form_of(request)
        signed = wire.signed(request, form)
        service = service_of(signed.signing_name, form)
        operation = form.get("Action") or request.headers.get("x-amz-target", "").rpartition(".")[2]
        if not operation:
            raise CloudError("MissingAction", "The request must contain the parameter Action.")
        parameters = self._parameters(service, operation, form)
        return PendingCall(
            service=service,
            operation=operation,
            resource=operations.resource_of(parameters),
            mutating=operations.is_mutating(operation),
            access_key=signed.access_key,
            parameters=parameters,
        )

    def unknown_key(self, call: PendingCall, shown: str) -> CloudError:
        """What AWS says to a key that it does not know.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (AuthFailure, 401) and
        https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/CommonErrors.html
        (InvalidClientTokenId, 403).
        """
        issued = f"; the key {shown}… was not issued by this fake cloud"
        if call.service == "ec2":
            return CloudError(
                "AuthFailure", f"AWS was not able to validate the provided access credentials{issued}", 401
            )
        text = f"The security token included in the request is invalid{issued}"
        return CloudError("InvalidClientTokenId", text, 403)

    def answer(self, request: Request, call: PendingCall) -> Answer:
        """The answer of moto. NotImplementedError: neither moto nor we have one."""
        form = wire.form_of(request)
        self._check_region(wire.signed(request, form).region, call)
        headers = {name: request.headers[name] for name in MOTO_HEADERS if name in request.headers}
        url = f"http://localhost/?{request.query}"
        reply, handler = self._account.handle(
            call.service, MotoRequest.from_primitives(request.method, url, headers, request.body)
        )
        body = wire.as_bytes(reply.body)
        return Answer(
            reply=Reply(status=reply.status, headers=wire.XML, body=body),
            error_code=wire.error_code(reply.status, body),
            unread=self._unread(call, form, getattr(handler, "params", None)) if reply.status < 400 else (),
        )

    def acknowledge(self, call: PendingCall) -> Reply:
        """The reply of a success that had no effect."""
        return wire.success(call.service, call.operation, {"Return": True})

    def empty(self, call: PendingCall) -> Reply:
        """The reply of a read that found nothing."""
        return wire.success(call.service, call.operation, {})

    def refuse(self, call: PendingCall | None, error: CloudError) -> Reply:
        """The error as the called service writes it."""
        return wire.error(call.service if call else "", error)

    def _parameters(self, service: str, operation: str, form: Mapping[str, str]) -> Mapping[str, Any]:
        if service not in self._account.services:
            return {}
        model = operations.operation_model(service, operation)
        if model is None:
            text = f"The action {operation} is not valid for this web service."
            raise CloudError("InvalidAction", text)
        try:
            return operations.parse(model, form)
        except ValueError as error:
            raise CloudError("MalformedQueryString", f"{operation}: {error}") from error

    def _check_region(self, region: str, call: PendingCall) -> None:
        if region != self._account.region and call.service not in REGIONLESS:
            raise NotImplementedError(f"asked in region {region}; this account lives in {self._account.region} only")

    @staticmethod
    def _unread(call: PendingCall, form: Mapping[str, str], parsed: Any) -> tuple[str, ...]:
        model = operations.operation_model(call.service, call.operation)
        strangers = operations.undescribed(model, form) if model else ()
        return strangers + (parsed.unread() if isinstance(parsed, Recorded) else ())


def service_of(signing_name: str, form: Mapping[str, str]) -> str:
    """The service that a request is for, as botocore calls it; the signing name itself where we serve none of it."""
    if signing_name == "elasticloadbalancing":
        return operations.VERSIONS.get(form.get("Version", ""), signing_name)
    return SERVICES.get(signing_name, signing_name)
