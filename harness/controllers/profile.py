"""Controller profiles: flags, environment, cloud config, RBAC and features of a controller, as a file.

Each cloud ships one; a provider's repository overrides it with a file that says `extends: <cloud>`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ..errors import UsageError
from ..scenario.duration import Duration
from ..scenario.load import DocumentError, read_document
from ..scenario.strict import Feature, Strict


class PolicyRule(Strict):
    """A rule of a ClusterRole (rbac.authorization.k8s.io/v1)."""

    api_groups: list[str]
    """API groups; "" is the core group."""
    resources: list[str]
    """Resources, with subresources as `nodes/status`."""
    verbs: list[str]
    """Verbs."""


class CloudConfig(Strict):
    """The file given by `--cloud-config`, once for each source of the controller's facts."""

    config: str
    """Told everything: network, subnet, zone."""
    metadata: str = ""
    """Told as little as possible: the facts come from the instance metadata service."""


class Readiness(Strict):
    """How to tell that the controller runs."""

    path: str = "/healthz"
    """HTTPS path on the secure port that answers 200."""
    within: Duration = Field(default=Duration("60s"))
    """Bound."""


class ProfileSpec(Strict):
    """What a profile says."""

    extends: str | None = None
    """Name of the cloud whose profile this one changes: lists are appended, mappings merged, the rest replaced."""
    cloud: str
    """Name of the fake cloud."""
    component: str
    """Name of the binary."""
    arguments: list[str]
    """Command-line flags; where a flag stands twice the later one wins, as in Kubernetes."""
    environment: dict[str, str] = {}
    """Environment variables; the child gets these and a fixed allow-list, nothing of yours."""
    cloud_config: CloudConfig
    """The cloud config."""
    readiness: Readiness = Readiness()
    """How to tell that the controller runs."""
    reconcile_period: Duration
    """The longest of the controller's periods under these flags, and how long one pass of it may take."""
    service_account: str
    """Service account in kube-system that the controller authenticates as."""
    identities: list[str] = []
    """Further service accounts in kube-system that the controller writes as."""
    cluster_role: list[PolicyRule]
    """Rules that the controller's service account is bound to, as its provider publishes them."""
    features: list[Feature]
    """Features that this controller has with these flags; a scenario that needs another is unsupported here."""
    load_balancer_variants: list[str] = []
    """Kinds of load balancer that a scenario runs once for."""


class Metadata(Strict):
    """Name of the profile."""

    name: str
    """How reports call it."""


class ControllerProfile(Strict):
    """How a real controller is started against a fake cloud."""

    api_version: Literal["harness/v1alpha1"]
    """Version of this format."""
    kind: Literal["ControllerProfile"]
    """Always ControllerProfile."""
    metadata: Metadata
    """Name."""
    spec: ProfileSpec
    """The profile."""

    @property
    def users(self) -> frozenset[str]:
        """The authenticated users that the controller acts as."""
        accounts = [self.spec.service_account, *self.spec.identities]
        return frozenset(f"system:serviceaccount:kube-system:{account}" for account in accounts)


def load_profile(cloud: str, override: Path | None = None) -> ControllerProfile:
    """Return the profile of a cloud, changed by a user's file where one is given.

    Raises UsageError with every problem of the file, each with its line.
    """
    shipped = resources.files("fakeclouds") / cloud / "controller.yaml"
    base = read_document(Path(str(shipped)))
    if override is None:
        return base.validate(ControllerProfile)
    changed = read_document(override)
    spec = changed.data.get("spec") if isinstance(changed.data, dict) else None
    extends = spec.get("extends") if isinstance(spec, dict) else None
    if extends is None:
        return changed.validate(ControllerProfile)
    if extends != cloud:
        raise DocumentError([changed.problem(("spec", "extends"), f"extends {extends!r}, but is given for {cloud!r}")])
    return changed.replaced(merge(base.data, changed.data)).validate(ControllerProfile)


def merge(base: Any, change: Any) -> Any:
    """Append lists, merge mappings, replace the rest."""
    if isinstance(base, Mapping) and isinstance(change, Mapping):
        return {key: merge(base.get(key), change[key]) if key in change else base[key] for key in {**base, **change}}
    if isinstance(base, list) and isinstance(change, list):
        return [*base, *change]
    return change


class _Words(string.Formatter):
    """`{word}` with an error that lists the words there are."""

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        if key in kwargs:
            return kwargs[str(key)]
        raise UsageError(f"the controller profile uses {{{key}}}, which is none of: {', '.join(sorted(kwargs))}")


def fill(template: str, words: Mapping[str, str]) -> str:
    """Fill in `{word}`s; raises UsageError that lists the words there are, or says how to write a brace."""
    try:
        return _Words().vformat(template, (), words)
    except (AttributeError, ValueError) as error:
        raise UsageError(f"the controller profile's {template!r}: {error} (a brace itself is {{{{ or }}}})") from None
