"""How fast the harness is, against the bare programs it starts, measured in one run.

Figures of one machine at one time: only the ratios, taken pair by pair, mean anything elsewhere.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import httpx2
import psutil
import trustme
from rich.console import Console
from rich.table import Table

from ..cluster.local import ControlPlaneSettings, LocalControlPlane
from ..components import Binaries
from ..errors import HarnessError
from ..sandbox import Sandbox
from ..wait import pause

SCENARIOS = ("scenarios/node/initialised.yaml", "scenarios/loadbalancer/created.yaml")
READY_S_MAX = 60.0


def measure(pairs: int) -> None:
    """Measure and print; raises HarnessError when something does not start."""
    table = Table(title="benchmark", title_justify="left")
    for column in ("what", "ours", "peer", "ratio", "peer is"):
        table.add_column(column)
    console = Console()
    with console.status("control planes"):
        measure_control_planes(table, pairs)
    with console.status("scenarios"):
        measure_scenarios(table)
    console.print(table)


def measure_control_planes(table: Table, pairs: int) -> None:
    """Start ours and the bare programs in turn."""
    found = Binaries()
    paths = {name: found.get(name).path for name in ("etcd", "kube-apiserver", "kube-controller-manager")}
    ours, bare, memory = [], [], []
    sandbox = Sandbox.open()
    try:
        for number in range(pairs):
            bare.append(seconds_to_open(bare_control_plane(paths, sandbox.folder / f"bare-{number}")))
            plane = LocalControlPlane(sandbox, paths, sandbox.folder / f"ours-{number}", ControlPlaneSettings())
            started = time.monotonic()
            plane.start()
            ours.append(time.monotonic() - started)
            memory.append(sum(process.rss_bytes() for process in plane.processes.values()))
            plane.close()
    finally:
        sandbox.close()
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
    table.add_row(
        "control plane ready, s",
        f"{statistics.median(ours):.2f}",
        f"{statistics.median(bare):.2f}",
        f"{ratio:.2f}",
        "etcd and kube-apiserver alone, the same binaries",
    )
    table.add_row("control plane memory, MB", f"{statistics.median(memory) / 1e6:.0f}", "", "", "")


def seconds_to_open(opened: contextlib.AbstractContextManager[None]) -> float:
    """Open it, close it, and return the seconds that opening took."""
    started = time.monotonic()
    with opened:
        return time.monotonic() - started


@contextlib.contextmanager
def bare_control_plane(paths: dict[str, Path], folder: Path) -> Iterator[None]:
    """Start etcd and kube-apiserver with as little as they need, outside any sandbox, until the API server is ready."""
    folder.mkdir()
    authority = trustme.CA()
    serving = authority.issue_cert("127.0.0.1")
    serving.private_key_and_cert_chain_pem.write_to_path(folder / "serving.pem")
    token = folder / "tokens.csv"
    token.write_text("secret,bench,bench,system:masters\n")
    port = free_port()
    etcd = [paths["etcd"], "--data-dir=etcd", "--unsafe-no-fsync", "--log-level=error"]
    etcd += [f"--{kind}-urls=unix://localhost:2379" for kind in ("listen-client", "advertise-client")]
    etcd += [f"--{kind}-urls=unix://localhost:2380" for kind in ("listen-peer", "initial-advertise-peer")]
    server = [
        paths["kube-apiserver"],
        f"--etcd-servers=unix://{folder}/localhost:2379",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={folder}/serving.pem",
        f"--tls-private-key-file={folder}/serving.pem",
        f"--token-auth-file={token}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder}/serving.pem",
        f"--service-account-signing-key-file={folder}/serving.pem",
        "--service-cluster-ip-range=10.96.0.0/16",
    ]
    with contextlib.ExitStack() as running, (folder / "log").open("wb") as log:
        for command in ([*etcd, "--initial-cluster=default=unix://localhost:2380"], server):
            process = subprocess.Popen(list(map(str, command)), cwd=folder, stdout=log, stderr=log)
            running.callback(process.wait)
            running.callback(process.kill)
        wait_until_ready(port, folder)
        yield


def wait_until_ready(port: int, folder: Path) -> None:
    """Ask /readyz until it says so; raises HarnessError when it does not."""
    deadline = time.monotonic() + READY_S_MAX
    headers = {"Authorization": "Bearer secret"}
    with httpx2.Client(verify=False, headers=headers, trust_env=False) as http:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx2.TransportError):
                if http.get(f"https://127.0.0.1:{port}/readyz").status_code == 200:
                    return
            pause(0.05)
    raise HarnessError(f"the bare kube-apiserver did not become ready: {(folder / 'log').read_text()[-500:]}")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def measure_scenarios(table: Table) -> None:
    """Run scenarios by pytest, as a user does, and read its JUnit XML."""
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}", *SCENARIOS]
        started, output, first_s = time.monotonic(), "", 0.0
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for piece in iter(lambda: process.stdout.read(1) if process.stdout else "", ""):
            output += piece
            if not first_s and output.rpartition("\n")[2].rpartition(" ")[2].startswith("."):
                first_s = time.monotonic() - started
        if process.wait() != 0:
            raise HarnessError(f"the scenarios of the benchmark failed:\n{output[-2000:]}")
        cases = ElementTree.parse(junit).getroot().iter("testcase")  # noqa: S314 - our own file
        facts = [{item.get("name"): item.get("value") for item in case.iter("property")} for case in cases]
    table.add_row("from `pytest` to the first verdict, s", f"{first_s:.1f}", "", "", "")
    phases = [name for name in facts[0] if str(name).startswith("seconds: ")]
    for phase in phases:
        median = statistics.median(float(fact[phase] or 0) for fact in facts)
        table.add_row(f"a scenario's {phase}".replace("seconds: ", "") + ", s", f"{median:.1f}", "", "", "")
    memory = statistics.median(float(fact["memory: lab MB"] or 0) for fact in facts)
    table.add_row("memory of a lab's components, MB", f"{memory:.0f}", "", "", "aim: below 700")
    own = psutil.Process().memory_info().rss / 1e6
    table.add_row("memory of this process, MB", f"{own:.0f}", "", "", "")
