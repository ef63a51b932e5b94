"""The private folder of a run: made locked, removed in the end, swept later if its run was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "cloud-provider-harness-"
LOCK = "lock"


def make(parent_folder: Path) -> Path:
    """Create a folder (mode 0700) whose lock this process holds until it ends, however it ends."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent_folder))
    # Locked before it gets its name: no sweep ever sees an unlocked lock file of a living run.
    descriptor = os.open(folder / "lock.new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    (folder / "lock.new").rename(folder / LOCK)
    return folder


def retain(folder: Path) -> None:
    """Take the folder out of reach of every later sweep."""
    (folder / LOCK).unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Remove a folder, its lock last: what cannot be removed now is swept the next time."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != LOCK:
                entry.unlink(missing_ok=True)
        if all(entry.name == LOCK for entry in folder.iterdir()):
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()


def sweep(parent_folder: Path) -> None:
    """Remove the folders of this user whose run is over: those with a lock file that nobody holds."""
    for folder in parent_folder.glob(f"{PREFIX}*"):
        # Another user's folder cannot be opened; one that another sweep removes right now is gone or locked.
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                _remove_if_unlocked(folder)


def _remove_if_unlocked(folder: Path) -> None:
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(folder)
    finally:
        os.close(descriptor)
