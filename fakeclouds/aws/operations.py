"""What AWS's API descriptions (botocore's service models) say: operations, parameters, and what a call is about.

Reads no state; the models are loaded once a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from botocore.model import OperationNotFoundError
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model
from werkzeug.datastructures import MultiDict

READ_PREFIXES = ("Describe", "Get", "List")
"""An operation whose name begins so changes nothing (AWS's own naming; exceptions are not used by controllers)."""

COMMON_PARAMETERS = frozenset(
    {"Action", "Version", "AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp"}
)
"""Query parameters that belong to the protocol. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html"""

VERSIONS = {"2012-06-01": "elb", "2015-12-01": "elbv2"}
"""The two generations of load balancers share a signing name; the API version tells them apart."""

RESOURCE_PARAMETERS = (
    "InstanceId",
    "InstanceIds",
    "RouteTableId",
    "RouteTableIds",
    "GroupId",
    "GroupIds",
    "LoadBalancerName",
    "LoadBalancerNames",
    "TargetGroupArn",
    "TargetGroupArns",
    "ListenerArn",
    "ListenerArns",
    "LoadBalancerArn",
    "LoadBalancerArns",
    "ResourceArns",
    "Resources",
    "Names",
    "Name",
    "GroupName",
    "SubnetId",
    "SubnetIds",
    "NetworkInterfaceId",
    "NetworkInterfaceIds",
    "VpcId",
    "VpcIds",
    "RouteTableAssociationId",
)
"""Parameters that say what a call is about, the first that is there wins."""


def is_mutating(operation: str) -> bool:
    """Whether an operation, e.g. `CreateRoute`, changes the account."""
    return not operation.startswith(READ_PREFIXES)


def implemented(service: str, handler: type[BaseResponse]) -> dict[str, bool]:
    """The operations of a service that a response class has a method for, as `service:Operation` → mutating."""
    return {
        f"{service}:{name}": is_mutating(name)
        for name in get_service_model(service).operation_names
        if hasattr(handler, camelcase_to_underscores(name))
    }


def operation_model(service: str, operation: str) -> OperationModel | None:
    """AWS's description of an operation; None: AWS has none of that name."""
    try:
        return cast(OperationModel, get_service_model(service).operation_model(operation))
    except OperationNotFoundError:
        return None


def parse(model: OperationModel, form: Mapping[str, str]) -> dict[str, Any]:
    """Query parameters as nested values under the names of the API description. ValueError: a number is none."""
    protocol = "ec2" if model.service_model.service_name == "ec2" else "query"
    parser = PROTOCOL_PARSERS[protocol](model)
    parsed: dict[str, Any] = parser.parse(cast(Any, {"values": MultiDict(form)}))
    return parsed


def undescribed(model: OperationModel, form: Mapping[str, str]) -> tuple[str, ...]:
    """Query parameters that the API description does not know, so that no handler can have seen them, sorted."""
    known = {name for member in _members(model) for name in _wire_names(member)}
    sent = {name.partition(".")[0] for name in form if not name.startswith("X-Amz-")}
    return tuple(sorted(sent - known - COMMON_PARAMETERS))


def acknowledgeable(service: str, operation: str) -> bool:
    """Whether the success of an operation carries nothing but, at most, `Return: true` and the id it was given."""
    model = operation_model(service, operation)
    if model is None or not is_mutating(operation):
        return False
    return model.output_shape is None or set(model.output_shape.members) <= {"Return", "GroupId"}


def resource_of(parameters: Mapping[str, Any]) -> str:
    """What a call is about, e.g. `rtb-0a1b/10.244.0.0/24`; empty where it names nothing."""
    if destination := parameters.get("DestinationCidrBlock") or parameters.get("DestinationIpv6CidrBlock"):
        return f"{parameters.get('RouteTableId', '')}/{destination}"
    for name in RESOURCE_PARAMETERS:
        if value := parameters.get(name):
            return ",".join(canonical(str(item)) for item in (value if isinstance(value, list) else [value]))
    return ""


def canonical(name: str) -> str:
    """An id or name as it is; of a load balancer's or target group's ARN the name without its random part."""
    kind, *rest = name.rpartition(":")[2].split("/")
    if not name.startswith("arn:") or not rest:
        return name
    if kind == "targetgroup":
        return rest[0]
    return rest[1] if len(rest) > 1 else rest[0]


def _members(model: OperationModel) -> list[tuple[str, Any]]:
    return list(model.input_shape.members.items()) if model.input_shape else []


def _wire_names(member: tuple[str, Any]) -> tuple[str, ...]:
    name, shape = member
    spelled = shape.serialization.get("queryName") or shape.serialization.get("name") or name
    return name, spelled, spelled[:1].upper() + spelled[1:]
