"""The environment of a child: an allow-list, never a copy of ours. Credentials are the caller's business."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from harness.errors import UsageError

NO_PROXY = "127.0.0.1,localhost,::1"


def child_environment(*, folder: Path, proxy_url: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return PATH, a fixed language, `folder` as home and for temporary files, proxy settings, and `extra`.

    Programs read proxy settings in either case, so both are set. Raises UsageError when `extra` sets one of
    the variables that keep a child in: home (credential files live there), temporary folder, proxies.
    """
    proxies = {"HTTP_PROXY": proxy_url, "HTTPS_PROXY": proxy_url, "NO_PROXY": NO_PROXY}
    fixed = {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        **proxies,
        **{name.lower(): value for name, value in proxies.items()},
    }
    extra = extra or {}
    if taken := sorted(fixed.keys() & extra.keys()):
        raise UsageError(f"a component may not set {', '.join(taken)}: the harness does, to keep it isolated")
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **extra, **fixed}
