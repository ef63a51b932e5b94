"""The life of supervised processes: start, signals, end, and that nothing is left however a run ends."""

from __future__ import annotations

import os
import platform
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import HarnessError, UsageError
from harness.processes import Process, Supervisor

ENV = {"PATH": os.environ["PATH"]}
BOUND_S = 20.0
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    # Own temporary folder: what other test processes sweep or leave behind is none of ours.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Supervisor.start() as started:
        yield started


def shell(supervisor: Supervisor, script: str) -> Process:
    return supervisor.spawn("shell", ["sh", "-c", script], env=ENV, log=supervisor.folder / "shell.log")


def shell_until_ready(supervisor: Supervisor, script: str) -> tuple[Process, str]:
    """Start a script that writes one word to the pipe `ready`, and return that word."""
    os.mkfifo(supervisor.folder / "ready")
    process = shell(supervisor, script)
    return process, (supervisor.folder / "ready").read_text().strip()


def has_ended(pid: int) -> bool:
    """Wait for the end of any process, not only our own children."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(BOUND_S * 1000))
    finally:
        os.close(descriptor)


def test_a_process_reports_its_exit_code(supervisor: Supervisor) -> None:
    process = shell(supervisor, "exit 7")
    assert process.wait(BOUND_S) == 7
    assert process.poll() == 7


def test_a_process_that_died_of_a_signal_reports_it_as_a_negative_number(supervisor: Supervisor) -> None:
    assert shell(supervisor, "kill -USR1 $$").wait(BOUND_S) == -signal.SIGUSR1


def test_a_running_process_has_no_exit_code_and_uses_memory_until_it_is_terminated(
    supervisor: Supervisor,
) -> None:
    process, _ = shell_until_ready(supervisor, "echo up > ready; exec sleep 600")
    assert process.poll() is None
    assert process.wait(0.01) is None
    assert process.rss_bytes() > 0
    process.terminate()
    assert process.poll() == -signal.SIGTERM
    assert process.rss_bytes() == 0


def test_terminate_kills_a_process_that_ignores_the_request(supervisor: Supervisor) -> None:
    process, _ = shell_until_ready(supervisor, "trap '' TERM; echo up > ready; while :; do sleep 600; done")
    process.terminate(grace_s=0.05)
    assert process.poll() == -signal.SIGKILL


def test_the_rest_of_a_process_group_ends_with_its_leader(supervisor: Supervisor) -> None:
    process, straggler = shell_until_ready(supervisor, "sleep 600 & echo $! > ready; exit 3")
    assert process.wait(BOUND_S) == 3
    assert has_ended(int(straggler))


def test_log_tail_returns_the_last_lines_of_both_streams(supervisor: Supervisor) -> None:
    process = shell(supervisor, "for i in 1 2 3 4; do echo out $i; echo error $i >&2; done")
    process.wait(BOUND_S)
    assert process.log_tail(lines=3) == "error 3\nout 4\nerror 4"


def test_log_tail_is_empty_when_there_is_no_log(supervisor: Supervisor) -> None:
    process = shell(supervisor, "true")
    process.log.unlink()
    assert process.log_tail() == ""


def test_a_process_runs_in_the_private_folder_with_exactly_the_given_environment(
    supervisor: Supervisor,
) -> None:
    process = supervisor.spawn("env", ["env"], env={**ENV, "ONLY": "this"}, log=supervisor.folder / "env.log")
    process.wait(BOUND_S)
    assert process.log_tail().splitlines() == [f"PATH={ENV['PATH']}", "ONLY=this"]
    place = shell(supervisor, "pwd; readlink /proc/self/fd/0")
    place.wait(BOUND_S)
    assert place.log_tail() == f"{supervisor.folder}\n/dev/null"


def test_many_threads_may_start_processes_at_once(supervisor: Supervisor) -> None:
    with ThreadPoolExecutor(8) as pool:
        processes = list(pool.map(lambda code: shell(supervisor, f"exit {code}"), range(24)))
        assert list(pool.map(lambda process: process.wait(BOUND_S), processes)) == list(range(24))


def failure_of_spawn(supervisor: Supervisor, program: str | Path) -> str:
    with pytest.raises(UsageError) as caught:
        supervisor.spawn("the controller", [str(program)], env=ENV, log=supervisor.folder / "log")
    assert str(caught.value).startswith("the controller cannot be started: ")
    return str(caught.value).removeprefix("the controller cannot be started: ")


def executable(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_a_program_that_does_not_exist_is_named(supervisor: Supervisor) -> None:
    assert failure_of_spawn(supervisor, "/no/such/program") == "/no/such/program: No such file or directory"
    assert failure_of_spawn(supervisor, "no-such-program") == "no-such-program: no such program on PATH"


def test_a_file_without_execute_permission_is_told_from_a_folder(supervisor: Supervisor, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    assert failure_of_spawn(supervisor, plain).startswith(f"{plain} is not executable: chmod +x it")
    assert failure_of_spawn(supervisor, tmp_path) == f"{tmp_path} is a folder, not a program"


def test_a_program_for_another_machine_says_for_which(supervisor: Supervisor, tmp_path: Path) -> None:
    machine, name = (0x3E, "x86_64") if platform.machine() == "aarch64" else (0xB7, "aarch64")
    elf = bytearray(Path(sys.executable).read_bytes()[:4096])
    elf[18:20] = machine.to_bytes(2, sys.byteorder)
    path = executable(tmp_path / "foreign", bytes(elf))
    assert failure_of_spawn(supervisor, path) == (
        f"{path} is for another machine or no program at all: "
        f"it is an ELF file for {name}, and this machine is {platform.machine()}"
    )


@pytest.mark.parametrize(
    ("content", "format_name"),
    [
        (b"", "an empty file"),
        (b"hello", "neither an ELF file nor a script that begins with #!"),
        (b"\xcf\xfa\xed\xfe\x07\x00", "a macOS program"),
        (b"\x1f\x8b\x08", "a gzip archive: unpack it first"),
    ],
)
def test_a_file_that_is_no_program_says_what_it_is(
    supervisor: Supervisor, tmp_path: Path, content: bytes, format_name: str
) -> None:
    path = executable(tmp_path / "file", content)
    assert failure_of_spawn(supervisor, path).endswith(f"no program at all: it is {format_name}")


def test_a_script_whose_interpreter_is_missing_says_so(supervisor: Supervisor, tmp_path: Path) -> None:
    path = executable(tmp_path / "script", b"#!/no/such/interpreter\n")
    assert failure_of_spawn(supervisor, path).startswith(f"{path} exists, but the interpreter")


def test_a_log_that_cannot_be_written_is_no_fault_of_the_program(supervisor: Supervisor) -> None:
    log = supervisor.folder / "absent" / "log"
    with pytest.raises(HarnessError, match=f"sleep cannot be started: {log}: No such file") as caught:
        supervisor.spawn("sleep", ["sleep", "600"], env=ENV, log=log)
    assert not isinstance(caught.value, UsageError)


def test_arguments_that_are_too_long_for_the_supervisor_leave_it_usable(supervisor: Supervisor) -> None:
    with pytest.raises(HarnessError, match="too long"):
        supervisor.spawn("echo", ["echo", "x" * 5_000_000], env=ENV, log=supervisor.folder / "log")
    assert shell(supervisor, "exit 0").wait(BOUND_S) == 0


def test_the_private_folder_is_private(supervisor: Supervisor) -> None:
    assert supervisor.folder.stat().st_mode & 0o777 == 0o700


def test_close_leaves_no_process_and_no_folder_and_may_be_called_twice(supervisor: Supervisor) -> None:
    process, escaped = shell_until_ready(supervisor, "setsid sleep 600 & echo $! > ready; wait")
    supervisor.close()
    assert has_ended(int(escaped))
    assert process.wait(0) == -signal.SIGKILL
    assert not supervisor.folder.exists()
    supervisor.close()


def test_after_close_every_request_says_that_the_supervisor_has_ended(supervisor: Supervisor) -> None:
    supervisor.close()
    with pytest.raises(HarnessError, match="has ended, and with it every component"):
        shell(supervisor, "true")


DRIVER = """
import os, signal, sys
from harness.processes import Supervisor
supervisor = Supervisor.start()
os.mkfifo(supervisor.folder / "ready")
env = {"PATH": os.environ["PATH"]}
script = "setsid sleep 600 & echo $! > ready; wait"  # a grandchild outside the process group
child = supervisor.spawn("shell", ["sh", "-c", script], env=env, log=supervisor.folder / "log")
grandchild = (supervisor.folder / "ready").read_text().strip()
copy = os.fork() if "fork" in sys.argv else 0  # it holds a copy of the supervisor's channel
if copy or "fork" not in sys.argv:
    print(supervisor.folder, supervisor.pid, child.pid, grandchild, copy, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("way", ["alone", "fork"])
def test_kill_9_of_pytest_leaves_no_process_and_no_folder(tmp_path: Path, way: str) -> None:
    environment = {**ENV, "TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, way], env=environment, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        folder, *numbers = driver.stdout.readline().split()
        driver.kill()
        supervisor, child, grandchild, copy = map(int, numbers)
    try:
        assert has_ended(supervisor)
        assert has_ended(child)
        assert has_ended(grandchild)
        assert not Path(folder).exists()
    finally:
        for pid in filter(None, (copy, child, grandchild, supervisor)):
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)


def test_kill_9_of_the_supervisor_leaves_no_process_and_the_next_start_sweeps_its_folder(
    supervisor: Supervisor,
) -> None:
    process = shell(supervisor, "exec sleep 600")
    os.kill(supervisor.pid, signal.SIGKILL)
    assert process.wait(BOUND_S) == -signal.SIGKILL
    with pytest.raises(HarnessError, match="has ended"):
        supervisor.free_port()
    assert supervisor.folder.exists()
    with Supervisor.start():
        assert not supervisor.folder.exists()


def test_close_removes_the_folder_that_a_killed_supervisor_left(supervisor: Supervisor) -> None:
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.close()
    assert not supervisor.folder.exists()


def test_a_request_to_end_ends_the_supervisor_and_its_children_in_order(supervisor: Supervisor) -> None:
    process = shell(supervisor, "exec sleep 600")
    os.kill(supervisor.pid, signal.SIGTERM)
    assert process.wait(BOUND_S) == -signal.SIGKILL
    assert has_ended(supervisor.pid)
    assert not supervisor.folder.exists()


def test_a_start_sweeps_no_folder_of_a_living_supervisor(supervisor: Supervisor) -> None:
    with Supervisor.start() as other:
        assert supervisor.folder != other.folder
        assert (supervisor.folder / "lock").exists()


def test_a_retained_folder_outlives_its_supervisor_and_later_starts(supervisor: Supervisor) -> None:
    (supervisor.folder / "journal").write_text("kept")
    supervisor.retain_folder()
    supervisor.close()
    with Supervisor.start():
        assert (supervisor.folder / "journal").read_text() == "kept"


def test_a_temporary_folder_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(HarnessError, match=f"the supervisor cannot start: {tmp_path}/absent"):
        Supervisor.start()
