"""Which components there are, and to which versions they are pinned.

A component is one real program. Each of its releases is a folder beside this file that holds a `go.mod` and a
`go.sum`: the version is read from there and typed nowhere else. Nothing is looked for, built or run here.
"""

from __future__ import annotations

import difflib
import functools
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import HarnessError, UsageError

MODULES = Path(__file__).parent
"""The folder of the module folders; read-only where the package is installed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """One published file with its pinned checksum."""

    url: str
    member: str | None
    """Path of the binary within the archive, for a `.tar.gz`; None where the file is the binary itself."""
    sha256: str
    """Checksum of the file in hex digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """Where a project publishes its releases, with the checksums that are pinned."""

    url: str
    """Address, in which `{version}`, `{os}` and `{arch}` (Go's names) are filled in."""
    member: str = ""
    """Path of the binary within the archive, filled in alike; empty where the address is the binary
    itself."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Checksum of what the address gives, by `VERSION/OS/ARCH`. What is not listed is never downloaded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """One real program that a lab can run."""

    name: str
    """File name of the binary."""
    package: str
    """Go package that is built."""
    source: str
    """Go module whose required version is the component's version."""
    modules: tuple[str, ...]
    """Folders beside this file, one a release; the first is the default."""
    announces: str
    """What `--version` prints before the version."""
    under_test: bool = False
    """Whether this is what users test. If so only the exact version is taken from an assets folder or PATH;
    of anything else any patch release of the wanted minor is."""
    variables: tuple[str, ...] = ()
    """Go variables that the linker sets, with `{version}`, `{major}`, `{minor}`."""
    build_s: float = 60.0
    """How long a build takes on two cores with nothing cached, in seconds."""
    published: Published | None = None
    """Where it can be downloaded; None where it is not published as a file or no checksum is known."""

    @property
    def releases(self) -> tuple[Release, ...]:
        """Every pinned release, the default first."""
        return tuple(Release(component=self, folder=MODULES / module) for module in self.modules)

    def release(self, version: str | None = None) -> Release | None:
        """Return the pinned release of a version (`1.34.4`, or `1.34` for its newest patch), None without
        one.

        Without a version it is the default release.
        """
        if version is None:
            return self.releases[0]
        fitting = [release for release in self.releases if is_version(release.version, version)]
        return max(fitting, key=lambda release: _numbers(release.version), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One pinned version of a component."""

    component: Component
    folder: Path
    """Holds its `go.mod` and `go.sum`."""

    @property
    def version(self) -> str:
        """Version without a leading `v`; raises HarnessError when go.mod does not name it."""
        return _required_version(self.folder / "go.mod", self.component.source)

    @property
    def title(self) -> str:
        """Name and version for people."""
        return f"{self.component.name} {self.version}"

    @property
    def go_required(self) -> str:
        """The oldest Go that builds it, e.g. `1.26.0`."""
        found = re.search(r"^go (\S+)$", (self.folder / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise HarnessError(f"{self.folder / 'go.mod'} names no Go version")
        return found[1]

    @property
    def linker_flags(self) -> str:
        """Value of `-ldflags`: stripped, version stamped."""
        major, minor = self.version.split(".")[:2]
        stamps = (name.format(version=self.version, major=major, minor=minor) for name in self.component.variables)
        return " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in stamps)])

    def download(self, system: Platform) -> Download | None:
        """Return the published file for a platform; None where no checksum of it is pinned."""
        published = self.component.published
        sha256 = published and published.sha256.get(f"{self.version}/{system}")
        if not published or not sha256:
            return None
        words = {"version": self.version, "os": system.os, "arch": system.arch}
        member = published.member.format(**words)
        return Download(url=published.url.format(**words), member=member or None, sha256=sha256)


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """An operating system and a processor architecture, in Go's names."""

    os: str
    arch: str

    def __str__(self) -> str:
        return f"{self.os}/{self.arch}"


def this_machine() -> Platform:
    """Return the platform that binaries run on here."""
    machine = platform.machine().lower()
    return Platform(os=platform.system().lower(), arch={"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine))


def is_version(version: str, wanted: str) -> bool:
    """Whether a version is the wanted one; a wanted `1.34` is met by every `1.34.x`."""
    wanted = wanted.removeprefix("v")
    return version == wanted or version.startswith(f"{wanted}.")


def component_named(name: str) -> Component:
    """Return the component of a name; raises UsageError that lists those there are."""
    for component in COMPONENTS:
        if component.name == name:
            return component
    names = [component.name for component in COMPONENTS]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"no component is named {name!r}{hint} (there are: {', '.join(names)})")


@functools.cache
def _required_version(go_mod: Path, source: str) -> str:
    """Return the version of `source` that a go.mod requires, without its `v`."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(source)} v(\S+)", go_mod.read_text(), re.MULTILINE)
    if found is None:
        raise HarnessError(f"{go_mod} does not require {source}")
    return found[1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


_VERSION_VARIABLE = "k8s.io/component-base/version.gitVersion=v{version}"

# An API server without major and minor reports empty ones at /version, and clients fail to parse them.
_KUBERNETES_VARIABLES = (
    _VERSION_VARIABLE,
    "k8s.io/component-base/version.gitMajor={major}",
    "k8s.io/component-base/version.gitMinor={minor}",
)

# Checksums of Kubernetes: kubernetes/kops 268927e26409, pkg/assets/assetdata/k8s-1.34.yaml; of etcd:
# kubernetes-sigs/kubespray 46dbdd3994b3, roles/kubespray_defaults/vars/main/checksums.yml. For kwok none is
# known. The AWS controller is published as an image only.
COMPONENTS: tuple[Component, ...] = (
    Component(
        name="aws-cloud-controller-manager",
        package="k8s.io/cloud-provider-aws/cmd/aws-cloud-controller-manager",
        source="k8s.io/cloud-provider-aws",
        modules=(
            "aws-cloud-controller-manager-1.37.1",
            "aws-cloud-controller-manager-1.33.4",
            "aws-cloud-controller-manager-1.34.3",
            "aws-cloud-controller-manager-1.34.4",
        ),
        announces="Kubernetes ",
        under_test=True,
        variables=(_VERSION_VARIABLE,),
        build_s=390,
    ),
    Component(
        name="etcd",
        package="go.etcd.io/etcd/server/v3",
        source="go.etcd.io/etcd/server/v3",
        modules=("etcd-3.6",),
        announces="etcd Version: ",
        build_s=60,
        published=Published(
            url="https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-{os}-{arch}.tar.gz",
            member="etcd-v{version}-{os}-{arch}/etcd",
            sha256={
                "3.6.8/linux/amd64": "cf9cfe91a4856cb90eed9c99e6aee4b708db2c7888b88a6f116281f04b0ea693",
                "3.6.8/linux/arm64": "438f56a700d17ce761510a3e63e6fa5c1d587b2dd4d7a22c179c09a649366760",
            },
        ),
    ),
    Component(
        name="kube-apiserver",
        package="k8s.io/kubernetes/cmd/kube-apiserver",
        source="k8s.io/kubernetes",
        modules=("kubernetes-1.34",),
        announces="Kubernetes ",
        variables=_KUBERNETES_VARIABLES,
        build_s=400,
        published=Published(
            url="https://dl.k8s.io/release/v{version}/bin/{os}/{arch}/kube-apiserver",
            sha256={
                "1.34.4/linux/amd64": "9da2739e1cb9981986e181e9104be1863ef1d54c497e3c0232b41e1171582180",
                "1.34.4/linux/arm64": "6920f4b3e83521bc0fa591eb266f462c3c95b2a681f39aa6fea3daf6141882fe",
            },
        ),
    ),
    Component(
        name="kube-controller-manager",
        package="k8s.io/kubernetes/cmd/kube-controller-manager",
        source="k8s.io/kubernetes",
        modules=("kubernetes-1.34",),
        announces="Kubernetes ",
        variables=_KUBERNETES_VARIABLES,
        build_s=100,
        published=Published(
            url="https://dl.k8s.io/release/v{version}/bin/{os}/{arch}/kube-controller-manager",
            sha256={
                "1.34.4/linux/amd64": "089a7b944b1cd46f5e61d12dfe27ff769ebb6c11a1d671cfaae140a4174c039d",
                "1.34.4/linux/arm64": "9c44a983b516eb5741aa1cf9d5c38a0180893fb17bd464bf2f03c84ce000a29d",
            },
        ),
    ),
    Component(
        name="kwok",
        package="sigs.k8s.io/kwok/cmd/kwok",
        source="sigs.k8s.io/kwok",
        modules=("kwok-0.7",),
        announces="kwok version ",
        build_s=80,
    ),
)
"""Every component, by name. A new release of one is a module folder and its name in `modules`."""
