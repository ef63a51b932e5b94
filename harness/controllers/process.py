"""A running controller: the real binary, as its own service account, with its own dummy cloud credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fakeclouds.base import FakeCloud

from ..cluster.kube import Kube
from ..cluster.local import LocalControlPlane
from ..cluster.readiness import wait_until_ok
from ..errors import ComponentExited, ComponentNotReady
from ..journal import Journal
from ..processes import Process
from ..sandbox import Sandbox
from .profile import ControllerProfile, fill

NAMESPACE = "kube-system"
STOP_GRACE_S = 10.0
TOKEN_S = 6 * 3600


def grant(kube: Kube, profile: ControllerProfile) -> None:
    """Create the controller's service account and bind it to the rules that its provider publishes."""
    spec = profile.spec
    role = f"harness:{spec.service_account}"
    subject = {"kind": "ServiceAccount", "name": spec.service_account, "namespace": NAMESPACE}
    rbac = "rbac.authorization.k8s.io"
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": spec.service_account, "namespace": NAMESPACE},
        }
    )
    kube.apply(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role},
            "rules": [rule.model_dump(by_alias=True) for rule in spec.cluster_role],
        }
    )
    kube.apply(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }
    )
    kube.apply(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"{role}:apiserver-authentication-reader", "namespace": NAMESPACE},
            "roleRef": {
                "apiGroup": rbac,
                "kind": "Role",
                "name": "extension-apiserver-authentication-reader",
            },
            "subjects": [subject],
        }
    )


class Controller:
    """One controller of a lab, which can be stopped, killed and started again."""

    def __init__(
        self,
        *,
        profile: ControllerProfile,
        binary: Path,
        facts_from: str,
        cloud: FakeCloud,
        control_plane: LocalControlPlane,
        kube: Kube,
        sandbox: Sandbox,
        journal: Journal,
        folder: Path,
        extra_arguments: tuple[str, ...] = (),
    ) -> None:
        self.profile = profile
        self.binary = binary
        self.starts = 0
        self.process: Process | None = None
        self._facts_from = facts_from
        self._cloud = cloud
        self._control_plane = control_plane
        self._kube = kube
        self._sandbox = sandbox
        self._journal = journal
        self._folder = folder
        self._extra_arguments = extra_arguments

    @property
    def name(self) -> str:
        """The component's name."""
        return self.profile.spec.component

    @property
    def caller(self) -> str:
        """Who the present process is in the journal's cloud calls: a new name for each start."""
        return f"{self.name}#{self.starts}"

    def start(self) -> None:
        """Start a new process and return when it is ready.

        Raises ComponentExited with its last lines when it ends, ComponentNotReady with the bound.
        """
        self.starts += 1
        words = self._words()
        arguments = [fill(argument, words) for argument in (*self.profile.spec.arguments, *self._extra_arguments)]
        variables = {name: fill(value, words) for name, value in self.profile.spec.environment.items()}
        log = self._folder / f"{self.name}-{self.starts}.log"
        self.process = self._sandbox.spawn(
            self.name,
            [self.binary, *arguments],
            log=log,
            cwd=self._folder,
            variables=variables,
        )
        self._journal.process(self.caller, f"started, process {self.process.pid}")
        self._wait_until_ready(self.process, int(words["securePort"]))

    def stop(self) -> None:
        """Stop the process as a pod is stopped: SIGTERM, then SIGKILL."""
        if self.process is not None:
            self.process.terminate(grace_s=STOP_GRACE_S)
            self._journal.process(self.caller, "stopped")
            self.process = None

    def kill(self) -> None:
        """Kill the process, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self._journal.process(self.caller, "killed")
            self.process = None

    def restart(self) -> None:
        """Kill the process and start another: nothing that it held in memory survives."""
        self.kill()
        self.start()

    def health(self) -> None:
        """Raise ComponentExited when the process has ended by itself."""
        if self.process is not None and (code := self.process.poll()) is not None:
            raise ComponentExited(exit_report(self.name, self.binary, code, self.process.log_tail(40)))

    def _words(self) -> Mapping[str, str]:
        token = self._kube.request(
            "POST",
            f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{self.profile.spec.service_account}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": TOKEN_S},
            },
        )["status"]["token"]
        kubeconfig = self._control_plane.write_kubeconfig(self._folder / f"{self.name}.kubeconfig", token=token)
        serving = self._control_plane.authority.issue_server(self.name, "127.0.0.1", "localhost")
        access = self._cloud.issue_access(self.caller, instance="control-plane")
        cloud_config = self._folder / f"{self.name}.conf"
        words = {
            **_camel(self._cloud.facts()),
            **_camel(access),
            "kubeconfig": str(kubeconfig),
            "cloudConfig": str(cloud_config),
            "clusterCIDR": self._control_plane.settings.cluster_cidr,
            "securePort": str(self._sandbox.free_port()),
            "certificate": str(serving.certificate),
            "key": str(serving.key),
            "folder": str(self._folder),
        }
        template: str = getattr(self.profile.spec.cloud_config, self._facts_from)
        cloud_config.touch(mode=0o600)
        cloud_config.write_text(fill(template, words))
        return words

    def _wait_until_ready(self, process: Process, port: int) -> None:
        readiness = self.profile.spec.readiness
        last = wait_until_ok(
            readiness.path,
            port=port,
            socket=self._sandbox.forward(port),
            # Readiness is no secret: what matters is that this very process answers.
            tls=False,
            within_s=readiness.within.seconds,
            health=self.health,
        )
        if last is not None:
            raise ComponentNotReady(
                f"{self.name} ({self.binary}) runs but did not become ready within {readiness.within} ({last}): is it "
                f"this controller, and do its flags fit the profile? its last lines:\n{process.log_tail(40)}"
            )


def _camel(words: Mapping[str, str]) -> dict[str, str]:
    """Turn snake_case keys into the lowerCamelCase of files."""
    return {re.sub(r"_(\w)", lambda match: match[1].upper(), key): value for key, value in words.items()}


def exit_report(name: str, binary: Path, code: int, tail: str) -> str:
    """Say how a process ended, what that usually means, and its last lines."""
    how = f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
    hint = "" if tail.strip() else " without a word: is it this controller at all?"
    if "unknown flag" in tail:
        hint = "; it does not know a flag: is it another program, or a release that needs a profile of its own?"
    return f"{name} ({binary}) {how}{hint}\nits last lines:\n{tail}"
