"""Waiting for a component's HTTPS endpoint: the one signal of readiness that Kubernetes' programs give."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import httpx2

from ..wait import pause

STEP_S = 0.05


def wait_until_ok(
    path: str,
    *,
    port: int,
    socket: Path,
    tls: ssl.SSLContext | bool,
    within_s: float,
    health: Callable[[], None],
) -> str | None:
    """Ask until the endpoint answers 200; return None, or what it said last when it did not within the bound.

    `health` is called before each question and may raise: a process that has ended need not be waited for.
    """
    waited_s, last = 0.0, "no answer"
    transport = httpx2.HTTPTransport(verify=tls, uds=str(socket))
    with httpx2.Client(transport=transport, base_url=f"https://127.0.0.1:{port}", timeout=5) as http:
        while waited_s < within_s:
            health()
            try:
                answer = http.get(path)
                if answer.status_code == 200:
                    return None
                last = f"{answer.status_code} {answer.text[-300:]}"
            except httpx2.TransportError as error:
                last = str(error)
            pause(STEP_S)
            waited_s += STEP_S
    return last
