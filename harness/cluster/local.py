"""The `local` control plane: etcd, kube-apiserver and the loops of kube-controller-manager as child processes.

TLS, authentication and RBAC are on; etcd listens on a unix socket, the API server on one loopback port, the controller
manager on none. There is no scheduler, no kubelet and no kube-proxy: simulated nodes stand in for them.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ComponentExited, ComponentNotReady
from ..processes import Process
from ..sandbox import Sandbox
from .audit import POLICY, AuditLog
from .certificates import Authority, ClientFiles
from .kube import Kube
from .readiness import wait_until_ok

API_SERVER_READY_S = 60.0
"""Bound for the API server's readiness: 3 s on two idle cores, ten times that and more on a busy machine."""

CONTROLLER_MANAGER_LOOPS = (
    "deployment-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "node-ipam-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "serviceaccount-controller",
)
"""The loops that cloud controllers and scenarios rely on; a cloud's own loops are never among them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlaneSettings:
    """What a scenario may ask of its control plane."""

    cluster_cidr: str = "10.244.0.0/16"
    """Range that the node IPAM loop takes pod CIDRs from, a /24 for each node."""
    service_cidr: str = "10.96.0.0/16"
    """Range of ClusterIPs."""
    node_monitor_grace_s: int = 10
    """Seconds without a heartbeat after which the node life cycle loop marks a node Unknown (Kubernetes: 50)."""


class LocalControlPlane:
    """A running etcd, kube-apiserver and kube-controller-manager, owned until `close`."""

    backend = "local"

    def __init__(
        self, sandbox: Sandbox, binaries: dict[str, Path], folder: Path, settings: ControlPlaneSettings
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.processes: dict[str, Process] = {}
        self._sandbox = sandbox
        self._binaries = binaries
        self._owned = ExitStack()
        self._clients = ExitStack()

    def start(self) -> None:
        """Start everything and return when the API server is ready; raises as `launch` and `wait_until_ready` do."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start etcd and the API server, which come up while the caller does something else.

        Raises UsageError for a binary that cannot be executed.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.authority = Authority(self.folder / "pki")
        self.audit = AuditLog(self.folder / "audit.pipe")
        self._owned.callback(self.audit.close)
        self._start_etcd()
        self._start_api_server()

    def wait_until_ready(self) -> None:
        """Return when the API server is ready, and start the controller manager's loops.

        Raises ComponentExited with the component's last lines, or ComponentNotReady with the bound.
        """
        self._wait_for_api_server()
        self._start_controller_manager()

    def close(self) -> None:
        """Stop everything, last started first; idempotent."""
        self._clients.close()
        self._owned.close()

    @property
    def server(self) -> str:
        """URL of the API server, inside the children's network namespace."""
        return f"https://127.0.0.1:{self.port}"

    def client(self, user: str = "harness", group: str = "system:masters") -> Kube:
        """Return a new client that acts as a user (a client certificate is issued for it)."""
        tls = self.authority.client_tls(self.authority.issue_client(user, group=group))
        kube = Kube(self.server, tls, socket=self._socket)
        self._clients.callback(kube.close)
        return kube

    def write_kubeconfig(self, path: Path, *, token: str | None = None, files: ClientFiles | None = None) -> Path:
        """Write a kubeconfig for a child process that authenticates by token or by client certificate."""
        user: dict[str, Any] = {"token": token} if token else {}
        if files:
            user = {"client-certificate": str(files.certificate), "client-key": str(files.key)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "lab",
                    "cluster": {
                        "server": self.server,
                        "certificate-authority": str(self.authority.certificate),
                    },
                }
            ],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
            "current-context": "lab",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1))
        return path

    def health(self) -> None:
        """Raise ComponentExited when one of the processes has ended by itself."""
        for process in self.processes.values():
            code = process.poll()
            if code is not None:
                raise ComponentExited(f"{process.name} exited with {code}; its last lines:\n{process.log_tail()}")

    def _spawn(self, name: str, arguments: list[str], **variables: str) -> Process:
        process = self._sandbox.spawn(
            name,
            [self._binaries[name], *arguments],
            log=self.folder / f"{name}.log",
            cwd=self.folder,
            variables=variables,
        )
        self.processes[name] = process
        self._owned.callback(process.kill)
        return process

    def _start_etcd(self) -> None:
        self._spawn(
            "etcd",
            [
                "--data-dir=etcd",
                # etcd wants host:port after unix://, and makes a socket of that name in its working folder.
                "--listen-client-urls=unix://localhost:2379",
                "--advertise-client-urls=unix://localhost:2379",
                "--listen-peer-urls=unix://localhost:2380",
                "--initial-advertise-peer-urls=unix://localhost:2380",
                "--initial-cluster=default=unix://localhost:2380",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
        )

    def _start_api_server(self) -> None:
        policy = self.folder / "audit-policy.json"
        policy.write_text(json.dumps(POLICY))
        serving = self.authority.issue_server("kube-apiserver", "127.0.0.1", "localhost", "kubernetes.default.svc")
        signing_key = self.authority.issue_signing_key()
        self.port = self._sandbox.free_port()
        self._spawn(
            "kube-apiserver",
            [
                f"--etcd-servers=unix://{self.folder}/localhost:2379",
                "--bind-address=127.0.0.1",
                f"--secure-port={self.port}",
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                f"--client-ca-file={self.authority.certificate}",
                f"--tls-cert-file={serving.certificate}",
                f"--tls-private-key-file={serving.key}",
                "--authorization-mode=Node,RBAC",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={signing_key}",
                f"--service-account-signing-key-file={signing_key}",
                f"--service-cluster-ip-range={self.settings.service_cidr}",
                f"--audit-policy-file={policy}",
                f"--audit-log-path={self.audit.path}",
                "--audit-log-mode=blocking",
                # A pipe cannot be rotated.
                "--audit-log-maxsize=1000000",
                # As many writes at once as 200 route workers and their informers can make.
                "--max-requests-inflight=2000",
                "--max-mutating-requests-inflight=1000",
            ],
            # Fewer, larger collections: a lab's API server lives for minutes, and start-up is what it waits for.
            GOGC="200",
        )
        self._socket = self._sandbox.forward(self.port)

    def _wait_for_api_server(self) -> None:
        tls = self.authority.client_tls(self.authority.issue_client("probe", group="system:masters"))
        last = wait_until_ok(
            "/readyz", port=self.port, socket=self._socket, tls=tls, within_s=API_SERVER_READY_S, health=self.health
        )
        if last is not None:
            raise ComponentNotReady(
                f"kube-apiserver did not become ready within {API_SERVER_READY_S:.0f} s ({last}); its last lines:\n"
                f"{self.processes['kube-apiserver'].log_tail()}"
            )

    def _start_controller_manager(self) -> None:
        files = self.authority.issue_client("system:kube-controller-manager", group="system:masters")
        kubeconfig = self.write_kubeconfig(self.folder / "kube-controller-manager.kubeconfig", files=files)
        self._spawn(
            "kube-controller-manager",
            [
                f"--kubeconfig={kubeconfig}",
                f"--controllers={','.join(CONTROLLER_MANAGER_LOOPS)}",
                "--leader-elect=false",
                # No listener at all: nothing asks it anything.
                "--secure-port=0",
                "--allocate-node-cidrs=true",
                f"--cluster-cidr={self.settings.cluster_cidr}",
                f"--service-cluster-ip-range={self.settings.service_cidr}",
                "--configure-cloud-routes=false",
                "--node-monitor-period=1s",
                f"--node-monitor-grace-period={self.settings.node_monitor_grace_s}s",
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
            ],
        )
