"""The cache: complete entries only, whoever makes them, however that ends."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from harness.components import cache as cache_module
from harness.components.cache import Cache, sha256_of
from harness.errors import HarnessError

KEY = "etcd-3.6.8-linux-amd64-0123-4567"
BOUND_S = 20.0


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def fill(cache: Cache, content: str = "binary") -> Path:
    def make(path: Path) -> None:
        path.write_text(content)

    return cache.fill(KEY, file="etcd", make=make, waiting=_never).path


def test_an_entry_is_executable_and_carries_its_digest(cache: Cache) -> None:
    assert cache.lookup(KEY) is None
    path = fill(cache)
    entry = Cache(cache.folder).lookup(KEY)
    assert entry is not None
    assert entry.path == path
    assert entry.path.name == "etcd"
    assert entry.sha256 == sha256_of(path)
    assert path.stat().st_mode & 0o777 == 0o755


def test_a_second_fill_makes_nothing(cache: Cache) -> None:
    fill(cache, "first")
    assert fill(Cache(cache.folder), "second").read_text() == "first"


@pytest.mark.parametrize("content", ["tampered", "binarY"], ids=["other-size", "same-size"])
def test_a_damaged_entry_does_not_count_and_is_made_again(cache: Cache, content: str) -> None:
    fill(cache).write_text(content)
    later = Cache(cache.folder)
    assert later.lookup(KEY) is None
    assert fill(later).read_text() == "binary"


def test_damage_after_the_first_look_is_seen(cache: Cache) -> None:
    path = fill(cache)
    assert cache.lookup(KEY) is not None
    path.write_text("another binary")
    assert cache.lookup(KEY) is None


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"file": "etcd"}'])
def test_an_entry_with_an_unreadable_record_does_not_count(cache: Cache, record: str) -> None:
    (fill(cache).parent / "record.json").write_text(record)
    assert Cache(cache.folder).lookup(KEY) is None


def test_what_fails_midway_leaves_nothing(cache: Cache) -> None:
    def make(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.fill(KEY, file="etcd", make=make, waiting=_never)
    assert cache.lookup(KEY) is None
    assert list((cache.folder / "binaries").iterdir()) == []


def test_the_remains_of_a_killed_run_do_not_count_and_are_removed(cache: Cache) -> None:
    remains = cache.folder / "binaries" / f".unfinished-{KEY}-abc"
    remains.mkdir(parents=True)
    (remains / "etcd").write_text("half")
    others = cache.folder / "binaries" / ".unfinished-kwok-0.7.0-abc"
    others.mkdir()
    assert cache.lookup(KEY) is None
    assert cache.keys("etcd") == []
    fill(cache)
    assert not remains.exists()
    assert others.exists(), "another key may be in the making"


def test_two_runs_make_an_entry_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_LOCK_LOOK_S", 0.02)
    making, waiting = threading.Event(), threading.Event()
    made: list[str] = []

    def make_slowly(path: Path) -> None:
        making.set()
        assert waiting.wait(BOUND_S)
        made.append("slowly")
        path.write_text("binary")

    def make_again(path: Path) -> None:
        made.append("again")
        path.write_text("binary")

    first = threading.Thread(target=lambda: cache.fill(KEY, file="etcd", make=make_slowly, waiting=_never), daemon=True)
    first.start()
    assert making.wait(BOUND_S)
    entry = Cache(cache.folder).fill(KEY, file="etcd", make=make_again, waiting=waiting.set)
    first.join(BOUND_S)
    assert made == ["slowly"]
    assert entry.path.read_text() == "binary"


def test_a_lock_that_is_never_released_is_reported(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_LOCK_LOOK_S", 0.02)
    monkeypatch.setattr(cache_module, "LOCK_S_MAX", 0.05)
    making, release = threading.Event(), threading.Event()

    def make(path: Path) -> None:
        making.set()
        assert release.wait(BOUND_S)
        path.write_text("binary")

    holder = threading.Thread(target=lambda: cache.fill(KEY, file="etcd", make=make, waiting=_never), daemon=True)
    holder.start()
    assert making.wait(BOUND_S)
    try:
        with pytest.raises(HarnessError, match=r"another process has held .*\.lock"):
            Cache(cache.folder).fill(KEY, file="etcd", make=make, waiting=lambda: None)
    finally:
        release.set()
        holder.join(BOUND_S)


def test_keys_come_newest_first(cache: Cache) -> None:
    for key in ("etcd-3-a", "etcd-3-b", "kwok-0-a"):
        cache.fill(key, file="x", make=lambda path: path.touch(), waiting=_never)
    record = cache.folder / "binaries" / "etcd-3-b" / "record.json"
    older_s = record.stat().st_mtime - 10
    os.utime(record, (older_s, older_s))
    assert cache.keys("etcd-3-") == ["etcd-3-a", "etcd-3-b"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match=r"cannot write to the cache folder .*/file/cache: Not a directory"):
        fill(Cache(tmp_path / "file" / "cache"))


def test_a_full_disk_is_named(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(HarnessError, match="No space left on device; free space there"):
        fill(cache)
    assert list((cache.folder / "binaries").iterdir()) == []


def _never() -> None:
    raise AssertionError("nobody else holds the key")
