"""`python -m harness`: what it prints, its exit codes, and that parallel and killed builds do no harm."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import __main__ as command_line

from .fake_go import FakeGo, announcing, next_event

REPOSITORY = Path(__file__).parents[2]
BOUND_S = 30.0

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def _empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on PATH, nothing in the cache, no variable set."""
    for variable in ("CLOUD_PROVIDER_HARNESS_ASSETS", "KUBEBUILDER_ASSETS", "GOTOOLCHAIN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CLOUD_PROVIDER_HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    return FakeGo(tmp_path / "go", monkeypatch)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `python -m harness` as a process of its own, which does not outlive the test."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[str]:
            run = subprocess.Popen(
                [sys.executable, "-m", "harness", *arguments],
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # A test run in the background of a shell ignores interrupts and would hand that down.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            stack.enter_context(run)
            stack.callback(run.kill)
            return run

        yield start


def test_the_list_says_what_is_not_there_and_how_to_build_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["binaries"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "VERSION", "ORIGIN", "SHA-256", "PATH"]
    assert (
        "etcd                          3.6.8    -       -        not built (python -m harness binaries build etcd)"
        in lines
    )
    assert lines[2].endswith("not built (python -m harness binaries build aws-cloud-controller-manager@1.33.4)")


def test_the_list_says_where_each_came_from_and_what_was_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = announcing(tmp_path / "path" / "etcd", "etcd Version: 3.6.1")
    announcing(tmp_path / "path" / "kwok", "kwok version v0.4.0")
    assert command_line.main(["binaries", "list", "etcd", "kwok"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    name, version, origin, digest, shown = lines[1].split()
    assert (name, version, origin, len(digest), shown) == ("etcd", "3.6.1", "path", 12, str(path))
    assert lines[3] == f"passed over: {tmp_path}/path/kwok is version 0.4.0, wanted is 0.7.x"


def test_build_makes_what_is_missing_and_shows_it(go: FakeGo, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["binaries", "build", "etcd", "aws-cloud-controller-manager@1.34"]) == 0
    shown = capsys.readouterr()
    assert [line.split()[:3] for line in shown.out.splitlines()[1:]] == [
        ["etcd", "3.6.8", "built"],
        ["aws-cloud-controller-manager", "1.34.4", "built"],
    ]
    assert "building etcd 3.6.8: done in" in shown.err
    assert len(go.builds) == 2


@pytest.mark.parametrize(("arguments", "count"), [([], 5), (["--all"], 8), (["--all", "etcd"], 1)])
def test_build_without_names_means_the_default_versions_and_all_means_every_version(
    go: FakeGo, capsys: pytest.CaptureFixture[str], arguments: list[str], count: int
) -> None:
    assert command_line.main(["binaries", "build", *arguments]) == 0
    assert len(go.builds) == count
    assert len(capsys.readouterr().out.splitlines()) == 1 + count


def test_a_missing_go_is_exit_code_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["binaries", "build", "kwok"]) == 1
    assert capsys.readouterr().err.startswith("error: there is no binary of kwok 0.7.x:\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "ectd"], "did you mean etcd?"),
        (["list", "etcd@"], "ends with @"),
        (["list", "etcd@2.0"], "no such version is pinned: etcd@2.0"),
        (["build", "--all", "etcd@3.6"], "--all builds every version"),
    ],
)
def test_a_wrong_invocation_is_exit_code_two(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert command_line.main(["binaries", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["binaries", "destroy"]])
def test_an_unknown_subcommand_is_exit_code_two(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line.main(arguments)
    assert caught.value.code == 2
    assert "binaries" in capsys.readouterr().err


@pytest.mark.parametrize("subcommand", command_line.SUBCOMMANDS, ids=lambda subcommand: subcommand.NAME)
def test_every_subcommand_helps(capsys: pytest.CaptureFixture[str], subcommand: command_line.Subcommand) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line.main([subcommand.NAME, "--help"])
    assert caught.value.code == 0
    assert subcommand.DESCRIPTION.strip() in capsys.readouterr().out


def test_subcommands_are_in_order() -> None:
    names = [subcommand.NAME for subcommand in command_line.SUBCOMMANDS]
    assert names == sorted(names)


def test_parallel_runs_build_once(go: FakeGo, start: Start) -> None:
    runs = [start("binaries", "build", "etcd") for _ in range(3)]
    answers = [run.communicate(timeout=BOUND_S) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], answers
    assert len(go.builds) == 1
    assert len({out.split()[-1] for out, _ in answers}) == 1


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_a_run_that_is_ended_leaves_no_binary_and_no_compiler(
    go: FakeGo, start: Start, tmp_path: Path, ended_by: int
) -> None:
    held = go.hold()
    run = start("binaries", "build", "etcd")
    assert next_event(held) == b"started\n", "half of the binary is written"
    run.send_signal(ended_by)
    _, errors = run.communicate(timeout=BOUND_S)
    assert next_event(held) == b"", "the compiler is gone"
    os.close(held)
    assert run.returncode == (-signal.SIGKILL if ended_by == signal.SIGKILL else 130), errors
    entries = tmp_path / "cache" / "binaries"
    assert [path.name for path in entries.iterdir() if not path.name.startswith(".")] == []

    go.hold_no_more()
    again = start("binaries", "build", "etcd")
    again.communicate(timeout=BOUND_S)
    assert again.returncode == 0
    assert len(list(entries.iterdir())) == 1, "what the ended run left is gone"
