"""AWS on the wire: signed requests in, errors and empty successes out.

Nothing here knows the backend. Signatures are not verified: keys are dummies, only their names count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from moto.core.serialize import get_serializer_class

from fakeclouds.aws.operations import operation_model
from fakeclouds.base import CloudError
from fakeclouds.http import Reply, Request

REQUEST_ID = "00000000-0000-4000-8000-000000000000"
"""AWS numbers its replies; here the journal does."""

XML = {"content-type": "text/xml;charset=UTF-8"}
JSON = {"content-type": "application/x-amz-json-1.1"}

CREDENTIAL = re.compile(r"Credential=(?P<key>[^/,\s]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
"""The credential of Signature Version 4.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""

ERROR_CODE = re.compile(r"<Code>(?P<code>[^<]+)</Code>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """Who asks whom, by the request's own words."""

    access_key: str
    """The key that signed it."""

    region: str
    """The region that it was signed for."""

    signing_name: str
    """The service that it was signed for, e.g. `elasticloadbalancing`."""


def form_of(request: Request) -> dict[str, str]:
    """The parameters of a query-protocol request, from the body or the URL."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        pairs += parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return dict(pairs)


def signed(request: Request, form: Mapping[str, str]) -> Signed:
    """The credential scope of header or URL. CloudError: the request is not signed."""
    credential = request.headers.get("authorization") or f"Credential={form.get('X-Amz-Credential', '')}"
    match = CREDENTIAL.search(credential)
    if match is None:
        raise CloudError(
            "MissingAuthenticationToken",
            "The request must contain a valid (registered) AWS access key ID.",
            403,
        )
    return Signed(access_key=match["key"], region=match["region"], signing_name=match["service"])


def error(service: str, failure: CloudError) -> Reply:
    """An error as the service writes it; the service may be empty where it is not known."""
    code, message = escape(failure.code), escape(failure.message)
    if service == "ec2":
        text = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{REQUEST_ID}</RequestID></Response>"
        )
    elif service in ("elb", "elbv2", "sts", ""):
        fault = "Sender" if failure.status < 500 else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        )
    else:
        body = json.dumps({"__type": failure.code, "message": failure.message})
        return Reply(status=failure.status, headers=JSON, body=body.encode())
    return Reply(status=failure.status, headers=XML, body=text.encode())


def success(service: str, operation: str, result: Mapping[str, object]) -> Reply:
    """A success that holds just `result`. ValueError: AWS has no such operation."""
    model = operation_model(service, operation)
    if model is None:
        raise ValueError(f"AWS has no operation {service}:{operation}")
    protocol = "ec2" if service == "ec2" else "query"
    serializer = get_serializer_class(model.service_model.service_name, protocol)
    written = serializer(operation_model=model, pretty_print=False).serialize(dict(result))
    return Reply(status=200, headers=XML, body=as_bytes(written["body"]))


def error_code(status: int, body: bytes) -> str | None:
    """The error code in a reply; None when it is a success."""
    if status < 400:
        return None
    match = ERROR_CODE.search(body.decode("utf-8", "replace"))
    return match["code"] if match else f"HTTP {status}"


def as_bytes(body: str | bytes) -> bytes:
    """A body as it goes out."""
    return body.encode() if isinstance(body, str) else body
