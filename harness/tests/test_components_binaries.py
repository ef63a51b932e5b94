"""Where a binary comes from: the order of places, and what is taken or passed over in each."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import shutil
from pathlib import Path

import pytest

from harness.components import Binaries, Progress, binaries, registry
from harness.components.registry import COMPONENTS, Download, Release, component_named
from harness.errors import BinaryNotFound, HarnessError, UsageError

from .fake_go import FakeGo, announcing

AWS = "aws-cloud-controller-manager"


@pytest.fixture(autouse=True)
def _empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on PATH, nothing in the cache, no variable set."""
    for variable in ("CLOUD_PROVIDER_HARNESS_ASSETS", "KUBEBUILDER_ASSETS", "GOTOOLCHAIN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CLOUD_PROVIDER_HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def found(log: io.StringIO) -> Binaries:
    return Binaries(progress=Progress(log))


def folder(path: Path, **announcements: str) -> Path:
    """Make a folder of programs by name (`_` for `-`)."""
    path.mkdir(exist_ok=True)
    for name, announcement in announcements.items():
        announcing(path / name.replace("_", "-"), announcement)
    return path


def test_a_missing_binary_is_not_found(found: Binaries) -> None:
    assert found.find("etcd") is None


def test_an_unknown_component_is_the_users_mistake(found: Binaries) -> None:
    with pytest.raises(UsageError, match="no component is named 'ectd'; did you mean etcd"):
        found.find("ectd")


def test_a_given_path_comes_before_everything(tmp_path: Path) -> None:
    folder(tmp_path / "path", etcd="etcd Version: 3.6.8")
    given = announcing(tmp_path / "mine", "etcd Version: 9.9.9")
    binary = Binaries(given={"etcd": given}).get("etcd")
    assert (binary.version, binary.path, binary.origin) == ("9.9.9", given, "given")
    assert binary.digest == hashlib.sha256(given.read_bytes()).hexdigest()


def test_a_given_path_answers_requests_for_any_version(tmp_path: Path) -> None:
    given = announcing(tmp_path / "mine", "Kubernetes v1.38.0")
    assert Binaries(given={AWS: given}).get(AWS, "1.34.3").version == "1.38.0"


def test_paths_may_be_given_for_one_version_each(tmp_path: Path) -> None:
    given = {
        f"{AWS}@before": announcing(tmp_path / "one", "Kubernetes v1.37.0"),
        f"{AWS}@after": announcing(tmp_path / "two", "Kubernetes v1.38.0"),
    }
    found = Binaries(given=given)
    assert [found.get(AWS, word).version for word in ("before", "after")] == ["1.37.0", "1.38.0"]
    assert found.find(AWS) is None


def test_a_component_that_nobody_registered_may_be_given(tmp_path: Path) -> None:
    given = announcing(tmp_path / "ccm", "v2.0.1")
    assert Binaries(given={"other-cloud-controller-manager": given}).get("other-cloud-controller-manager").version == (
        "2.0.1"
    )


def test_a_relative_given_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announcing(tmp_path / "mine", "etcd Version: 3.6.8")
    monkeypatch.chdir(tmp_path)
    assert Binaries(given={"etcd": Path("mine")}).get("etcd").path == tmp_path / "mine"


def test_a_given_path_that_is_another_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not etcd"):
        Binaries(given={"etcd": announcing(tmp_path / "mine", "kwok version v0.7.0")}).get("etcd")


def test_an_assets_folder_comes_before_path(tmp_path: Path) -> None:
    folder(tmp_path / "path", etcd="etcd Version: 3.6.8")
    assets = folder(tmp_path / "assets", etcd="etcd Version: 3.6.8")
    binary = Binaries(assets=assets).get("etcd")
    assert (binary.path, binary.origin) == (assets / "etcd", "assets")


def test_the_environment_names_assets_folders_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = folder(tmp_path / "ours", etcd="etcd Version: 3.6.8")
    envtest = folder(tmp_path / "envtest", etcd="etcd Version: 3.6.8", kube_apiserver="Kubernetes v1.34.4")
    monkeypatch.setenv("CLOUD_PROVIDER_HARNESS_ASSETS", str(ours))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(envtest))
    found = Binaries()
    assert found.get("etcd").path == ours / "etcd"
    assert found.get("kube-apiserver").path == envtest / "kube-apiserver"


def test_an_assets_folder_that_is_none_is_refused_but_not_that_of_envtest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "absent"))
    assert Binaries().find("etcd") is None
    monkeypatch.setenv("CLOUD_PROVIDER_HARNESS_ASSETS", str(tmp_path / "absent"))
    with pytest.raises(UsageError, match=r"the assets folder .*/absent is no folder"):
        Binaries()


