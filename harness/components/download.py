"""Fetching one published file, verified while it arrives.

Whatever goes wrong is one HarnessError that names the address; retries and where the file belongs are not
decided here.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from ..errors import HarnessError
from .progress import Tick
from .registry import Download

SILENCE_S_MAX = 30.0
"""Longest wait for the next bytes, in seconds."""

DOWNLOAD_S_MAX = 1800.0
"""Longest download, in seconds."""

_CHUNK_BYTES = 1 << 20
_MB = 1_000_000


def download(source: Download, destination: Path, *, tick: Tick) -> None:
    """Write a published binary to `destination`.

    Raises HarnessError for an address that cannot be read, a transfer that is cut or too slow, a wrong
    checksum, and an archive without the member. `destination` then does not exist.
    """
    arrived = destination.with_name(destination.name + ".arrived")
    try:
        found = _receive(source.url, arrived, tick)
        if found != source.sha256:
            raise HarnessError(
                f"{source.url} has a wrong checksum and was discarded: expected SHA-256 {source.sha256}, found {found}"
            )
        if source.member is None:
            arrived.replace(destination)
        else:
            _extract(source.url, arrived, source.member, destination)
    finally:
        arrived.unlink(missing_ok=True)


def _receive(url: str, path: Path, tick: Tick) -> str:
    """Stream an address to a file; return its SHA-256."""
    try:
        # The addresses are constants of the registry, and the checksum decides what is taken.
        with urllib.request.urlopen(url, timeout=SILENCE_S_MAX) as reply, path.open("wb") as file:  # noqa: S310
            return _copy(url, reply, file, tick)
    except urllib.error.HTTPError as error:
        error.close()
        raise HarnessError(f"cannot download {url}: the server answered {error.code} {error.reason}") from error
    except http.client.HTTPException as error:
        raise HarnessError(f"the download of {url} was cut: {error!r}; try again") from error
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise HarnessError(f"cannot download {url}: {reason}") from error


def _copy(url: str, reply: http.client.HTTPResponse, file: BinaryIO, tick: Tick) -> str:
    """Copy a reply to a file up to the length that it announced; return its SHA-256."""
    deadline_s = time.monotonic() + DOWNLOAD_S_MAX
    announced = reply.headers.get("Content-Length")
    digest = hashlib.sha256()
    received = 0
    while chunk := reply.read(_CHUNK_BYTES):
        file.write(chunk)
        digest.update(chunk)
        received += len(chunk)
        tick(f"{received / _MB:.0f} of {int(announced) / _MB:.0f} MB" if announced else f"{received / _MB:.0f} MB")
        if time.monotonic() > deadline_s:
            raise HarnessError(f"the download of {url} took more than {DOWNLOAD_S_MAX:.0f} s and was given up")
    if announced is not None and received != int(announced):
        raise HarnessError(f"the download of {url} was cut after {received} of {announced} bytes; try again")
    return digest.hexdigest()


def _extract(url: str, archive: Path, member: str, destination: Path) -> None:
    """Write one member of a verified archive."""
    try:
        with tarfile.open(archive) as opened, destination.open("wb") as file:
            source = opened.extractfile(member)
            if source is None:
                raise KeyError(member)
            shutil.copyfileobj(source, file)
    except (tarfile.TarError, KeyError, EOFError) as error:
        destination.unlink(missing_ok=True)
        raise HarnessError(f"the archive {url} has no file {member}: its entry in the registry is wrong") from error
