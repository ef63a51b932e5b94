"""The children's network: sockets that cross its border, who listens in it, who gets out of it."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.errors import HarnessError, UsageError
from harness.processes import (
    EgressTrap,
    IsolationLevel,
    Listener,
    Supervisor,
    canary,
    child_environment,
    listeners,
)

BOUND_S = 20.0
REPOSITORY = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor.start() as started:
        yield started


@pytest.fixture
def isolated(supervisor: Supervisor) -> Supervisor:
    if supervisor.isolation.level is not IsolationLevel.NETWORK_NAMESPACE:
        pytest.skip(f"no network namespace on this machine: {supervisor.isolation.reason}")
    return supervisor


@pytest.fixture
def trap(supervisor: Supervisor) -> Iterator[EgressTrap]:
    with contextlib.closing(EgressTrap(supervisor.listen())) as started:
        yield started


@pytest.fixture
def env(supervisor: Supervisor, trap: EgressTrap) -> dict[str, str]:
    return child_environment(folder=supervisor.folder, proxy_url=trap.proxy_url)


def serve(listener: socket.socket, answer: Callable[[socket.socket], None]) -> int:
    """Answer every connection in a thread of its own until the listener is closed; return its port."""

    def one(connection: socket.socket) -> None:
        with connection:
            answer(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=[listener.accept()[0]], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(BOUND_S)
    connection.connect(str(path))
    return connection


def python(supervisor: Supervisor, code: str, env: dict[str, str]) -> tuple[int, str]:
    """Run a program as a child to its end; return its exit code and output."""
    argv = [sys.executable, "-I", "-S", "-c", code]
    process = supervisor.spawn("python", argv, env=env, log=supervisor.folder / "python.log")
    code_of_exit = process.wait(BOUND_S)
    assert code_of_exit is not None
    return code_of_exit, process.log_tail()


# Sockets across the border


def test_a_listening_socket_is_reachable_from_a_child_and_not_from_outside(
    isolated: Supervisor, env: dict[str, str]
) -> None:
    with isolated.listen() as listener:
        port = serve(listener, lambda connection: connection.sendall(b"from outside the namespace"))
        code = f"import socket; print(socket.create_connection(('127.0.0.1', {port})).recv(99).decode())"
        assert python(isolated, code, env) == (0, "from outside the namespace")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=BOUND_S)


def test_a_taken_port_is_named(supervisor: Supervisor) -> None:
    with supervisor.listen() as listener:
        port = listener.getsockname()[1]
        with pytest.raises(HarnessError, match=f"port {port} of 127.0.0.1 is taken"):
            supervisor.listen(port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_only_loopback_addresses_are_listened_on(supervisor: Supervisor, host: str) -> None:
    with pytest.raises(HarnessError, match="only loopback"):
        supervisor.listen(host=host)


def test_free_ports_differ_and_can_be_listened_on(supervisor: Supervisor) -> None:
    ports = {supervisor.free_port() for _ in range(400)}
    assert len(ports) == 400
    supervisor.listen(port=ports.pop()).close()


def test_a_free_port_is_none_that_is_in_use() -> None:
    code = (
        "import asyncio, socket; from pathlib import Path; from harness.processes.supervisor import server\n"
        "taken = socket.create_server(('127.0.0.1', 0)); port = taken.getsockname()[1]\n"
        "server.FREE_PORTS = range(port, port + 1)\n"
        "asyncio.run(server.Server(Path('/')).free_port())"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.stderr.endswith("no free port is left\n")


def test_forwarding_carries_large_bodies_both_ways_and_the_half_close_between(supervisor: Supervisor) -> None:
    with supervisor.listen() as listener:
        path = supervisor.forward(serve(listener, lambda connection: connection.sendall(read_all(connection)[::-1])))
        body = os.urandom(8_000_000)
        with connect(path) as connection:
            connection.sendall(body)
            connection.shutdown(socket.SHUT_WR)
            assert read_all(connection) == body[::-1]


def test_forwarding_carries_http(supervisor: Supervisor, trap: EgressTrap) -> None:
    path = supervisor.forward(int(trap.proxy_url.rpartition(":")[2]))
    connection = http.client.HTTPConnection("127.0.0.1")
    connection.sock = connect(path)
    connection.request("POST", "http://example.test/", body=b"x" * 500_000)
    response = connection.getresponse()
    assert response.status == 403
    assert response.read().endswith(b"must not leave this machine\n")
    connection.close()


def test_forwarding_passes_a_stream_on_at_once_over_many_connections(supervisor: Supervisor) -> None:
    def echo(connection: socket.socket) -> None:
        while data := connection.recv(64):
            connection.sendall(data)

    with supervisor.listen() as listener, contextlib.ExitStack() as stack:
        path = supervisor.forward(serve(listener, echo))
        connections = [stack.enter_context(connect(path)) for _ in range(100)]
        for event in (b"ADDED", b"MODIFIED"):
            for connection in connections:
                connection.sendall(event)
            for connection in connections:
                assert connection.recv(64) == event


def test_forwarding_waits_for_a_slow_reader_instead_of_buffering_it_all(supervisor: Supervisor) -> None:
    stuck = threading.Event()

    def flood(connection: socket.socket) -> None:
        connection.settimeout(0.3)
        try:
            for _ in range(64):
                connection.sendall(b"x" * 1_000_000)
        except TimeoutError:
            stuck.set()

    with supervisor.listen() as listener, connect(supervisor.forward(serve(listener, flood))):
        assert stuck.wait(5)


def test_a_port_is_forwarded_by_one_socket_however_often_it_is_asked_for(supervisor: Supervisor) -> None:
    port = supervisor.free_port()
    first = supervisor.forward(port).stat().st_ino
    assert supervisor.forward(port).stat().st_ino == first


def test_forwarding_to_a_port_where_nobody_listens_ends_the_connection(supervisor: Supervisor) -> None:
    with connect(supervisor.forward(supervisor.free_port())) as connection:
        assert connection.recv(1) == b""


def test_a_folder_too_deep_for_unix_sockets_is_refused_in_words(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "folder", supervisor.folder / ("x" * 100))
    with pytest.raises(HarnessError, match="set TMPDIR to a shorter path"):
        supervisor.forward(1)


def test_the_enter_command_runs_a_command_in_the_namespace(isolated: Supervisor) -> None:
    argv = [*isolated.enter_command(), "readlink", "/proc/self/ns/net"]
    inside = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    assert inside == str(Path(f"/proc/{isolated.pid}/ns/net").readlink())
    assert inside != str(Path("/proc/self/ns/net").readlink())


def test_without_isolation_there_is_nothing_to_enter() -> None:
    with Supervisor.start(isolate=False) as supervisor:
        assert supervisor.isolation.level is IsolationLevel.EGRESS_PROXY
        assert supervisor.isolation.reason == "no isolation was asked for"
        assert supervisor.enter_command() == []


# Who listens


def listening_child(supervisor: Supervisor, env: dict[str, str], host: str) -> list[Listener]:
    os.mkfifo(supervisor.folder / "ready")
    family = "socket.AF_INET6" if ":" in host else "socket.AF_INET"
    code = (
        f"import socket, signal; listener = socket.create_server(({host!r}, 0), family={family})\n"
        "print(listener.getsockname()[1], file=open('ready', 'w')); signal.pause()"
    )
    argv = [sys.executable, "-I", "-S", "-c", code]
    process = supervisor.spawn("listener", argv, env=env, log=supervisor.folder / "log")
    port = int((supervisor.folder / "ready").read_text())
    found = listeners([process.pid])
    assert [(listener.pid, listener.port) for listener in found] == [(process.pid, port)]
    process.kill()
    assert listeners([process.pid]) == []
    return found


@pytest.mark.parametrize(
    ("host", "is_loopback"), [("0.0.0.0", False), ("::", False), ("127.0.0.1", True), ("::1", True)]
)
def test_a_listener_of_a_child_is_found_with_its_address(
    supervisor: Supervisor, env: dict[str, str], host: str, is_loopback: bool
) -> None:
    found = listening_child(supervisor, env, host)
    assert [(listener.address, listener.is_loopback) for listener in found] == [(host, is_loopback)]


@pytest.mark.parametrize(
    ("address", "is_loopback"), [("::ffff:127.0.0.1", True), ("::ffff:192.0.2.1", False), ("127.1.2.3", True)]
)
def test_an_ipv4_address_written_as_ipv6_counts_as_ipv4(address: str, is_loopback: bool) -> None:
    assert Listener(pid=1, address=address, port=1).is_loopback is is_loopback


# The environment


def test_the_environment_of_a_child_holds_nothing_of_ours_but_path(
    supervisor: Supervisor, trap: EgressTrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    env = child_environment(folder=supervisor.folder, proxy_url=trap.proxy_url, extra={"AWS_REGION": "x"})
    allowed = {"PATH", "LANG", "HOME", "TMPDIR", "AWS_REGION"}
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    assert env.keys() == allowed | proxies | {name.lower() for name in proxies}
    assert env["HOME"] == env["TMPDIR"] == str(supervisor.folder)
    # What the kernel says, not what we passed; a C locale makes Python set LC_CTYPE, so not by Python.
    process = supervisor.spawn("env", ["env"], env=env, log=supervisor.folder / "env.log")
    process.wait(BOUND_S)
    assert set(process.log_tail(99).splitlines()) == {f"{name}={value}" for name, value in env.items()}


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "no_proxy", "HOME"])
def test_a_component_may_not_undo_its_isolation(name: str) -> None:
    with pytest.raises(UsageError, match=f"may not set {name}"):
        child_environment(folder=Path("/x"), proxy_url="http://127.0.0.1:1", extra={name: "x"})


# The trap


@pytest.fixture
def local_trap() -> Iterator[EgressTrap]:
    with contextlib.closing(EgressTrap(socket.create_server(("127.0.0.1", 0)))) as started:
        yield started


def to(trap: EgressTrap) -> tuple[str, int]:
    host, port = trap.proxy_url.removeprefix("http://").split(":")
    return host, int(port)


def seen(trap: EgressTrap) -> list[tuple[str, str]]:
    return [(attempt.method, attempt.target) for attempt in trap.attempts]


def test_the_trap_refuses_a_tunnel_and_records_where_to(local_trap: EgressTrap) -> None:
    connection = http.client.HTTPConnection(*to(local_trap), timeout=BOUND_S)
    connection.set_tunnel("ec2.us-east-1.amazonaws.com", 443)
    with pytest.raises(OSError, match="403 Forbidden"):
        connection.connect()
    assert seen(local_trap) == [("CONNECT", "ec2.us-east-1.amazonaws.com:443")]


def test_the_trap_refuses_a_request_with_a_large_body_in_words(local_trap: EgressTrap) -> None:
    connection = http.client.HTTPConnection(*to(local_trap), timeout=BOUND_S)
    connection.request("PUT", "http://169.254.169.254/latest/api/token", body=b"x" * 3_000_000)
    response = connection.getresponse()
    assert response.status == 403
    assert b"must not leave this machine" in response.read()
    connection.close()
    assert seen(local_trap) == [("PUT", "http://169.254.169.254/latest/api/token")]


def test_the_trap_records_what_is_no_http_too(local_trap: EgressTrap) -> None:
    with socket.create_connection(to(local_trap), timeout=BOUND_S) as connection:
        connection.sendall(b"\x16\x03\x01\x00")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).startswith(b"HTTP/1.1 403")
    assert seen(local_trap) == [("(not HTTP)", repr(b"\x16\x03\x01\x00"))]


def test_closing_the_trap_frees_its_port_and_keeps_its_record(local_trap: EgressTrap) -> None:
    with socket.create_connection(to(local_trap), timeout=BOUND_S) as connection:
        connection.sendall(b"GET http://example.test/ HTTP/1.1\r\n\r\n")
        read_all(connection)
    local_trap.close()
    local_trap.close()
    assert seen(local_trap) == [("GET", "http://example.test/")]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(to(local_trap), timeout=BOUND_S)


# The canary


def test_the_canary_reaches_nothing_in_the_namespace_and_leaves_no_trace_in_the_trap(
    isolated: Supervisor, env: dict[str, str], trap: EgressTrap
) -> None:
    canary(isolated, env, trap)
    assert trap.attempts == ()


def test_without_a_namespace_the_canary_ends_in_the_trap() -> None:
    with (
        Supervisor.start(isolate=False) as supervisor,
        contextlib.closing(EgressTrap(supervisor.listen())) as trap,
    ):
        canary(supervisor, child_environment(folder=supervisor.folder, proxy_url=trap.proxy_url), trap)
        assert trap.attempts == ()


def test_the_canary_fails_when_a_metadata_service_answers(
    supervisor: Supervisor, env: dict[str, str], trap: EgressTrap
) -> None:
    with supervisor.listen() as listener:
        port = serve(listener, lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n"))
        with pytest.raises(HarnessError, match=rf"can reach http://127.0.0.1:{port}/ \(direct: a TCP connection"):
            canary(supervisor, env, trap, targets=[f"http://127.0.0.1:{port}/"])


@pytest.mark.parametrize("target", ["https://cloud.test", "http://metadata.test/"])
def test_the_canary_fails_when_a_proxy_lets_it_through(supervisor: Supervisor, trap: EgressTrap, target: str) -> None:
    def let_through(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        read_all(connection)

    with supervisor.listen() as listener:
        leak = f"http://127.0.0.1:{serve(listener, let_through)}"
        env = child_environment(folder=supervisor.folder, proxy_url=leak)
        with pytest.raises(HarnessError, match=rf"can reach {target} \(proxy settings"):
            canary(supervisor, env, trap, targets=[target])


def test_the_canary_fails_when_egress_does_not_end_in_the_trap(isolated: Supervisor, trap: EgressTrap) -> None:
    with pytest.raises(HarnessError, match="0 of 2 attempts arrived"):
        canary(isolated, {"PATH": os.environ["PATH"]}, trap)


def test_the_canary_fails_when_it_proves_nothing(supervisor: Supervisor, env: dict[str, str], trap: EgressTrap) -> None:
    with pytest.raises(HarnessError, match="did not finish, so isolation is not proven"):
        canary(supervisor, env, trap, targets=["http://127.0.0.1:no-port/"])


def test_only_the_canary_itself_is_excused(local_trap: EgressTrap) -> None:
    for token in ("theirs", "ours"):
        connection = http.client.HTTPConnection(*to(local_trap), timeout=BOUND_S)
        connection.request("GET", f"http://{token}.test/", headers={"Harness-Canary": token})
        connection.getresponse().read()
        connection.close()
    assert [attempt.target for attempt in local_trap.take("ours")] == ["http://ours.test/"]
    assert seen(local_trap) == [("GET", "http://theirs.test/")]


# Other ways to be isolated

AS_NOBODY = """
from harness.processes import *
with Supervisor.start() as supervisor:
    trap = EgressTrap(supervisor.listen())
    env = child_environment(folder=supervisor.folder, proxy_url=trap.proxy_url)
    script = "id -u; grep CapEff /proc/self/status"
    process = supervisor.spawn("id", ["sh", "-c", script], env=env, log=supervisor.folder / "id")
    process.wait(20)
    if supervisor.isolation.namespaces:
        canary(supervisor, env, trap)
    waiting = supervisor.spawn("sleep", ["sleep", "600"], env=env, log=supervisor.folder / "sleep")
    assert listeners([waiting.pid]) == []
    waiting.kill()
    print(supervisor.isolation.namespaces, supervisor.isolation.reason, process.log_tail().split(), sep="|")
