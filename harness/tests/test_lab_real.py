"""The lab with its real binaries: what nodes and pods do, where it listens, and that nothing is left behind."""

from __future__ import annotations

import ipaddress
import json
import os
import select
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.actions import Action
from harness.actions.world import Kubelet, SetReady
from harness.checks import Check
from harness.checks.nodes import NodeCondition, NodeUninitialised
from harness.checks.services import ServiceReadyEndpoints
from harness.controllers.profile import Readiness
from harness.errors import HarnessError, UsageError
from harness.journal import ClusterCallEntry, ObjectEntry
from harness.lab import Lab
from harness.processes import listeners
from harness.scenario.duration import Duration
from harness.wait import Observation, until

pytestmark = pytest.mark.needs_binaries

REPOSITORY = Path(__file__).parents[2]
BOUND_S = 60.0
CLOUD_OWNED_LABELS = ("topology.", "failure-domain.", "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance")


def demand(lab: Lab, look: Check | Callable[[], Observation], within_s: float = BOUND_S) -> None:
    """Wait until an observation is met; fail with the last one."""

    def observe() -> Observation:
        return look.observe(lab) if isinstance(look, Check) else look()

    waited = until(observe, within_s=within_s, changes=lab.journal, give_up=lab.health)
    assert waited.observation.met, waited.observation


def perform(lab: Lab, action: Action) -> None:
    action.perform(lab)


def ready(status: str) -> NodeCondition:
    return NodeCondition(node="node-1", type="Ready", status=status)


def lease_renewals(lab: Lab) -> Counter[str]:
    """How often each node's kubelet has renewed its lease, by the API server's audit log."""
    return Counter(
        entry.name.rpartition("/")[2]
        for entry in lab.journal.of(ClusterCallEntry)
        if entry.resource == "leases" and entry.writes and entry.status == 200
    )


def owned_by_the_cloud(node: dict[str, Any]) -> list[str]:
    """Return the facts on a Node that only a cloud's controllers may write."""
    found = [f"address {entry}" for entry in node.get("status", {}).get("addresses", [])]
    found += [f"label {key}" for key in node["metadata"].get("labels", {}) if key.startswith(CLOUD_OWNED_LABELS)]
    found += ["providerID"] if node["spec"].get("providerID") else []
    conditions = node.get("status", {}).get("conditions", [])
    return found + [entry["type"] for entry in conditions if entry["type"] == "NetworkUnavailable"]


