"""What a session runs: which clouds, which releases of their controllers, and the profile of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fakeclouds import CLOUDS

from .components import COMPONENTS, Binaries
from .components.program import version_of
from .components.registry import component_named
from .controllers.profile import ControllerProfile, load_profile
from .errors import UsageError
from .known_issues import KnownIssue, load_known_issues

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kwok")
"""Components that every lab on the local control plane needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerChoice:
    """One controller that scenarios run against."""

    cloud: str
    """Name of the fake cloud."""
    component: str
    """Name of the binary."""
    version: str | None
    """Release, or None for a binary given by its path."""
    path: Path | None
    """The binary, where the user gave one."""
    label: str
    """How ids and tables call it; empty for the only one of its cloud."""

    @property
    def title(self) -> str:
        """How reports call it."""
        return f"{self.component} {self.version or self.path}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What a session runs."""

    choices: tuple[ControllerChoice, ...]
    """Every controller."""
    profiles: Mapping[str, ControllerProfile]
    """Profile of each cloud."""
    known_issues: Mapping[str, tuple[KnownIssue, ...]]
    """Known issues of each cloud's controllers."""

    def wanted(self) -> list[tuple[str, str | None]]:
        """Return every binary that has to be found or built."""
        components: list[tuple[str, str | None]] = [(name, None) for name in CONTROL_PLANE]
        return components + [(choice.component, choice.version) for choice in self.choices if choice.path is None]

    def check_paths(self) -> None:
        """Raise UsageError for a given binary that cannot run here, or is another program."""
        for choice in self.choices:
            if choice.path is not None:
                known = next((entry for entry in COMPONENTS if entry.name == choice.component), None)
                version_of(choice.path, known)

    def issues(self, choice: ControllerChoice, variant: str | None) -> tuple[KnownIssue, ...]:
        """Return the known issues that a controller has."""
        known = self.known_issues[choice.cloud]
        return tuple(issue for issue in known if issue.concerns(choice.component, choice.version, variant))

    def paths(self, choice: ControllerChoice, binaries: Binaries) -> dict[str, Path]:
        """Return the path of every component of a lab; raises BinaryNotFound for one that was not ensured."""
        paths = {name: binaries.get(name).path for name in CONTROL_PLANE}
        paths[choice.component] = choice.path or binaries.get(choice.component, choice.version).path
        return paths


def select(
    clouds: Sequence[str], controllers: Sequence[str], profiles: Iterable[str], issues: Iterable[str], folder: Path
) -> Selection:
    """Turn `--cloud`, `--controller` and the settings `controller_profiles` and `known_issues` into what is run.

    Raises UsageError that names the value and lists those there are.
    """
    chosen = list(dict.fromkeys(clouds)) or sorted(CLOUDS)
    for cloud in chosen:
        _check_cloud(cloud, "--cloud")
    overrides = {cloud: folder / path for cloud, path in (_pair(text, "controller_profiles") for text in profiles)}
    for cloud in overrides:
        _check_cloud(cloud, "controller_profiles")
    wanted: dict[str, list[str]] = {}
    for text in controllers:
        cloud, value = _pair(text, "--controller")
        _check_cloud(cloud, "--controller")
        if clouds and cloud not in chosen:
            raise UsageError(f"--controller {text}: {cloud} is not among --cloud {', '.join(chosen)}")
        wanted.setdefault(cloud, []).append(value)
    if controllers and not clouds:
        chosen = [cloud for cloud in chosen if cloud in wanted]
    loaded = {cloud: load_profile(cloud, overrides.get(cloud)) for cloud in chosen}
    choices = [choice for cloud in chosen for choice in _choices(cloud, loaded[cloud], wanted.get(cloud, []))]
    files = [folder / path for path in issues]
    known = {cloud: load_known_issues(cloud, files) for cloud in chosen}
    return Selection(choices=tuple(choices), profiles=loaded, known_issues=known)


def _choices(cloud: str, profile: ControllerProfile, values: list[str]) -> list[ControllerChoice]:
    component = profile.spec.component
    if not values:
        known = any(entry.name == component for entry in COMPONENTS)
        version = component_named(component).releases[0].version if known else None
        return [ControllerChoice(cloud=cloud, component=component, version=version, path=None, label="")]
    choices = [_choice(cloud, component, value, alone=len(values) == 1) for value in dict.fromkeys(values)]
    labels = [choice.label for choice in choices]
    # Two builds under one file name: their places tell them apart.
    return [
        replace(choice, label=str(choice.path).strip("/").replace("/", "_"))
        if labels.count(choice.label) > 1
        else choice
        for choice in choices
    ]


def _choice(cloud: str, component: str, value: str, *, alone: bool) -> ControllerChoice:
    if value.startswith("image:"):
        raise UsageError(f"--controller {cloud}={value}: images run on the kind control plane, which is not there yet")
    if re.fullmatch(r"v?\d+\.\d+\.\d+", value):
        version = value.removeprefix("v")
        return ControllerChoice(
            cloud=cloud, component=component, version=version, path=None, label="" if alone else version
        )
    path = Path(value).expanduser().absolute()
    if not path.exists():
        raise UsageError(
            f"--controller {cloud}={value}: there is no file {path}; "
            "write a release such as 1.37.1, or the path of a binary"
        )
    label = "" if alone else path.name
    return ControllerChoice(cloud=cloud, component=component, version=None, path=path, label=label)


def _pair(text: str, option: str) -> tuple[str, str]:
    cloud, equals, value = text.partition("=")
    if not equals or not value:
        raise UsageError(f"{option} {text!r}: write CLOUD=VALUE, such as aws=1.37.1 or aws=/path/to/binary")
    return cloud, value


def _check_cloud(cloud: str, option: str) -> None:
    if cloud not in CLOUDS:
        raise UsageError(f"{option}: no cloud {cloud!r}; there are: {', '.join(sorted(CLOUDS))}")
