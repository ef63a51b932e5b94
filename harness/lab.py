"""A lab: everything that one scenario owns, started in order and stopped in reverse by one exit stack.

A control plane, a fake cloud with decoys, simulated nodes paired with its instances, the controller under test, and the
journal that all of them write to.
"""

from __future__ import annotations

import fnmatch
import importlib
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fakeclouds import CLOUDS
from fakeclouds.base import FakeCloud, Instance, InstanceState, Observer

from .cluster.kube import Kube
from .cluster.local import ControlPlaneSettings, LocalControlPlane
from .cluster.nodes import SimulatedNodes
from .cluster.scheduler import Scheduler
from .cluster.watch import ClusterState
from .controllers.process import Controller, grant
from .controllers.profile import ControllerProfile
from .errors import ComponentExited, HarnessError, UsageError
from .journal import CloudCallEntry, Journal
from .known_issues import KnownIssue
from .sandbox import Sandbox
from .scenario.load import substitute
from .scenario.topology import NodeSpec, Topology

CLUSTER_NAME = "lab"
WORD = re.compile(r"\$\{([\w.-]+)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LabSpec:
    """What a lab is made of."""

    cloud: str
    """Name of the fake cloud."""
    profile: ControllerProfile
    """How the controller is started."""
    binaries: Mapping[str, Path]
    """Path of every component, the controller's included."""
    topology: Topology
    """Nodes and settings."""
    variant: str | None
    """Kind of load balancer, where the scenario is about one."""
    facts_from: str
    """`config` or `metadata`: where the controller gets its facts from."""
    seed: int
    """Seed of everything that is drawn."""
    known_issues: tuple[KnownIssue, ...] = ()
    """What this release of the controller is known to do wrong."""
    controller_arguments: tuple[str, ...] = ()
    """Further flags of the controller."""


class Lab:
    """A running lab; `open` starts it, `close` stops it."""

    def __init__(self, spec: LabSpec, sandbox: Sandbox, folder: Path) -> None:
        self.spec = spec
        self.variant = spec.variant
        self.folder = folder
        self.journal = Journal()
        self.sandbox = sandbox
        self.mark = 0
        """Position of the journal that calls are counted from."""
        self.manifests_folder = Path()
        """Where manifest files are looked for."""
        self._owned = ExitStack()
        self._aliases: list[str] = []
        self.instances_added: set[str] = set()
        """Aliases of every instance that the scenario has had."""

    def open(self, manifests_folder: Path) -> None:
        """Start everything but the controller and the nodes; on any error stop what was started."""
        self.manifests_folder = manifests_folder
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop everything, last started first; idempotent."""
        self._owned.close()

    def _open(self) -> None:
        settings = ControlPlaneSettings(node_monitor_grace_s=self.spec.topology.node_monitor_grace_s)
        self.control_plane = LocalControlPlane(
            self.sandbox, dict(self.spec.binaries), self.folder / "control-plane", settings
        )
        self._owned.callback(self.control_plane.close)
        self.control_plane.launch()
        # The account is prepared while the API server comes up.
        self.cloud = self._open_cloud()
        self.decoys = self.cloud.plant_decoys()
        self.baseline = self.cloud.snapshot()
        """The account before the first node and the first step."""
        self.control_plane.wait_until_ready()
        self.control_plane.audit.sink = self.journal.append
        self.kube = self.control_plane.client()
        self.state = ClusterState(self.kube_for("watcher"), self.journal)
        self._owned.callback(self.state.close)
        self.state.start()
        kubelets = self.kube_for("simulated-kubelets")
        # A check must never look at what was before a step: a write returns when the watch has shown it.
        self.kube.after_write = kubelets.after_write = self.state.catch_up
        self.nodes = SimulatedNodes(self.sandbox, self.spec.binaries["kwok"], self.control_plane, kubelets, self.folder)
        self._owned.callback(self.nodes.close)
        self.nodes.start()
        scheduler = Scheduler(self.kube_for("scheduler"), self.state, self.journal)
        self._owned.callback(scheduler.close)
        scheduler.start()
        grant(self.kube, self.spec.profile)
        self.controller = Controller(
            profile=self.spec.profile,
            binary=self.spec.binaries[self.spec.profile.spec.component],
            facts_from=self.spec.facts_from,
            cloud=self.cloud,
            control_plane=self.control_plane,
            kube=self.kube,
            sandbox=self.sandbox,
            journal=self.journal,
            folder=self.folder,
            extra_arguments=self.spec.controller_arguments,
        )
        self._owned.callback(self.controller.kill)

    def _open_cloud(self) -> FakeCloud:
        cloud = load_cloud(self.spec.cloud)(
            seed=self.spec.seed, cluster_name=CLUSTER_NAME, observe=self.journal.record_call
        )
        self._owned.callback(cloud.close)
        cloud.start(self.sandbox.listen)
        return cloud

    def kube_for(self, user: str) -> Kube:
        """Return a client whose writes the audit log shows under a name of their own."""
        return self.control_plane.client(user)

    # What steps and checks ask of a lab.

    @property
    def aliases(self) -> tuple[str, ...]:
        """The nodes that the scenario has now, by the names it gave them."""
        return tuple(self._aliases)

    def add_node(self, node: NodeSpec) -> None:
        """Start an instance and register its Node."""
        if node.name in self._aliases:
            raise UsageError(f"node {node.name!r} exists already")
        try:
            instance = self.cloud.add_instance(node.name, zone=node.zone)
        except ValueError as error:
            raise UsageError(f"node {node.name!r}: {error}") from None
        self.instances_added.add(node.name)
        self._register(node, instance)

    def replace_node(self, alias: str) -> None:
        """Replace an instance by a new one of the same name, whose kubelet registers a new Node."""
        old = self.instance(alias)
        new = self.cloud.replace_instance(alias)
        if new.node_name == old.node_name:
            self.kube.delete("v1", "Node", old.node_name)
        self._aliases.remove(alias)
        self._register(NodeSpec(name=alias), new)

    def _register(self, node: NodeSpec, instance: Instance) -> None:
        self.nodes.register(instance, provide_node_ip=node.provide_node_ip, pod_cidr=node.pod_cidr)
        self._aliases.append(node.name)

    def forget_node(self, alias: str) -> None:
        """The scenario deleted this node on purpose: it counts no longer."""
        self._aliases.remove(alias)

    def instance(self, alias: str) -> Instance:
        """Return the instance behind a node's alias; raises UsageError that lists the aliases."""
        try:
            return self.cloud.instance(alias)
        except KeyError:
            raise UsageError(f"no node {alias!r} in this scenario; it has: {', '.join(self._aliases)}") from None

    def node_name(self, alias: str) -> str:
        """Return the Node name of an alias."""
        return self.instance(alias).node_name

    def expand(self, node: str) -> tuple[str, ...]:
        """Return the aliases that `all` or one alias means."""
        return self.aliases if node == "all" else (node,)

    def live_node_names(self) -> frozenset[str]:
        """Names of nodes whose instance runs."""
        return frozenset(
            instance.node_name for instance in self.cloud.instances() if instance.state == InstanceState.RUNNING
        )

    def controller_calls(self, operation: str = "*", mark: int = 0) -> list[CloudCallEntry]:
        """Return the calls of the controller's processes to an operation (a glob such as `elb*:Create*`)."""
        return [
            entry
            for entry in self.journal.of(CloudCallEntry, mark)
            if entry.call.caller.startswith(f"{self.controller.name}#")
            and fnmatch.fnmatchcase(entry.call.name, operation)
        ]

    def write_admin_kubeconfig(self) -> Path:
        """Write a kubeconfig that may do everything, for a person who looks inside."""
        files = self.control_plane.authority.issue_client("admin", group="system:masters")
        return self.control_plane.write_kubeconfig(self.folder / "admin.kubeconfig", files=files)

    def health(self) -> None:
        """Raise when a component of ours has ended, a call was not implemented, or a child tried to leave."""
        self.control_plane.health()
        kwok = self.nodes.process
        if kwok is not None and (code := kwok.poll()) is not None:
            raise ComponentExited(f"kwok exited with {code}; its last lines:\n{kwok.log_tail()}")
        for entry in self.journal.of(CloudCallEntry):
            if not entry.call.implemented:
                raise HarnessError(
                    f"the fake {self.cloud.name} does not implement {entry.call.name} (called by {entry.call.caller}): "
                    "the verdict would mean nothing"
                )
        if crashes := self.cloud.crashes:
            raise HarnessError(f"the fake {self.cloud.name} crashed in {crashes[0].operation}:\n{crashes[0].traceback}")
        if escapes := self.sandbox.escapes:
            raise HarnessError(
                f"a component tried to reach {escapes[0].target} outside this machine ({escapes[0].method}); the "
                "egress trap stopped it. Which endpoint override is missing in the controller's profile?"
            )

    def words(self) -> dict[str, Any]:
        """Return what manifests may name in `${…}`."""
        facts = {f"fact.{name}": value for name, value in self.cloud.facts().items()}
        names = {f"nodes.{alias}": self.node_name(alias) for alias in self._aliases}
        ids = {f"instances.{alias}": self.instance(alias).id for alias in self._aliases}
        return {"variant": self.variant or "", **facts, **names, **ids}

    def expand_words(self, data: Any) -> Any:
        """Return data with `${…}` in its strings replaced by what the lab knows."""
        words = self.words()

        def replace(match: re.Match[str]) -> str:
            if match[1] not in words and match[1].startswith(("fact.", "instances.", "nodes.")):
                raise UsageError(f"{match[0]} is none of: {', '.join(sorted(words))}")
            return str(words.get(match[1], match[0]))

        return substitute(data, lambda text: WORD.sub(replace, text))


class CloudClass(Protocol):
    """The class of a fake cloud."""

    def __call__(self, *, seed: int, cluster_name: str, observe: Observer) -> FakeCloud:
        """Make an account of it."""


def load_cloud(name: str) -> CloudClass:
    """Return the class of a fake cloud; importing it is what costs."""
    module, _, attribute = CLOUDS[name].partition(":")
    found: CloudClass = getattr(importlib.import_module(module), attribute)
    return found
