"""The server over real sockets: concurrency, keep-alive, strangers, cut connections, the end."""

import asyncio
import http.client
import socket
import threading

import pytest

from fakeclouds.http import BODY_BYTES_MAX, Reply, Request, Server, is_loopback
from fakeclouds.tests.parrot import listener, served


async def echo(request: Request) -> Reply:
    body = f"{request.method} {request.path} {request.query} {request.port}".encode()
    return Reply(status=200, headers={"X-Agent": request.headers.get("user-agent", "")}, body=body)


def port_of(sock: socket.socket) -> int:
    port = sock.getsockname()[1]
    assert isinstance(port, int)
    return port


def fetch(port: int, path: str = "/", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_request_arrives_whole_with_its_path_decoded() -> None:
    seen: list[Request] = []

    async def keep(request: Request) -> Reply:
        seen.append(request)
        return Reply(status=204)

    sock = listener()
    port = port_of(sock)
    body = b"x" * 200_000
    with served(keep, sock):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/a%20b?c=%20d", body=body, headers={"X-Kind": "big"})
        assert connection.getresponse().status == 204
        connection.close()
    (request,) = seen
    assert (request.method, request.path, request.query) == ("POST", "/a b", "c=%20d")
    assert (request.headers["x-kind"], request.port) == ("big", port)
    assert request.body == body


def test_repeated_headers_are_joined() -> None:
    seen: list[str] = []

    async def keep(request: Request) -> Reply:
        seen.append(request.headers["x-kind"])
        return Reply(status=204)

    sock = listener()
    port = port_of(sock)
    with served(keep, sock), socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Kind: a\r\nX-Kind: b\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 204")
    assert seen == ["a, b"]


def test_two_hundred_requests_are_under_way_at_once() -> None:
    gate = asyncio.Barrier(200)

    async def wait_for_all(request: Request) -> Reply:
        await gate.wait()
        return Reply(status=200, body=request.path.encode())

    sock = listener()
    port = port_of(sock)
    with served(wait_for_all, sock):
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(200)]
        for number, client in enumerate(clients):
            client.request("GET", f"/{number}")
        answers = [client.getresponse().read() for client in clients]
        for client in clients:
            client.close()
    assert answers == [f"/{number}".encode() for number in range(200)]


def test_a_connection_serves_many_requests() -> None:
    sock = listener()
    port = port_of(sock)
    with served(echo, sock):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        local_ports = set()
        for _ in range(3):
            client.request("GET", "/")
            client.getresponse().read()
            assert client.sock is not None
            local_ports.add(client.sock.getsockname()[1])
        client.close()
    assert len(local_ports) == 1


def test_listeners_are_told_apart_and_join_a_running_server() -> None:
    first, second, third = listener(), listener(), listener()
    ports = [port_of(sock) for sock in (first, second, third)]
    with served(echo, first, second) as server:
        server.add_listener(third)
        bodies = [fetch(port)[1] for port in ports]
    assert [int(body.split()[-1]) for body in bodies] == ports


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.1", "169.254.169.254", "[", ""])
def test_a_host_that_is_not_loopback_never_reaches_the_application(host: str) -> None:
    sock = listener()
    port = port_of(sock)
    with served(echo, sock):
        status, body = fetch(port, Host=host)
    assert status == 421
    assert b"loopback" in body


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1", "127.1.2.3:80", "[::1]:80", "[::1]"])
def test_loopback_hosts_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "user@evil"])
def test_what_only_looks_like_loopback_is_not(host: str) -> None:
    assert not is_loopback(host)


def test_a_body_over_the_limit_is_refused() -> None:
    sock = listener()
    port = port_of(sock)
    with served(echo, sock), socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        length = BODY_BYTES_MAX + 1
        client.sendall(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())
        client.sendall(b"x" * length)
        assert client.recv(4096).startswith(b"HTTP/1.1 413")


def test_no_reply_means_a_connection_cut_without_a_byte() -> None:
    async def nothing(request: Request) -> None:
        return None

    sock = listener()
    port = port_of(sock)
    with served(nothing, sock), pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        fetch(port)


def test_close_ends_what_is_under_way_and_frees_the_port() -> None:
    reached, threads_before = threading.Event(), set(threading.enumerate())

    async def for_ever(request: Request) -> Reply:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    sock = listener()
    port = port_of(sock)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        with served(for_ever, sock):
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert reached.wait(10)
        assert client.recv(4096) == b""
    with pytest.raises(ConnectionRefusedError):
        fetch(port)
    assert set(threading.enumerate()) <= threads_before


def test_close_may_come_twice_and_before_the_start() -> None:
    sock = listener()
    port = port_of(sock)
    server = Server(echo, [sock])
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        fetch(port)


def test_a_server_starts_once_and_takes_listeners_only_while_it_serves() -> None:
    server = Server(echo)
    spare = listener()
    with pytest.raises(RuntimeError, match="not started"):
        server.add_listener(spare)
    server.start()
    with pytest.raises(RuntimeError, match="this server is started"):
        server.start()
    server.close()
    with pytest.raises(RuntimeError, match="closed"):
        server.add_listener(spare)
    spare.close()


def test_replies_name_no_server_and_carry_their_own_headers() -> None:
    sock = listener()
    port = port_of(sock)
    with served(echo, sock):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        client.request("GET", "/", headers={"User-Agent": "go"})
        response = client.getresponse()
        client.close()
    assert response.getheader("server") is None
    assert response.getheader("date") is not None
    assert response.getheader("x-agent") == "go"
