"""Downloads from a server on this machine: what arrives whole is taken, all else is one error."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.components import download as download_module
from harness.components.download import download
from harness.components.registry import Download
from harness.errors import HarnessError

CONTENT = bytes(range(256)) * 12_000


class _Files(http.server.BaseHTTPRequestHandler):
    """Serves `/whole`, `/archive`, `/cut` (half of what it announces), `/chunked-cut`; the rest is not found."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content = _archive() if self.path == "/archive" else CONTENT
        if self.path not in {"/whole", "/archive", "/cut", "/chunked-cut", "/silent"}:
            self.send_error(404)
            return
        self.send_response(200)
        if self.path == "/chunked-cut":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"1000\r\n" + content[:100])
            return
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.path == "/silent":
            self.rfile.read(1)  # returns when the client has gone
            return
        self.wfile.write(content[: len(content) // 2] if self.path == "/cut" else content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def fetch(url: str, folder: Path, *, content: bytes = CONTENT, member: str | None = None) -> list[str]:
    """Download to `folder/binary`; return the ticks."""
    ticks: list[str] = []
    source = Download(url=url, member=member, sha256=hashlib.sha256(content).hexdigest())
    download(source, folder / "binary", tick=ticks.append)
    return ticks


def test_a_whole_file_arrives_with_progress(server: str, tmp_path: Path) -> None:
    ticks = fetch(f"{server}/whole", tmp_path)
    assert (tmp_path / "binary").read_bytes() == CONTENT
    assert ticks[-1] == "3 of 3 MB"
    assert [path.name for path in tmp_path.iterdir()] == ["binary"]


def test_the_binary_is_taken_out_of_an_archive(server: str, tmp_path: Path) -> None:
    fetch(f"{server}/archive", tmp_path, content=_archive(), member="etcd-v3/etcd")
    assert (tmp_path / "binary").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["binary"]


@pytest.mark.parametrize(
    ("path", "content", "member", "message"),
    [
        (
            "/whole",
            b"else",
            None,
            "wrong checksum and was discarded: expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}",
        ),
        ("/cut", CONTENT, None, "was cut after 1536000 of 3072000 bytes; try again"),
        ("/chunked-cut", CONTENT, None, "was cut: IncompleteRead"),
        ("/absent", CONTENT, None, "the server answered 404 Not Found"),
        ("/archive", None, "etcd-v3/other", "has no file etcd-v3/other"),
        ("/whole", CONTENT, "etcd-v3/etcd", "has no file etcd-v3/etcd"),
    ],
)
def test_what_is_not_right_is_one_error_and_leaves_nothing(
    server: str, tmp_path: Path, path: str, content: bytes | None, member: str | None, message: str
) -> None:
    with pytest.raises(HarnessError, match=message) as caught:
        fetch(server + path, tmp_path, content=_archive() if content is None else content, member=member)
    assert server + path in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_falls_silent_is_given_up(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "SILENCE_S_MAX", 0.1)
    with pytest.raises(HarnessError, match=r"cannot download .*/silent: timed out"):
        fetch(f"{server}/silent", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_takes_too_long_is_given_up(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "DOWNLOAD_S_MAX", 0.0)
    with pytest.raises(HarnessError, match="took more than 0 s and was given up"):
        fetch(f"{server}/whole", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_server_is_named(server: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"cannot download http://127\.0\.0\.1:1/x: .*refused"):
        fetch("http://127.0.0.1:1/x", tmp_path)


def _archive() -> bytes:
    """Return a `.tar.gz` with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("etcd-v3/etcd")
        member.size = len(CONTENT)
        archive.addfile(member, io.BytesIO(CONTENT))
    # The header of gzip holds the time of compression.
    content = bytearray(buffer.getvalue())
    content[4:8] = bytes(4)
    return bytes(content)
