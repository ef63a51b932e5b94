"""Building with Go: what is asked of it, what it is told, and one real build."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.components import go_build
from harness.components.go_build import build, find_go, sources_digest
from harness.components.program import build_info
from harness.components.registry import COMPONENTS, Component, Release, component_named
from harness.errors import HarnessError

from .fake_go import FakeGo, next_event, write_program

ETCD = component_named("etcd").releases[0]
NEWEST_NEEDED = component_named("aws-cloud-controller-manager").releases[0]


@pytest.fixture(autouse=True)
def _fresh_toolchain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOTOOLCHAIN", raising=False)


def _silent(detail: str) -> None:
    """Take a tick."""


def test_without_go_on_path_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_go() is None


def test_a_go_that_does_not_work_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(tmp_path / "go", "#!/bin/sh\necho 'cannot find GOROOT' >&2\nexit 2\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessError, match=r"the Go at .*/go does not work: .*cannot find GOROOT"):
        find_go()


@pytest.mark.parametrize(
    ("version", "toolchain", "chosen"),
    [
        ("1.26.0", "local", "1.26.0"),
        ("1.27rc1", "local", "1.27rc1"),
        ("1.24.4", "local", None),
        ("1.19.8", "", None),
        ("1.24.4", "auto", "1.26.0"),
        ("1.24.4", "go1.24.4+auto", "1.26.0"),
    ],
)
def test_an_older_go_builds_only_where_it_may_fetch_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, toolchain: str, chosen: str | None
) -> None:
    FakeGo(tmp_path, monkeypatch, version=version, toolchain=toolchain)
    go = find_go()
    assert go is not None
    assert NEWEST_NEEDED.go_required == "1.26.0"
    assert go.chosen_for(NEWEST_NEEDED) == chosen


def test_the_digest_of_the_toolchain_changes_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for version in ("1.26.7", "1.26.8"):
        FakeGo(tmp_path / version, monkeypatch, version=version)
        go = find_go()
        assert go is not None
        digests.append(go.digest(ETCD))
    assert len(set(digests)) == 2


def test_the_digest_of_the_sources_differs_between_all_releases() -> None:
    releases = [release for component in COMPONENTS for release in component.releases]
    assert len({sources_digest(release) for release in releases}) == len(releases)


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_the_digest_of_the_sources_changes_with_each_file(tmp_path: Path, file: str) -> None:
    shutil.copytree(ETCD.folder, tmp_path / "module")
    copy = Release(component=ETCD.component, folder=tmp_path / "module")
    assert sources_digest(copy) == sources_digest(ETCD)
    with (copy.folder / file).open("a") as opened:
        opened.write("\n")
    assert sources_digest(copy) != sources_digest(ETCD)


def test_the_compiler_is_run_in_the_module_with_flags_that_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeGo(tmp_path / "go", monkeypatch)
    go = find_go()
    assert go is not None
    build(go, ETCD, tmp_path / "out", tick=_silent)
    assert fake.builds == [
        f"{ETCD.folder} build -mod=readonly -trimpath -ldflags -s -w -o {tmp_path}/out go.etcd.io/etcd/server/v3"
    ]


def test_a_failed_build_shows_the_last_lines_of_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeGo(tmp_path / "go", monkeypatch)
    fake.fail_with("".join(f"line {number}\n" for number in range(30)))
    go = find_go()
    assert go is not None
    with pytest.raises(HarnessError, match=r"building etcd 3\.6\.8 failed: .* ended with status 1") as caught:
        build(go, ETCD, tmp_path / "out", tick=_silent)
    assert "line 29" in str(caught.value)
    assert "line 9\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("write /tmp/x: no space left on device", "The disk is full"),
        ("dial tcp: lookup proxy.invalid: no such host", "check the network, GOPROXY"),
        ("go: download go1.26.0 for linux/amd64: toolchain not available", "check the network, GOPROXY"),
    ],
)
def test_the_usual_causes_come_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, hint: str
) -> None:
    FakeGo(tmp_path / "go", monkeypatch).fail_with(f"{line}\n")
    go = find_go()
    assert go is not None
    with pytest.raises(HarnessError, match=hint):
        build(go, ETCD, tmp_path / "out", tick=_silent)


def test_a_build_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go_build, "BUILD_S_MAX", 0.05)
    monkeypatch.setattr(go_build, "_TICK_S", 0.02)
    held = FakeGo(tmp_path / "go", monkeypatch).hold()
    go = find_go()
    assert go is not None
    with pytest.raises(HarnessError, match=r"was stopped after"):
        build(go, ETCD, tmp_path / "out", tick=_silent)
    os.close(held)


def test_an_interrupt_ends_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go_build, "_TICK_S", 0.02)
    held = FakeGo(tmp_path / "go", monkeypatch).hold()
    go = find_go()
    assert go is not None

    def interrupt(detail: str) -> None:
        assert next_event(held) == b"started\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(go, ETCD, tmp_path / "out", tick=interrupt)
    assert next_event(held) == b""
    os.close(held)


@pytest.mark.skipif(shutil.which("go") is None, reason="there is no Go on this machine")
def test_a_real_module_is_built_stripped_stamped_and_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a user's environment may hold must not matter.
    (tmp_path / "go-env").write_text("GOOS=plan9\n")
    monkeypatch.setenv("GOENV", str(tmp_path / "go-env"))
    monkeypatch.setenv("GOFLAGS", "-mod=mod -buildmode=c-archive")
    monkeypatch.setenv("GOWORK", str(tmp_path / "go.work"))
    release = _hello(tmp_path / "module")
    before = {path: path.read_bytes() for path in release.folder.rglob("*") if path.is_file()}
    go = find_go()
    assert go is not None
    build(go, release, tmp_path / "hello", tick=_silent)
    assert {path: path.read_bytes() for path in release.folder.rglob("*") if path.is_file()} == before
    answer = subprocess.run([tmp_path / "hello"], capture_output=True, check=True)
    assert answer.stderr == b"hello v1.2.3 1 2\n"
    info = build_info(tmp_path / "hello")
    assert info is not None
    assert info.package == "hello.invalid/hello/cmd/hello"
    assert str(tmp_path).encode() not in (tmp_path / "hello").read_bytes()


def _hello(folder: Path) -> Release:
    """Write a module shaped like the real ones, with a dependency that needs no network."""
    program = folder / "dependency" / "cmd" / "hello"
    program.mkdir(parents=True)
    (program / "main.go").write_text(
        'package main\n\nvar version, major, minor string\n\nfunc main() { println("hello", version, major, minor) }\n'
    )
    (folder / "dependency" / "go.mod").write_text("module hello.invalid/hello\n\ngo 1.21\n")
    (folder / "go.mod").write_text(
        "module harness.invalid/hello\n\ngo 1.21\n\nrequire hello.invalid/hello v1.2.3\n\n"
        "replace hello.invalid/hello => ./dependency\n"
    )
    (folder / "go.sum").write_text("")
    component = Component(
        name="hello",
        package="hello.invalid/hello/cmd/hello",
        source="hello.invalid/hello",
        modules=(),
        announces="hello ",
        variables=("main.version=v{version}", "main.major={major}", "main.minor={minor}"),
    )
    return Release(component=component, folder=folder)
