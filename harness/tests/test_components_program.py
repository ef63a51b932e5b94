"""What an executable turns out to be, and what is said of one that is something else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.components import program
from harness.components.program import version_of
from harness.components.registry import component_named
from harness.errors import UsageError

from .fake_go import announcing, next_event, write_program

CONTROLLER = component_named("aws-cloud-controller-manager")
ETCD = component_named("etcd")


@pytest.mark.parametrize(
    ("name", "announcement", "version"),
    [
        ("kube-apiserver", "Kubernetes v1.34.4", "1.34.4"),
        ("etcd", "etcd Version: 3.6.8", "3.6.8"),
        ("kwok", "kwok version v0.7.0 go1.26.8 (linux/amd64)", "0.7.0"),
        ("aws-cloud-controller-manager", "Kubernetes v1.38.0-alpha.1+dirty", "1.38.0-alpha.1+dirty"),
    ],
)
def test_the_version_is_what_the_program_announces(tmp_path: Path, name: str, announcement: str, version: str) -> None:
    assert version_of(announcing(tmp_path / name, announcement), component_named(name)) == version


def test_a_build_without_a_stamp_is_unstamped(tmp_path: Path) -> None:
    path = announcing(tmp_path / "controller", "Kubernetes v0.0.0-master+$Format:%H$")
    assert version_of(path, CONTROLLER) == "unstamped"


def test_an_unstamped_go_build_has_the_version_of_its_module(tmp_path: Path) -> None:
    path = _go_program(tmp_path / "controller", CONTROLLER.package, "v1.36.2", "Kubernetes v0.0.0-master+x")
    assert version_of(path, CONTROLLER) == "1.36.2"


def test_a_fork_may_have_another_package(tmp_path: Path) -> None:
    path = _go_program(tmp_path / "controller", "example.invalid/fork/cmd/ccm", "(devel)", "Kubernetes v1.37.2")
    assert version_of(path, CONTROLLER) == "1.37.2"


def test_another_component_that_announces_itself_alike_is_told_apart(tmp_path: Path) -> None:
    package = component_named("kube-apiserver").package
    path = _go_program(tmp_path / "controller", package, "v1.34.4", "Kubernetes v1.34.4")
    with pytest.raises(UsageError, match="is not aws-cloud-controller-manager but kube-apiserver"):
        version_of(path, CONTROLLER)


def test_another_program_is_refused_with_what_it_printed(tmp_path: Path) -> None:
    path = announcing(tmp_path / "etcd", "ls (GNU coreutils) 9.1")
    with pytest.raises(UsageError, match=r"is not etcd: its --version printed 'ls \(GNU coreutils\) 9\.1'"):
        version_of(path, ETCD)


def test_a_program_that_fails_is_refused_with_its_last_line(tmp_path: Path) -> None:
    path = write_program(tmp_path / "etcd", "#!/bin/sh\necho one\necho boom >&2\nexit 3\n")
    with pytest.raises(UsageError, match="ended with status 3 and last printed 'boom'"):
        version_of(path, ETCD)


def test_a_program_without_a_component_may_be_anything(tmp_path: Path) -> None:
    assert version_of(announcing(tmp_path / "other", "other controller v2.1.0 (x)"), None) == "2.1.0"
    assert version_of(announcing(tmp_path / "silent", ""), None) == "unstamped"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*/etcd"):
        version_of(tmp_path / "etcd", ETCD)


def test_a_folder_is_no_binary(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a file but a folder"):
        version_of(tmp_path, ETCD)


def test_a_file_without_the_executable_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "etcd"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o644)
    with pytest.raises(UsageError, match=r"is not executable: chmod \+x"):
        version_of(path, ETCD)


@pytest.mark.parametrize(
    ("content", "format_text"),
    [
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00" + bytes(44), "a binary for riscv64"),
        (b"\xcf\xfa\xed\xfe" + bytes(60), "a binary for macOS"),
        (b"MZ" + bytes(60), "a binary for Windows"),
        (b"\x00" * 64, "no executable format"),
    ],
)
def test_a_binary_for_another_machine_is_named(tmp_path: Path, content: bytes, format_text: str) -> None:
    path = tmp_path / "etcd"
    path.write_bytes(content)
    path.chmod(0o755)
    with pytest.raises(UsageError, match=rf"cannot run on this machine \(linux/\w+\): it is {format_text}"):
        version_of(path, ETCD)


def test_a_script_without_its_interpreter_is_named(tmp_path: Path) -> None:
    path = write_program(tmp_path / "etcd", "#!/nonexistent/shell\n")
    with pytest.raises(UsageError, match="the interpreter or loader that it names is missing"):
        version_of(path, ETCD)


def test_a_program_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "ANSWER_S_MAX", 0.1)
    os.mkfifo(tmp_path / "never")
    path = write_program(tmp_path / "etcd", f"#!/bin/sh\nread -r answer < {tmp_path}/never\n")
    with pytest.raises(UsageError, match="did not answer --version"):
        version_of(path, ETCD)


def test_a_program_that_never_answers_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    os.mkfifo(tmp_path / "never")
    child = f"/bin/sh -c 'echo started >&4; read -r answer < {tmp_path}/never'"
    path = write_program(tmp_path / "etcd", f"#!/bin/sh\nexec 4> {tmp_path}/held\n{child}\necho done\n")

    def communicate(process: object, timeout: float) -> tuple[bytes, None]:
        assert next_event(held) == b"started\n"
        raise subprocess.TimeoutExpired("etcd", timeout)

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
    with pytest.raises(UsageError, match="did not answer --version"):
        version_of(path, ETCD)
    assert next_event(held) == b"", "the program and its child are gone"
    os.close(held)


def _go_program(path: Path, package: str, module_version: str, announcement: str) -> Path:
    """Write a program that carries what the Go linker writes."""
    info = f"path\t{package}\nmod\texample.invalid/module\t{module_version}\th1:x=\n"
    return write_program(path, f"#!/bin/sh\necho '{announcement}'\nexit 0\n: path\tdecoy\n{info}")
