"""The canary: proof, before any controller starts, that a child started like one reaches no real cloud."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import HarnessError
from harness.processes import canary_probe
from harness.processes.client import Supervisor
from harness.processes.egress import EgressTrap
from harness.processes.isolation import IsolationLevel

TARGETS = ("https://ec2.us-east-1.amazonaws.com", "http://169.254.169.254/")
"""A real cloud, and the address at which clouds serve metadata and credentials to their instances."""

ATTEMPT_S_MAX = 2.0
RUN_S_MAX = 30.0
"""For all attempts together; a slow resolver is the only reason to need more than a second."""


def canary(
    supervisor: Supervisor, env: Mapping[str, str], trap: EgressTrap, *, targets: Sequence[str] = TARGETS
) -> None:
    """Start a probe exactly as a controller to try `targets`; in a network namespace also past proxies.

    Its hits on `trap` are expected and do not stay in `trap.attempts`. Raises HarnessError when a target was
    reached, when an attempt by proxy settings did not end in the trap, or when the probe did not finish.
    """
    token = secrets.token_hex(16)
    is_direct = supervisor.isolation.level is IsolationLevel.NETWORK_NAMESPACE
    results = _run(supervisor, env, [*(["--direct"] if is_direct else []), token, str(ATTEMPT_S_MAX), *targets])
    trapped = trap.take(token)
    isolation = supervisor.isolation
    for result in results:
        if result["reached"] is not None:
            raise HarnessError(
                f"a component can reach {result['target']} ({result['way']}: {result['reached']}) "
                f"at isolation level {isolation.level} ({isolation.reason}): no controller is started"
            )
    if len(trapped) != len(targets):
        raise HarnessError(
            f"egress does not end in the trap: {len(trapped)} of {len(targets)} attempts arrived; "
            f"the proxy settings in its environment must name {trap.proxy_url}: {results}"
        )


def _run(supervisor: Supervisor, env: Mapping[str, str], arguments: list[str]) -> list[dict[str, Any]]:
    log = supervisor.folder / f"canary-{secrets.token_hex(4)}.log"
    argv = [sys.executable, "-I", "-S", canary_probe.__file__, *arguments]
    process = supervisor.spawn("canary", argv, env=env, log=log)
    if process.wait(RUN_S_MAX) != 0:
        process.kill()
        raise HarnessError(f"the canary did not finish, so isolation is not proven:\n{process.log_tail()}")
    return [json.loads(line) for line in log.read_text().splitlines()]
