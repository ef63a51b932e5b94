"""The canary's program: tries to reach each target and says what came of it, one JSON object a line.

Standard library only; run as `python -I -S canary_probe.py [--direct] TOKEN TIMEOUT_S URL...`. It contacts
nothing but the targets. Exit code 0 means that every attempt was made; the lines tell which succeeded.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

TOKEN_HEADER = "harness-canary"  # noqa: S105 - a header's name
PROXY_NAME = "cloud-provider-harness"
"""Name of the trap in its Proxy-Status header, which tells its refusal from an answer of the target."""


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _through_proxy(url: SplitResult, proxy: SplitResult, token: str, timeout_s: float) -> str | None:
    """Return what was reached, or None when the trap refused. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection(str(proxy.hostname), _port(proxy), timeout=timeout_s)
    if url.scheme == "https":
        connection.set_tunnel(str(url.hostname), _port(url), headers={TOKEN_HEADER: token})
        connection.connect()  # an OSError when the proxy refuses the tunnel
        return "a tunnel was opened"
    connection.request("GET", url.geturl(), headers={TOKEN_HEADER: token})
    response = connection.getresponse()
    is_trap = response.getheader("Proxy-Status", "").startswith(f"{PROXY_NAME};")
    return None if is_trap else f"HTTP status {response.status}"


def _directly(url: SplitResult, timeout_s: float) -> str:
    with socket.create_connection((str(url.hostname), _port(url)), timeout=timeout_s):
        return "a TCP connection was opened"


def _attempt(target: str, *, by_proxy_settings: bool, token: str, timeout_s: float) -> dict[str, str | None]:
    url = urlsplit(target)
    proxy = getproxies().get(url.scheme)
    if not by_proxy_settings or proxy_bypass(str(url.hostname)):
        proxy = None
    try:
        if proxy is None:
            reached: str | None = _directly(url, timeout_s)
        else:
            reached = _through_proxy(url, urlsplit(proxy), token, timeout_s)
        detail = "refused by the trap"
    except (OSError, http.client.HTTPException) as error:
        reached, detail = None, str(error)
    return {
        "target": target,
        "way": "proxy settings" if proxy else "direct",
        "reached": reached,
        "detail": detail,
    }


def main(arguments: list[str]) -> None:
    """Try every target as its proxy settings say, with `--direct` also past them."""
    ways = [True, False] if "--direct" in arguments else [True]
    token, timeout_s, *targets = (argument for argument in arguments if argument != "--direct")
    for target in targets:
        for way in ways:
            result = _attempt(target, by_proxy_settings=way, token=token, timeout_s=float(timeout_s))
            sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
