"""Operating-system things: supervised processes, isolation and its proof. Knows no Kubernetes, no cloud."""

from __future__ import annotations

from harness.processes.canary import canary
from harness.processes.client import Supervisor
from harness.processes.egress import EgressAttempt, EgressTrap
from harness.processes.environment import child_environment
from harness.processes.isolation import Isolation, IsolationLevel
from harness.processes.process import Process
from harness.processes.sockets import Listener, listeners

__all__ = [
    "EgressAttempt",
    "EgressTrap",
    "Isolation",
    "IsolationLevel",
    "Listener",
    "Process",
    "Supervisor",
    "canary",
    "child_environment",
    "listeners",
]
