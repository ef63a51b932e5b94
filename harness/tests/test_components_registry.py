"""The registry agrees with the module folders beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.components.registry import COMPONENTS, MODULES, Component, Platform, Release, component_named
from harness.errors import HarnessError, UsageError

RELEASES = [release for component in COMPONENTS for release in component.releases]


def test_versions_are_read_from_the_modules() -> None:
    versions = {component.name: [release.version for release in component.releases] for component in COMPONENTS}
    assert versions == {
        "aws-cloud-controller-manager": ["1.37.1", "1.33.4", "1.34.3", "1.34.4"],
        "etcd": ["3.6.8"],
        "kube-apiserver": ["1.34.4"],
        "kube-controller-manager": ["1.34.4"],
        "kwok": ["0.7.0"],
    }


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.title)
def test_the_package_is_a_tool_of_its_module(release: Release) -> None:
    go_mod = (release.folder / "go.mod").read_text()
    tools = re.findall(r"^(?:tool |\t)(\S+)$", go_mod, re.MULTILINE)
    assert release.component.package in tools
    assert (release.folder / "go.sum").exists()
    assert "\ntoolchain " not in go_mod, "the oldest Go is read from the go line alone"


def test_every_module_folder_belongs_to_a_component() -> None:
    registered = {module for component in COMPONENTS for module in component.modules}
    assert {path.parent.name for path in MODULES.glob("*/go.mod")} == registered


def test_components_are_in_order() -> None:
    assert [component.name for component in COMPONENTS] == sorted(component.name for component in COMPONENTS)


def test_a_pinned_checksum_belongs_to_the_pinned_version() -> None:
    for component in COMPONENTS:
        for key in component.published.sha256 if component.published is not None else ():
            version, system, arch = key.split("/")
            release = component.release(version)
            assert release is not None
            assert release.version == version
            assert release.download(Platform(os=system, arch=arch)) is not None


def test_the_address_of_a_download_is_filled_in() -> None:
    download = component_named("etcd").releases[0].download(Platform(os="linux", arch="arm64"))
    assert download is not None
    assert download.url == ("https://github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-arm64.tar.gz")
    assert download.member == "etcd-v3.6.8-linux-arm64/etcd"


def test_nothing_is_downloaded_for_a_platform_without_a_checksum() -> None:
    assert component_named("etcd").releases[0].download(Platform(os="linux", arch="riscv64")) is None
    assert component_named("kwok").releases[0].download(Platform(os="linux", arch="amd64")) is None


def test_kubernetes_carries_its_version_with_major_and_minor() -> None:
    assert component_named("kube-apiserver").releases[0].linker_flags == (
        "-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4"
        " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"
    )


@pytest.mark.parametrize(
    ("wanted", "version"),
    [(None, "1.37.1"), ("1.34.3", "1.34.3"), ("v1.34.3", "1.34.3"), ("1.34", "1.34.4"), ("1.3", None), ("1.36", None)],
)
def test_a_release_is_found_by_version_or_minor(wanted: str | None, version: str | None) -> None:
    release = component_named("aws-cloud-controller-manager").release(wanted)
    assert (release.version if release is not None else None) == version


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean kube-apiserver") as caught:
        component_named("kube-apisever")
    assert "kwok" in str(caught.value)


def test_a_module_that_does_not_require_its_component_is_named(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x.invalid/x\n\ngo 1.24.0\n\nrequire x.invalid/other v1.0.0\n")
    component = Component(name="x", package="p", source="x.invalid/thing", modules=(), announces="x ")
    with pytest.raises(HarnessError, match=r"go\.mod does not require x\.invalid/thing"):
        _ = Release(component=component, folder=tmp_path).version
