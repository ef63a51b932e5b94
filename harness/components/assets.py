"""What somebody put into an assets folder or on PATH, and which of it is taken.

A binary is taken when its `--version` is the wanted one: exactly for what is under test, any patch release of
the wanted minor for the rest; as asked where a version was asked for. Others are passed over, each with a
reason.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError
from .registry import Component, is_version

ASSETS_VARIABLE = "CLOUD_PROVIDER_HARNESS_ASSETS"
"""Environment variable that names the assets folder; files are called `NAME` or `NAME-VERSION`."""

KUBEBUILDER_VARIABLE = "KUBEBUILDER_ASSETS"
"""The same for the binaries of controller-runtime's envtest, looked at second."""


def assets_folders(named: Path | None) -> list[Path]:
    """Return the assets folders in order: the named one, or else that of the environment, then envtest's.

    Raises UsageError for one of ours that is no folder; envtest's variable may name a folder that is not
    there.
    """
    ours = named or _folder_of(ASSETS_VARIABLE)
    if ours is not None and not ours.expanduser().is_dir():
        raise UsageError(f"the assets folder {ours} is no folder: create it, or correct {ASSETS_VARIABLE}")
    return [folder.expanduser().absolute() for folder in (ours, _folder_of(KUBEBUILDER_VARIABLE)) if folder is not None]


def in_folders(folders: list[Path], component: Component, version: str | None) -> Iterator[Path]:
    """Return the files of the component's name in some folders, those with a version in their name first."""
    release = component.release(version)
    versions = dict.fromkeys([version, release.version if release is not None else None])
    names = [f"{component.name}-{each}" for each in versions if each is not None]
    for folder in folders:
        yield from (folder / name for name in [*names, component.name] if (folder / name).exists())


def on_path(component: Component) -> Iterator[Path]:
    """Return the first executable of the component's name on PATH, if there is one."""
    found = shutil.which(component.name)
    if found is not None:
        yield Path(found).absolute()


def is_acceptable(component: Component, wanted: str | None, found: str) -> bool:
    """Whether a version that was found will do for the wanted one, None being the default."""
    if wanted is not None:
        return is_version(found, wanted)
    pinned = component.releases[0].version
    return found == pinned if component.under_test else is_version(found, pinned.rpartition(".")[0])


def acceptable_text(component: Component, wanted: str | None) -> str:
    """Name the versions that `is_acceptable` accepts, for people."""
    if wanted is not None:
        return wanted
    pinned = component.releases[0].version
    return pinned if component.under_test else f"{pinned.rpartition('.')[0]}.x"


def _folder_of(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