def test_an_assets_folder_may_hold_several_versions(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for version in ("1.34.3", "1.34.4", "1.37.1"):
        announcing(assets / f"{AWS}-{version}", f"Kubernetes v{version}")
    found = Binaries(assets=assets)
    assert [found.get(AWS, version).version for version in (None, "1.34.3", "1.34")] == ["1.37.1", "1.34.3", "1.34.4"]


@pytest.mark.parametrize(
    ("name", "announcement", "wanted", "is_taken"),
    [
        ("etcd", "etcd Version: 3.6.1", None, True),
        ("etcd", "etcd Version: 3.5.21", None, False),
        ("etcd", "etcd Version: 3.6.1", "3.6.8", False),
        ("etcd", "etcd Version: 3.5.21", "3.5", True),
        ("kube-apiserver", "Kubernetes v1.34.1", None, True),
        ("kube-apiserver", "Kubernetes v1.33.9", None, False),
        (AWS, "Kubernetes v1.37.1", None, True),
        (AWS, "Kubernetes v1.37.0", None, False),
        (AWS, "Kubernetes v1.37.0", "1.37.0", True),
        (AWS, "Kubernetes v0.0.0-master+x", None, False),
    ],
)
def test_path_is_taken_only_in_the_wanted_version(
    tmp_path: Path, found: Binaries, name: str, announcement: str, wanted: str | None, is_taken: bool
) -> None:
    announcing(tmp_path / "path" / name, announcement)
    binary = found.find(name, wanted)
    assert (binary is not None) == is_taken
    assert binary is None or binary.origin == "path"


def test_what_is_passed_over_is_listed_with_the_reason(tmp_path: Path, found: Binaries) -> None:
    folder(tmp_path / "path", etcd="etcd Version: 3.4.23", kwok="something else")
    listed = {listing.release.component.name: listing for listing in found.list()}
    assert listed["etcd"].binary is None
    assert listed["etcd"].passed_over == (f"{tmp_path}/path/etcd is version 3.4.23, wanted is 3.6.x",)
    assert "is not kwok" in listed["kwok"].passed_over[0]


def test_what_is_missing_is_built_once_and_then_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries, log: io.StringIO
) -> None:
    go = FakeGo(tmp_path / "go", monkeypatch)
    built = found.get("etcd")
    assert (built.version, built.origin) == ("3.6.8", "built")
    cached = Binaries().get("etcd")
    assert (cached.path, cached.digest, cached.origin) == (built.path, built.digest, "cache")
    assert built.path.is_relative_to(tmp_path / "cache")
    assert len(go.builds) == 1
    assert log.getvalue().splitlines()[0] == "building etcd 3.6.8 (about 1 min on two cores, once)"


def test_another_toolchain_builds_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries) -> None:
    FakeGo(tmp_path / "older", monkeypatch, version="1.26.7")
    older = found.get("etcd")
    FakeGo(tmp_path / "newer", monkeypatch, version="1.26.8")
    newer = Binaries().get("etcd")
    assert newer.origin == "built"
    assert newer.path != older.path


def test_a_machine_without_go_takes_what_another_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries
) -> None:
    FakeGo(tmp_path / "go", monkeypatch)
    built = found.get("kwok")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    binary = Binaries().find("kwok")
    assert binary is not None
    assert (binary.path, binary.origin) == (built.path, "cache")


def test_a_damaged_cache_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries) -> None:
    go = FakeGo(tmp_path / "go", monkeypatch)
    built = found.get("etcd")
    built.path.write_text("damaged")
    again = Binaries().get("etcd")
    assert again.digest == built.digest
    assert len(go.builds) == 2


def test_several_versions_of_a_controller_live_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries, log: io.StringIO
) -> None:
    FakeGo(tmp_path / "go", monkeypatch)
    made = found.ensure([(AWS, None), (AWS, "1.34.3"), (AWS, "1.34.4"), (AWS, None)])
    assert [binary.version for binary in made.values()] == ["1.37.1", "1.34.3", "1.34.4"]
    assert len({binary.path for binary in made.values()}) == 3
    assert "building aws-cloud-controller-manager 1.34.3 (2 of 3, about 6 min" in log.getvalue()


def test_nothing_is_built_when_one_of_the_wanted_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries
) -> None:
    go = FakeGo(tmp_path / "go", monkeypatch)
    with pytest.raises(BinaryNotFound, match=r"no release of that version is pinned") as caught:
        found.ensure([("etcd", None), ("kube-apiserver", "1.20.0")])
    assert "ask for a pinned version: 1.34.4" in str(caught.value)
    assert go.builds == []


def test_a_failed_build_is_an_error_and_leaves_no_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries
) -> None:
    FakeGo(tmp_path / "go", monkeypatch).fail_with("undefined: x\n")
    with pytest.raises(HarnessError, match="undefined: x"):
        found.get("etcd")
    assert list((tmp_path / "cache" / "binaries").iterdir()) == []


