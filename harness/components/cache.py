"""A folder of finished binaries, one sub-folder an entry, safe under parallel and interrupted runs.

An entry appears by one rename, complete or not at all, and carries the checksum by which it is verified
before use. What a key means, and how a binary is made, is the caller's business.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from ..errors import HarnessError

CACHE_VARIABLE = "CLOUD_PROVIDER_HARNESS_CACHE"
"""Environment variable that names another cache folder."""

LOCK_S_MAX = 2 * 3600.0
"""Longest wait for another process that makes the same entry, in seconds: above the bound of any build."""

_LOCK_LOOK_S = 1.0
"""How often a wait for another process is reported, in seconds."""

_RECORD = "record.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A verified binary in the cache."""

    path: Path
    sha256: str


class Cache:
    """The entries below one folder. Every method raises HarnessError where the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._verified: dict[str, tuple[tuple[int, int], Entry]] = {}

    def lookup(self, key: str) -> Entry | None:
        """Return the entry of a key; None when it is absent or not what was recorded.

        The checksum is computed at the first look, later ones compare size and time of change.
        """
        folder = self._entries / key
        try:
            record = json.loads((folder / _RECORD).read_text())
            path = folder / record["file"]
            state = (path.stat().st_size, path.stat().st_mtime_ns)
            known = self._verified.get(key)
            if known is not None and known[0] == state:
                return known[1]
            if state[0] != record["size"] or sha256_of(path) != record["sha256"]:
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        entry = Entry(path=path, sha256=record["sha256"])
        self._verified[key] = (state, entry)
        return entry

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix, the newest entry first; they may not verify."""
        found = []
        for record in self._entries.glob(f"{prefix}*/{_RECORD}"):
            with contextlib.suppress(FileNotFoundError):
                found.append((record.stat().st_mtime_ns, record.parent.name))
        return [key for _, key in sorted(found, reverse=True)]

    def fill(self, key: str, *, file: str, make: Callable[[Path], None], waiting: Callable[[], None]) -> Entry:
        """Return the entry of a key, made now by `make(path)` unless another process has made it meanwhile.

        `waiting` is called about once a second while another process holds the key. Whatever `make` raises
        passes through and leaves no entry.
        """
        with self._locked(key, waiting):
            entry = self.lookup(key)
            if entry is not None:
                return entry
            with self._explained():
                self._sweep(key)
                work = Path(tempfile.mkdtemp(prefix=f".unfinished-{key}-", dir=self._entries))
            try:
                make(work / file)
                with self._explained():
                    self._commit(work, key, file)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        entry = self.lookup(key)
        if entry is None:
            raise HarnessError(f"the binary just written to {self._entries / key} does not read back: check that disk")
        return entry

    @property
    def _entries(self) -> Path:
        return self.folder / "binaries"

    @contextlib.contextmanager
    def _locked(self, key: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock of a key, which the system releases if this process is killed."""
        with self._explained():
            for folder in (self._entries, self.folder / "locks"):
                folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.folder / "locks" / f"{key}.lock")
        deadline_s = time.monotonic() + LOCK_S_MAX
        while True:
            try:
                with self._explained():
                    lock.acquire(timeout=_LOCK_LOOK_S)
                break
            except filelock.Timeout:
                if time.monotonic() > deadline_s:
                    reason = f"another process has held {lock.lock_file} for {LOCK_S_MAX:.0f} s"
                    raise HarnessError(f"{reason}: end it and try again") from None
                waiting()
        try:
            yield
        finally:
            lock.release()

    def _sweep(self, key: str) -> None:
        """Remove what killed runs left of a key, and an entry that does not verify; the lock is held."""
        for folder in [*self._entries.glob(f".unfinished-{key}-*"), self._entries / key]:
            if folder.exists():
                shutil.rmtree(folder)

    def _commit(self, work: Path, key: str, file: str) -> None:
        """Turn a finished work folder into the entry by one rename."""
        path = work / file
        path.chmod(0o755)
        record = {"file": file, "size": path.stat().st_size, "sha256": sha256_of(path)}
        (work / _RECORD).write_text(json.dumps(record))
        work.chmod(0o755)
        work.replace(self._entries / key)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn a refusal of the file system into one clear message."""
        try:
            yield
        except TimeoutError:
            raise
        except OSError as error:
            raise HarnessError(
                f"cannot write to the cache folder {self.folder}: {error.strerror or error}; "
                f"free space there, or name another folder in {CACHE_VARIABLE}"
            ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
