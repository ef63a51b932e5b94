"""Neutral load balancer options as Service annotations of cloud-provider-aws.

https://github.com/kubernetes/cloud-provider-aws/blob/master/docs/service_controller.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fakeclouds.aws.load_balancer_views import CLASSIC, NETWORK

PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"
TARGET_GROUP = f"{PREFIX}target-group-attributes"

VARIANTS: Mapping[str, Mapping[str, str]] = {CLASSIC: {}, NETWORK: {f"{PREFIX}type": "nlb"}}
"""Variant → the annotations that choose it; the classic one is the default."""


def flag(value: Any) -> str:
    """`true` or `false`. ValueError: something else."""
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return "true" if value else "false"


def listed(value: Any) -> str:
    """Comma-separated. ValueError: no list."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{value!r} is no list")
    return ",".join(str(item) for item in value)


def paired(value: Any) -> str:
    """Comma-separated `key=value`. ValueError: no mapping."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no mapping")
    return ",".join(f"{name}={member}" for name, member in value.items())


Write = Callable[[Any], str]

BOTH: Mapping[str, tuple[str, Write]] = {
    "internal": ("internal", flag),
    "cross_zone": ("cross-zone-load-balancing-enabled", flag),
    "tags": ("additional-resource-tags", paired),
    "subnets": ("subnets", listed),
    "security_groups": ("security-groups", listed),
    "target_node_labels": ("target-node-labels", paired),
    "certificate": ("ssl-cert", str),
    "tls_ports": ("ssl-ports", listed),
    "tls_policy": ("ssl-negotiation-policy", str),
    "health_check_interval_s": ("healthcheck-interval", str),
    "health_check_timeout_s": ("healthcheck-timeout", str),
    "health_check_healthy_threshold": ("healthcheck-healthy-threshold", str),
    "health_check_unhealthy_threshold": ("healthcheck-unhealthy-threshold", str),
    "health_check_path": ("healthcheck-path", str),
    "health_check_port": ("healthcheck-port", str),
    "health_check_protocol": ("healthcheck-protocol", str),
}
"""Option → annotation and how its value is written, for either variant."""

ONLY: Mapping[str, Mapping[str, tuple[str, Write]]] = {
    CLASSIC: {
        "backend_protocol": ("backend-protocol", str),
        "idle_timeout_s": ("connection-idle-timeout", str),
        "draining": ("connection-draining-enabled", flag),
        "draining_timeout_s": ("connection-draining-timeout", str),
        "extra_security_groups": ("extra-security-groups", listed),
    },
    NETWORK: {"public_addresses": ("eip-allocations", listed)},
}

TARGET_GROUP_OPTIONS = {
    "proxy_protocol": "proxy_protocol_v2.enabled",
    "preserve_client_ip": "preserve_client_ip.enabled",
}
"""Options of a network load balancer that are attributes of its target groups."""


def service_annotations(variant: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of a Service for a variant with options.

    ValueError: an unknown variant or option (the message lists those that are known), or a value of the wrong kind.
    """
    if variant not in VARIANTS:
        raise ValueError(f"no load balancer variant {variant!r}; known: {', '.join(VARIANTS)}")
    table = {**BOTH, **ONLY[variant]}
    known = {*table, "proxy_protocol", *(TARGET_GROUP_OPTIONS if variant == NETWORK else ())}
    if unknown := sorted(set(options) - known):
        raise ValueError(f"{variant} has no option {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    annotations = dict(VARIANTS[variant])
    for name, value in options.items():
        if name in table:
            annotation, write = table[name]
            annotations[PREFIX + annotation] = write_option(name, value, write)
    return {**annotations, **(of_targets(options) if variant == NETWORK else of_backends(options))}


def of_targets(options: Mapping[str, Any]) -> dict[str, str]:
    """What a network load balancer's target groups are told."""
    attributes = [
        f"{attribute}={write_option(name, options[name], flag)}"
        for name, attribute in TARGET_GROUP_OPTIONS.items()
        if name in options
    ]
    return {TARGET_GROUP: ",".join(attributes)} if attributes else {}


def of_backends(options: Mapping[str, Any]) -> dict[str, str]:
    """Proxy protocol on every backend of a classic load balancer; `*` is the only value that the annotation takes."""
    wanted = "proxy_protocol" in options and write_option("proxy_protocol", options["proxy_protocol"], flag) == "true"
    return {f"{PREFIX}proxy-protocol": "*"} if wanted else {}


def write_option(name: str, value: Any, write: Write) -> str:
    """A value as the annotation wants it. ValueError: names the option."""
    try:
        return write(value)
    except ValueError as error:
        raise ValueError(f"option {name}: {error}") from error