def test_without_go_and_binary_the_ways_to_provide_one_are_listed(tmp_path: Path, found: Binaries) -> None:
    announcing(tmp_path / "path" / AWS, "Kubernetes v1.36.0")
    with pytest.raises(BinaryNotFound) as caught:
        found.get(AWS)
    assert str(caught.value).splitlines() == [
        f"there is no binary of {AWS} 1.37.1:",
        "  - it cannot be built: there is no go on PATH",
        f"  - no download with a known checksum is pinned for {registry.this_machine()}",
        f"  - {tmp_path}/path/{AWS} is version 1.36.0, wanted is 1.37.1",
        "provide it in one of these ways:",
        "  - give its path: pytest --controller CLOUD=PATH",
        f"  - put {AWS} 1.37.1 on PATH, or into the folder that CLOUD_PROVIDER_HARNESS_ASSETS names",
        "  - install Go 1.26.0 or newer (https://go.dev/dl/); it is built once",
        f"  - run `python -m harness binaries build {AWS}@1.37.1` on a machine with Go, with this version",
        f"    of the package, and copy its cache to {tmp_path}/cache (CLOUD_PROVIDER_HARNESS_CACHE)",
    ]


def test_a_go_that_is_too_old_is_named_with_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries
) -> None:
    FakeGo(tmp_path / "go", monkeypatch, version="1.24.4")
    with pytest.raises(BinaryNotFound, match=r"needs Go 1\.26\.0 or newer, .*/go is 1\.24\.4 and may not"):
        found.get(AWS)


def test_a_go_that_does_not_work_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries) -> None:
    announcing(tmp_path / "path" / "go", "no json")
    with pytest.raises(BinaryNotFound, match=r"the Go at .*/go does not work"):
        found.get("kwok")


def test_a_release_is_downloaded_where_no_go_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries, log: io.StringIO
) -> None:
    published = announcing(tmp_path / "published", "etcd Version: 3.6.8")
    _publish(monkeypatch, published, hashlib.sha256(published.read_bytes()).hexdigest())
    binary = found.get("etcd")
    assert (binary.version, binary.origin) == ("3.6.8", "downloaded")
    assert binary.path.read_bytes() == published.read_bytes()
    assert log.getvalue().startswith(f"downloading etcd 3.6.8 (file://{published})")
    again = Binaries().find("etcd")
    assert again is not None
    assert (again.path, again.origin) == (binary.path, "cache")


def test_a_download_with_a_wrong_checksum_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries
) -> None:
    _publish(monkeypatch, announcing(tmp_path / "published", "etcd Version: 3.6.8"), "0" * 64)
    with pytest.raises(BinaryNotFound, match="wrong checksum") as caught:
        found.get("etcd")
    assert "provide it in one of these ways" in str(caught.value)
    assert found.find("etcd") is None
    assert list((tmp_path / "cache" / "binaries").iterdir()) == []


def test_a_go_that_can_build_comes_before_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries
) -> None:
    _publish(monkeypatch, tmp_path / "absent", "0" * 64)
    FakeGo(tmp_path / "go", monkeypatch)
    assert found.get("etcd").origin == "built"


def test_modules_of_an_installed_package_are_built_without_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries
) -> None:
    site = tmp_path / "site-packages"
    shutil.copytree(component_named("etcd").releases[0].folder, site / "etcd-3.6")
    for path in (*site.rglob("*"), site):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setattr(registry, "MODULES", site)
    go = FakeGo(tmp_path / "go", monkeypatch)
    assert found.get("etcd").origin == "built"
    assert go.builds[0].startswith(f"{site}/etcd-3.6 build -mod=readonly")


def test_the_list_has_every_pinned_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Binaries) -> None:
    FakeGo(tmp_path / "go", monkeypatch)
    found.get(AWS, "1.34.3")
    listed = Binaries().list()
    assert [listing.release for listing in listed] == [each for one in COMPONENTS for each in one.releases]
    assert [listing.release.title for listing in listed if listing.binary is not None] == [f"{AWS} 1.34.3"]
    assert next(listing.release.title for listing in listed if listing.is_default) == f"{AWS} 1.37.1"


def test_the_user_cache_is_used_unless_another_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CLOUD_PROVIDER_HARNESS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    FakeGo(tmp_path / "go", monkeypatch)
    built = Binaries(progress=Progress(io.StringIO())).get("etcd")
    assert built.path.is_relative_to(tmp_path / "xdg" / "cloud-provider-harness" / "binaries")


@pytest.mark.parametrize(
    ("text", "wanted"), [("etcd", ("etcd", None)), ("etcd@3.6.8", ("etcd", "3.6.8")), (f"{AWS}@v1.34", (AWS, "1.34"))]
)
def test_a_name_with_a_version_is_split(text: str, wanted: tuple[str, str | None]) -> None:
    assert binaries.parse_wanted(text) == wanted


def _publish(monkeypatch: pytest.MonkeyPatch, path: Path, sha256: str) -> None:
    """Let etcd be published as a file of this machine."""
    download = Download(url=f"file://{path}", member=None, sha256=sha256)
    monkeypatch.setattr(Release, "download", lambda release, system: dataclasses.replace(download))
