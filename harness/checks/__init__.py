"""The checks: one class each, by the key that scenario files use. A new check is a class and a line here."""

from __future__ import annotations

from pydantic.alias_generators import to_camel, to_snake

from .account import AsBefore
from .base import Check
from .calls import Calls, CloudApi, EventSeen, NoCloudWrites, ObjectMatches
from .nodes import (
    NodeAbsent,
    NodeCondition,
    NodeInitialised,
    NodePresent,
    NodeTaint,
    NodeUninitialised,
    NodeUntaintedOnlyWhenInitialised,
)
from .routes import RouteAbsent, RouteExists, RoutePresent
from .services import (
    FinalizerBeforeLoadBalancer,
    LoadBalancerAbsent,
    LoadBalancerMatches,
    ServiceAbsent,
    ServiceAddress,
    ServiceAddressCleared,
    ServiceAddressStable,
    ServiceFinalizer,
    ServiceReadyEndpoints,
)

CHECKS: tuple[type[Check], ...] = (
    AsBefore,
    Calls,
    CloudApi,
    EventSeen,
    FinalizerBeforeLoadBalancer,
    LoadBalancerAbsent,
    LoadBalancerMatches,
    NoCloudWrites,
    NodeAbsent,
    NodeCondition,
    NodeInitialised,
    NodePresent,
    NodeTaint,
    NodeUninitialised,
    NodeUntaintedOnlyWhenInitialised,
    ObjectMatches,
    RouteAbsent,
    RouteExists,
    RoutePresent,
    ServiceAbsent,
    ServiceAddress,
    ServiceAddressCleared,
    ServiceAddressStable,
    ServiceFinalizer,
    ServiceReadyEndpoints,
)


def key_of(operation: type) -> str:
    """Return the key of a check or an action in scenario files: its class name in lowerCamelCase."""
    return to_camel(to_snake(operation.__name__))


__all__ = ["CHECKS", "Check", "key_of"]