assert not supervisor.folder.exists()
"""


def as_nobody(code: str) -> str:
    """Run a program as an ordinary user with an interpreter that this user can execute."""
    if os.geteuid() != 0:
        pytest.skip("already an ordinary user: the other tests take this path")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    check = "import sys; assert sys.version_info >= (3, 11); import harness.processes"
    for interpreter in (sys.executable, "/usr/bin/python3"):
        for program in (check, code):
            try:
                result = subprocess.run(
                    [interpreter, "-c", program],
                    env=environment,
                    cwd="/",
                    user=NOBODY,
                    group=NOBODY,
                    extra_groups=[],
                    capture_output=True,
                    text=True,
                    check=program is code,
                )
            except OSError:
                break
            if result.returncode != 0:
                break
        else:
            return result.stdout
    pytest.skip("no Python here that an ordinary user can execute")


def test_an_ordinary_user_gets_a_namespace_too_and_children_without_capabilities() -> None:
    namespaces, reason, identity = as_nobody(AS_NOBODY).strip().split("|")
    if namespaces == "()":
        pytest.skip(f"no user namespaces on this machine: {reason}")
    assert namespaces == "('user', 'net')"
    assert identity == str([str(NOBODY), "CapEff:", "0" * 16])


def test_a_machine_that_refuses_namespaces_says_what_was_refused() -> None:
    code = (
        "from harness.processes.supervisor import namespace\n"
        "def refuse(flags): raise PermissionError(1, 'Operation not permitted')\n"
        "namespace._unshare = refuse\n"
        "print(*namespace.enter(), sep='|')"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout == ("[]|net namespace: Operation not permitted; user+net namespace: Operation not permitted\n")
