"""From the name of a component to a binary of the wanted version.

The order: given by the user, an assets folder, PATH, the cache, built from its pinned Go module, downloaded
with a pinned checksum. This module decides; how to identify, build, download and cache is next to it.

- A *given* binary is always taken once it proves to be that program; its version is reported, not judged.
- What an *assets folder* or *PATH* holds is taken by the rule of `assets`.
- From the *cache* comes what this very toolchain built from these very sources, or what was downloaded. Where
  no Go can build, what any toolchain built from these sources will do, so that a cache can be carried to a
  machine without Go.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import platformdirs

from ..errors import BinaryNotFound, HarnessError, UsageError
from . import assets as assets_rule
from . import go_build
from .cache import CACHE_VARIABLE, Cache, Entry, sha256_of
from .download import download
from .program import version_of
from .progress import Progress
from .registry import COMPONENTS, Download, Release, component_named, this_machine

Wanted = tuple[str, str | None]
"""A component's name, and a version or None for its default."""


class Origin(StrEnum):
    """Where a binary came from."""

    GIVEN = "given"
    ASSETS = "assets"
    PATH = "path"
    CACHE = "cache"
    BUILT = "built"
    DOWNLOADED = "downloaded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Binary:
    """An executable that is there and is what it is said to be."""

    name: str
    version: str
    """Without a leading `v`; `unstamped` for a given build that carries none."""
    path: Path
    origin: Origin
    digest: str
    """SHA-256 of the file, in hex digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """One pinned release, and what a run would take for it."""

    release: Release
    is_default: bool
    binary: Binary | None
    """None where it is not there yet."""
    passed_over: tuple[str, ...]
    """Files of that name that are not taken, with the reason."""


class Binaries:
    """Finds binaries and makes those that are missing.

    `given` maps `NAME` to the path that answers every request for that component, or `NAME@VERSION` to the
    one that answers requests for that version, which may be any word. `assets` and `cache` are folders that
    come before those of the environment. Raises UsageError for an assets folder that is none.
    """

    def __init__(
        self,
        *,
        cache: Path | None = None,
        assets: Path | None = None,
        given: Mapping[str, Path] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._cache = Cache((cache or _cache_folder()).absolute())
        self._assets = assets_rule.assets_folders(assets)
        self._given = dict(given or {})
        self._progress = progress or Progress()
        self._found: dict[Wanted, Binary] = {}
        self._passed_over: dict[Wanted, tuple[str, ...]] = {}

    def find(self, name: str, version: str | None = None) -> Binary | None:
        """Return the binary of a component if it is there; never builds or downloads.

        Raises UsageError for a name that no component has, and for a given path that is not that program.
        """
        wanted = (name, version)
        if wanted not in self._found:
            places = (self._find_given, self._find_put, self._find_cached)
            found = next((binary for place in places if (binary := place(name, version)) is not None), None)
            if found is None:
                return None
            self._found[wanted] = found
        return self._found[wanted]

    def get(self, name: str, version: str | None = None) -> Binary:
        """Return the binary of a component, built or downloaded if need be.

        Raises BinaryNotFound that lists the ways to provide it, HarnessError when a build fails, UsageError
        as `find`.
        """
        return self.ensure([(name, version)])[name, version]

    def ensure(self, wanted: Iterable[Wanted]) -> dict[Wanted, Binary]:
        """Return every wanted binary, making those that are missing one after the other, with progress.

        Raises as `get`, and before any long work where one of them can be had in no way.
        """
        requests = list(dict.fromkeys(wanted))
        missing = [request for request in requests if self.find(*request) is None]
        ways = [(request, self._way_to_make(*request)) for request in missing]
        for number, (request, make) in enumerate(ways, start=1):
            self._found[request] = make(f"{number} of {len(ways)}, " if len(ways) > 1 else "")
        return {request: self._found[request] for request in requests}

    def list(self) -> list[Listing]:
        """Return every pinned release with what is there of it, by component, the default release first."""
        listings = []
        for release in (release for component in COMPONENTS for release in component.releases):
            is_default = release == release.component.releases[0]
            wanted = (release.component.name, None if is_default else release.version)
            binary = self.find(*wanted)
            listings.append(
                Listing(
                    release=release,
                    is_default=is_default,
                    binary=binary,
                    passed_over=self._passed_over.get(wanted, ()),
                )
            )
        return listings

    def _find_given(self, name: str, version: str | None) -> Binary | None:
        path = self._given.get(f"{name}@{version}") or self._given.get(name)
        if path is None:
            return None
        component = next((component for component in COMPONENTS if component.name == name), None)
        path = path.expanduser().absolute()
        return _binary(name, version_of(path, component), path, Origin.GIVEN)

    def _find_put(self, name: str, version: str | None) -> Binary | None:
        """Find what somebody put into an assets folder or on PATH, of the wanted version."""
        component = component_named(name)
        candidates = [(path, Origin.ASSETS) for path in assets_rule.in_folders(self._assets, component, version)]
        candidates += [(path, Origin.PATH) for path in assets_rule.on_path(component)]
        self._passed_over[name, version] = ()
        for path, origin in candidates:
            try:
                found = version_of(path, component)
            except UsageError as error:
                reason = str(error)
            else:
                if assets_rule.is_acceptable(component, version, found):
                    return _binary(name, found, path, origin)
                acceptable = assets_rule.acceptable_text(component, version)
                reason = f"{path} is version {found}, wanted is {acceptable}"
            self._passed_over[name, version] += (reason,)
        return None

    def _find_cached(self, name: str, version: str | None) -> Binary | None:
        release = component_named(name).release(version)
        if release is None:
            return None
        go, _ = _go_for(release)
        pinned = release.download(this_machine())
        keys = [_build_key(release, go)] if go is not None else self._cache.keys(_build_key(release, None))
        keys += [_download_key(release, pinned)] if pinned is not None else []
        entries = (self._cache.lookup(key) for key in keys)
        entry = next((entry for entry in entries if entry is not None), None)
        return None if entry is None else _from_entry(release, entry, Origin.CACHE)

    def _way_to_make(self, name: str, version: str | None) -> Callable[[str], Binary]:
        """Return what builds or downloads a missing binary, given its place in the queue in words.

        Raises BinaryNotFound where neither is possible.
        """
        release = component_named(name).release(version)
        if release is None:
            raise BinaryNotFound(self._ways(name, version, "no release of that version is pinned"))
        go, obstacle = _go_for(release)
        if go is not None:
            return functools.partial(self._build, release, go)
        pinned = release.download(this_machine())
        if pinned is not None:
            return functools.partial(self._download, release, version, pinned, obstacle)
        no_download = f"no download with a known checksum is pinned for {this_machine()}"
        raise BinaryNotFound(self._ways(name, version, obstacle, no_download))

    def _build(self, release: Release, go: go_build.Go, position: str) -> Binary:
        minutes = max(1, round(release.component.build_s / 60))
        expectation = f"{position}about {minutes} min on two cores, once"
        with self._progress.activity(f"building {release.title}", expectation=expectation) as tick:
            entry = self._cache.fill(
                _build_key(release, go),
                file=release.component.name,
                make=lambda path: go_build.build(go, release, path, tick=tick),
                waiting=lambda: tick("another run is building it"),
            )
        return _from_entry(release, entry, Origin.BUILT)

    def _download(
        self, release: Release, version: str | None, pinned: Download, obstacle: str, position: str
    ) -> Binary:
        text = f"downloading {release.title}"
        try:
            with self._progress.activity(text, expectation=position + pinned.url) as tick:
                entry = self._cache.fill(
                    _download_key(release, pinned),
                    file=release.component.name,
                    make=lambda path: download(pinned, path, tick=tick),
                    waiting=lambda: tick("another run is downloading it"),
                )
        except HarnessError as error:
            raise BinaryNotFound(self._ways(release.component.name, version, obstacle, str(error))) from error
        return _from_entry(release, entry, Origin.DOWNLOADED)

    def _ways(self, name: str, version: str | None, *reasons: str) -> str:
        """Say that a binary is missing, why, and every way to provide it."""
        component = component_named(name)
        release = component.release(version)
        text = assets_rule.acceptable_text(component, version)
        lines = [f"there is no binary of {name} {text}:"]
        lines += [f"  - {reason}" for reason in (*reasons, *self._passed_over.get((name, version), ()))]
        lines.append("provide it in one of these ways:")
        lines += ["  - give its path: pytest --controller CLOUD=PATH"] if component.under_test else []
        lines.append(f"  - put {name} {text} on PATH, or into the folder that {assets_rule.ASSETS_VARIABLE} names")
        if release is None:
            pinned = ", ".join(each.version for each in component.releases)
            lines.append(f"  - ask for a pinned version: {pinned}")
        else:
            command = f"python -m harness binaries build {name}@{release.version}"
            lines.append(f"  - install Go {release.go_required} or newer (https://go.dev/dl/); it is built once")
            lines.append(f"  - run `{command}` on a machine with Go, with this version")
            lines.append(f"    of the package, and copy its cache to {self._cache.folder} ({CACHE_VARIABLE})")
        return "\n".join(lines)


def parse_wanted(text: str) -> Wanted:
    """Split `NAME` or `NAME@VERSION`; raises UsageError for an unknown name or an empty version."""
    name, separator, version = text.partition("@")
    component_named(name)
    if separator and not version:
        raise UsageError(f"{text!r} ends with @: write {name}@VERSION, or {name} for its default version")
    return name, version.removeprefix("v") or None


def _cache_folder() -> Path:
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("cloud-provider-harness"))


def _go_for(release: Release) -> tuple[go_build.Go | None, str]:
    """Return the Go that can build a release, or None with the reason."""
    try:
        go = go_build.find_go()
    except HarnessError as error:
        return None, str(error)
    if go is None:
        return None, "it cannot be built: there is no go on PATH"
    if go.chosen_for(release) is None:
        return None, (
            f"it cannot be built: it needs Go {release.go_required} or newer, {go.path} is {go.version} "
            "and may not fetch a newer one (GOTOOLCHAIN=auto lets Go 1.21 and newer do so)"
        )
    return go, ""


def _build_key(release: Release, go: go_build.Go | None) -> str:
    """Return the cache key of a build; without a toolchain, what such keys begin with."""
    system = go.platform if go is not None else this_machine()
    start = f"{release.component.name}-{release.version}-{system.os}-{system.arch}"
    return f"{start}-{go_build.sources_digest(release)}-{go.digest(release) if go is not None else ''}"


def _download_key(release: Release, pinned: Download) -> str:
    return f"{release.component.name}-{release.version}-download-{pinned.sha256[:16]}"


def _binary(name: str, version: str, path: Path, origin: Origin) -> Binary:
    return Binary(name=name, version=version, path=path, origin=origin, digest=sha256_of(path))


def _from_entry(release: Release, entry: Entry, origin: Origin) -> Binary:
    name = release.component.name
    return Binary(name=name, version=release.version, path=entry.path, origin=origin, digest=entry.sha256)
