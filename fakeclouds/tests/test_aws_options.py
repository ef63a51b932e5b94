"""Neutral load balancer options as annotations of the AWS controller."""

from __future__ import annotations

from typing import Any

import pytest

from fakeclouds.aws.options import service_annotations

PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"


@pytest.mark.parametrize(
    ("variant", "options", "annotations"),
    [
        ("classic", {}, {}),
        ("nlb", {}, {"type": "nlb"}),
        ("classic", {"internal": True}, {"internal": "true"}),
        (
            "nlb",
            {"internal": False, "cross_zone": True},
            {"type": "nlb", "internal": "false", "cross-zone-load-balancing-enabled": "true"},
        ),
        ("classic", {"proxy_protocol": True}, {"proxy-protocol": "*"}),
        ("classic", {"proxy_protocol": False}, {}),
        (
            "nlb",
            {"proxy_protocol": True, "preserve_client_ip": False},
            {
                "type": "nlb",
                "target-group-attributes": "proxy_protocol_v2.enabled=true,preserve_client_ip.enabled=false",
            },
        ),
        (
            "classic",
            {"idle_timeout_s": 120, "draining": True},
            {"connection-idle-timeout": "120", "connection-draining-enabled": "true"},
        ),
        ("nlb", {"tags": {"team": "a", "tier": "b"}}, {"type": "nlb", "additional-resource-tags": "team=a,tier=b"}),
        ("classic", {"extra_security_groups": ["sg-1", "sg-2"]}, {"extra-security-groups": "sg-1,sg-2"}),
        ("nlb", {"health_check_port": 10256}, {"type": "nlb", "healthcheck-port": "10256"}),
    ],
)
def test_options_become_annotations(variant: str, options: dict[str, Any], annotations: dict[str, str]) -> None:
    assert service_annotations(variant, options) == {PREFIX + name: value for name, value in annotations.items()}


def test_an_unknown_variant_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="classic, nlb"):
        service_annotations("alb", {})


def test_an_unknown_option_is_refused_with_those_that_the_variant_has() -> None:
    with pytest.raises(ValueError, match=r"classic has no option colour; known: .*cross_zone.*internal"):
        service_annotations("classic", {"colour": "red"})


def test_an_option_of_the_other_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="nlb has no option idle_timeout_s"):
        service_annotations("nlb", {"idle_timeout_s": 60})


@pytest.mark.parametrize("options", [{"internal": "yes"}, {"proxy_protocol": 1}, {"subnets": "a,b"}, {"tags": ["a=b"]}])
def test_a_value_of_the_wrong_kind_is_refused_by_the_options_name(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"option {next(iter(options))}:"):
        service_annotations("classic", options)