def test_without_a_controller_a_ready_node_stays_uninitialised(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab(nodes=2)
    demand(lab, NodeCondition(node="all", type="Ready", status="True"))
    names = {lab.node_name(alias) for alias in lab.aliases}

    def heartbeats() -> Observation:
        seen = lease_renewals(lab)
        met = all(seen[name] >= 3 for name in names)
        return Observation(met=met, subject="leases", expected="3 renewals of each", observed=str(seen))

    demand(lab, heartbeats)
    assert NodeUninitialised(node="all").observe(lab).met
    shown = [entry for entry in lab.journal.of(ObjectEntry) if entry.object_kind == "Node" and entry.after]
    assert {entry.name for entry in shown} == names
    assert [owned_by_the_cloud(dict(entry.after or {})) for entry in shown] == [[]] * len(shown)


def test_every_child_listens_on_loopback_only(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab(nodes=1)
    lab.controller.start()
    children = {child.pid: child.name() for child in psutil.Process().children(recursive=True)}
    found = listeners(children)
    listening = {children[listener.pid] for listener in found}
    # Names as the kernel cuts them; the controller's own is what its file is called.
    assert "kube-apiserver" in listening
    assert lab.controller.process is not None
    assert lab.controller.process.pid in {listener.pid for listener in found}
    assert [listener for listener in found if not listener.is_loopback] == []


def test_pods_are_bound_get_an_address_of_their_nodes_range_and_back_a_service(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab(nodes=2)
    demand(lab, NodeCondition(node="all", type="Ready", status="True"))
    for manifest in web(replicas=2):
        lab.kube.apply(manifest)
    demand(lab, ServiceReadyEndpoints(service="web", count=2))
    nodes = {node["metadata"]["name"]: node for node in lab.state.all("Node")}
    pods = lab.state.all("Pod")
    assert {pod["spec"]["nodeName"] for pod in pods} == nodes.keys(), "one on each node"
    for pod in pods:
        pod_cidr = nodes[pod["spec"]["nodeName"]]["spec"]["podCIDR"]
        assert ipaddress.ip_address(pod["status"]["podIP"]) in ipaddress.ip_network(pod_cidr)
        assert {"type": "Ready", "status": "True"}.items() <= _condition(pod, "Ready").items()
    addresses = {
        address
        for piece in lab.state.all("EndpointSlice")
        if piece["metadata"]["labels"].get("kubernetes.io/service-name") == "web"
        for endpoint in piece["endpoints"]
        for address in endpoint["addresses"]
    }
    assert addresses == {pod["status"]["podIP"] for pod in pods}


def _condition(item: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in item["status"]["conditions"] if entry["type"] == name)


def web(replicas: int) -> list[dict[str, Any]]:
    """Return a Service and a Deployment whose pods tolerate nodes that no controller has initialised."""
    pod = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web"}], "tolerations": [{"operator": "Exists"}]},
    }
    metadata = {"name": "web", "namespace": "default"}
    selector = {"app": "web"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": replicas, "selector": {"matchLabels": selector}, "template": pod},
        },
    ]


def test_a_node_follows_its_kubelet_from_ready_to_not_ready_and_unknown_and_back(open_lab: Callable[..., Lab]) -> None:
    lab = open_lab(nodes=1)
    demand(lab, ready("True"))
    perform(lab, SetReady(node="node-1", ready=False))
    demand(lab, ready("False"))
    perform(lab, SetReady(node="node-1", ready=True))
    demand(lab, ready("True"))
    perform(lab, Kubelet(node="node-1", state="stopped"))
    demand(lab, ready("Unknown"))
    perform(lab, Kubelet(node="node-1", state="running"))
    demand(lab, ready("True"))


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_controller_path_that_is_none_gets_one_clear_message(open_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = open_lab()
    readiness = Readiness(within=Duration("1s"))
    spec = lab.controller.profile.spec.model_copy(update={"readiness": readiness})
    lab.controller.profile = lab.controller.profile.model_copy(update={"spec": spec})
    true, sleep = shutil.which("true"), shutil.which("sleep")
    assert true
    assert sleep
    flag_error = "#!/bin/sh\necho 'Error: unknown flag: --cluster-cidr' >&2\nexit 1\n"
    expected: list[tuple[Path, type[HarnessError], str]] = [
        (tmp_path / "absent", UsageError, "No such file"),
        (tmp_path, UsageError, "is a folder, not a program"),
        (script(tmp_path / "plain", "text", 0o644), UsageError, "is not executable: chmod +x it"),
        (script(tmp_path / "text", "text"), UsageError, "neither an ELF file nor a script"),
        (Path(true), HarnessError, "exited with 0 without a word: is it this controller at all?"),
        (Path(sleep), HarnessError, "unrecognized option"),
        (script(tmp_path / "old", flag_error), HarnessError, "it does not know a flag"),
        (script(tmp_path / "crash", "#!/bin/sh\nkill -SEGV $$\n"), HarnessError, "was killed by signal 11"),
        (script(tmp_path / "idle", "#!/bin/sh\nexec sleep 600\n"), HarnessError, "did not become ready within 1s"),
    ]
    for path, error, message in expected:
        lab.controller.binary = path
        with pytest.raises(error) as caught:
            lab.controller.start()
        text = str(caught.value)
        assert message in text
        assert str(path) in text.splitlines()[0]
        assert text.startswith("aws-cloud-controller-manager")
        lab.controller.kill()


HELD_OPEN = """
import json, os, pathlib, signal
import psutil
from harness.processes import listeners

def test_holds_a_lab_open(open_lab):
    lab = open_lab(nodes=1)
    lab.controller.start()
    children = [child.pid for child in psutil.Process().children(recursive=True)]
    found = {
        "folder": str(lab.sandbox.folder),
        "children": children,
        "names": sorted({psutil.Process(pid).name() for pid in children}),
        "ports": [listener.port for listener in listeners(children)],
        "network": os.readlink(f"/proc/{lab.controller.process.pid}/ns/net"),
    }
    with open("ready", "w") as ready:
        json.dump(found, ready)
    signal.pause()
"""


def test_kill_9_of_pytest_leaves_no_process_no_port_and_no_folder(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_held_open.py").write_text(HELD_OPEN)
    os.mkfifo(tmp_path / "ready")
    options = [f"--controller={text}" for text in request.config.getoption("--controller")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "harness.plugin", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with (
        (tmp_path / "out").open("w") as out,
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=out) as run,
    ):
        try:
            found = json.loads(first_line(tmp_path / "ready", run, tmp_path / "out"))
        finally:
            run.kill()
    assert {"etcd", "kube-apiserver", "kwok"} <= set(found["names"])
    assert found["ports"]
    assert [pid for pid in found["children"] if not has_ended(pid)] == []
    assert not Path(found["folder"]).exists()
    if found["network"] == str(Path("/proc/self/ns/net").readlink()):
        listening = [entry for entry in psutil.net_connections("tcp") if entry.status == "LISTEN"]
        in_use = {entry.laddr.port for entry in listening if entry.laddr}
        assert in_use.isdisjoint(found["ports"])
    else:
        assert [pid for pid in psutil.pids() if network(pid) == found["network"]] == [], "the namespace is gone"


def first_line(fifo: Path, run: subprocess.Popen[bytes], out: Path) -> str:
    """Return what the run writes to a named pipe; fail with its output when it ends before."""
    descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    ended = os.pidfd_open(run.pid)
    try:
        readable, _, _ = select.select([descriptor, ended], [], [], 3 * BOUND_S)
        assert descriptor in readable, out.read_text()
        os.set_blocking(descriptor, True)
        with os.fdopen(os.dup(descriptor)) as file:
            return file.read()
    finally:
        os.close(descriptor)
        os.close(ended)


def has_ended(pid: int) -> bool:
    """Wait for the end of any process, not only our own children."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], BOUND_S)[0])
    finally:
        os.close(descriptor)


def network(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return ""
