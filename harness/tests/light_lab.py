"""A lab without processes: the real `Lab` over plain parts in memory, which record what they are asked to do.

It starts as two initialised nodes with their routes, and the Service `default/web` with its load balancer.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, cast

import httpx2
from lightkube import ApiError

from fakeclouds.base import (
    Address,
    Backend,
    Call,
    FakeCloud,
    Frontend,
    Instance,
    InstanceState,
    LoadBalancer,
    Route,
)
from harness.checks.services import FINALIZER
from harness.cluster.kube import Kube, Object, object_name
from harness.cluster.local import LocalControlPlane
from harness.cluster.nodes import UNINITIALIZED_TAINT, SimulatedNodes
from harness.cluster.watch import ClusterState
from harness.controllers.process import Controller
from harness.controllers.profile import ControllerProfile, load_profile
from harness.journal import CloudCallEntry, ClusterCallEntry, ObjectEntry
from harness.lab import Lab, LabSpec
from harness.processes import Process
from harness.sandbox import Sandbox
from harness.scenario.duration import Duration
from harness.scenario.topology import NodeSpec, Topology

Asked = tuple[Any, ...]
CALLER = "aws-cloud-controller-manager#1"
USER = "system:serviceaccount:kube-system:service-controller"
HARNESS = "harness"


@functools.cache
def profile(reconcile_period: str | None = None) -> ControllerProfile:
    """The shipped profile, with other periods where a test would have to wait."""
    shipped = load_profile("aws")
    if reconcile_period is None:
        return shipped
    changed = shipped.spec.model_copy(update={"reconcile_period": Duration(reconcile_period)})
    return shipped.model_copy(update={"spec": changed})


# Things of the cloud and of the cluster, each as it should be; `**changes` says what is different.


def instance(alias: str = "node-1", **changes: Any) -> Instance:
    as_it_should_be = Instance(
        id=f"i-{alias}",
        name=alias,
        node_name=f"{alias}.internal",
        provider_id=f"aws:///zone-a/i-{alias}",
        state=InstanceState.RUNNING,
        region="region-1",
        zone="zone-a",
        type="m5.large",
        addresses=(
            Address(type="InternalIP", address="172.31.0.1"),
            Address(type="Hostname", address=f"{alias}.internal"),
        ),
        labels={"topology.kubernetes.io/zone": "zone-a"},
        private_ip="172.31.0.1",
    )
    return dataclasses.replace(as_it_should_be, **changes)


def initialised_node(of: Instance, pod_cidr: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": of.node_name, "labels": dict(of.labels), "uid": f"uid-{of.name}"},
        "spec": {"providerID": of.provider_id, "podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
        "status": {
            "addresses": [{"type": entry.type, "address": entry.address} for entry in of.addresses],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "posting"}],
        },
    }


def web_service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "finalizers": [FINALIZER]},
        "spec": {"type": "LoadBalancer", "ports": [{"protocol": "TCP", "port": 80, "nodePort": 30080}]},
        "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}},
    }


def endpoint_slice() -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "web-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "endpoints": [{"conditions": {"ready": True}}, {"conditions": {"ready": False}}],
    }


def balancer(**changes: Any) -> LoadBalancer:
    as_it_should_be = LoadBalancer(
        id="lb-1",
        name="lb",
        variant="classic",
        addresses=("lb.example.com",),
        internal=False,
        service="default/web",
        owned=True,
        frontends=(Frontend(protocol="TCP", port=80, backend_protocol="TCP", backend_port=30080),),
        backends=tuple(Backend(instance_id=f"i-node-{n}", port=30080, state="InService") for n in (1, 2)),
        source_ranges=("0.0.0.0/0",),
    )
    return dataclasses.replace(as_it_should_be, **changes)


def route(number: int = 1, **changes: Any) -> Route:
    as_it_should_be = Route(
        network="rtb-1",
        destination=f"10.244.{number}.0/24",
        instance_id=f"i-node-{number}",
        state="active",
        owned=True,
    )
    return dataclasses.replace(as_it_should_be, **changes)


def event(name: str, reason: str, kind: str = "Normal") -> Object:
    return {
        "kind": "Event",
        "metadata": {"name": f"{name}.{reason}", "namespace": "default"},
        "involvedObject": {"kind": "Service", "name": name},
        "type": kind,
        "reason": reason,
        "message": "told by the controller",
    }


def call(operation: str = "ec2:CreateRoute", at_s: float | None = None, **changes: Any) -> CloudCallEntry:
    service, _, name = operation.partition(":")
    as_it_should_be = Call(
        sequence=1,
        started_s=time.time() if at_s is None else at_s,
        elapsed_s=0.01,
        cloud="aws",
        caller=CALLER,
        service=service,
        operation=name,
        resource="rtb-1",
        mutating=not name.startswith("Describe"),
        status=200,
        error_code=None,
        parameters={},
        unread=(),
        implemented=True,
        injected=None,
    )
    made = dataclasses.replace(as_it_should_be, **changes)
    return CloudCallEntry(at_s=made.started_s, call=made)


def cluster_call(verb: str, resource: str, name: str, **changes: Any) -> ClusterCallEntry:
    as_it_should_be = ClusterCallEntry(
        at_s=time.time(), user=USER, agent="ccm", verb=verb, resource=resource, name=name, status=200, body=None
    )
    return dataclasses.replace(as_it_should_be, **changes)


def refusal(code: int, message: str) -> ApiError:
    """What the API server answers when it refuses."""
    status = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "message": message}
    request = httpx2.Request("POST", "https://127.0.0.1/")
    return ApiError(request=request, response=httpx2.Response(200, json=status, request=request))


# The parts.


class Recorder:
    """Anything: every method of it only notes that it was called."""

    process: Process | None = None
    name = "aws-cloud-controller-manager"
    caller = CALLER

    def __init__(self, asked: list[Asked]) -> None:
        self._asked = asked

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: self._asked.append((name, *arguments, *options.items()))


class Objects:
    """The watched objects, as the cache of the cluster's state gives them."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Object]] = {}

    def put(self, *items: Object) -> None:
        for item in items:
            self.held.setdefault(item["kind"], {})[object_name(item)] = item

    def get(self, kind: str, name: str) -> Object | None:
        found = self.held.get(kind, {})
        return found.get(name) or found.get(f"default/{name}")

    def all(self, kind: str) -> tuple[Object, ...]:
        return tuple(item for _, item in sorted(self.held.get(kind, {}).items()))


class ObjectsApi:
    """The API server's answers about the same objects."""

    def __init__(self, objects: Objects, asked: list[Asked]) -> None:
        self._objects = objects
        self._asked = asked
        self.refuses: ApiError | None = None

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        del api_version
        return self._objects.get(kind, name)

    def apply(self, item: Object) -> None:
        self._ask("apply", item)

    def patch(self, api_version: str, kind: str, name: str, change: Object) -> None:
        self._ask("patch", api_version, kind, name, change)

    def delete(self, api_version: str, kind: str, name: str) -> bool:
        self._ask("delete", api_version, kind, name)
        held = self._objects.held.get(kind, {})
        return (held.pop(name, None) or held.pop(f"default/{name}", None)) is not None

    def _ask(self, *asked: Any) -> None:
        if self.refuses is not None:
            raise self.refuses
        self._asked.append(asked)


class Account:
    """The cloud's account."""

    name = "aws"
    crashes = ()

    def __init__(self, asked: list[Asked]) -> None:
        self._asked = asked
        self.machines: dict[str, Instance] = {}
        self.held_routes: list[Route] = []
        self.held_balancers: list[LoadBalancer] = []
        self.held: dict[str, Any] = {}
        self.answers: dict[str, Any] = {}
        self.refuses: Exception | None = None

    def instance(self, alias: str) -> Instance:
        return self.machines[alias]

    def instances(self) -> tuple[Instance, ...]:
        return tuple(self.machines.values())

    def routes(self) -> tuple[Route, ...]:
        return tuple(self.held_routes)

    def load_balancers(self) -> tuple[LoadBalancer, ...]:
        return tuple(self.held_balancers)

    def snapshot(self) -> dict[str, Any]:
        return copy.deepcopy(self.held)

    def facts(self) -> Mapping[str, str]:
        return {"route_table": "rtb-1"}

    def reads(self) -> Mapping[str, frozenset[str]]:
        return {
            "instances": frozenset({"ec2:DescribeInstances"}),
            "routes": frozenset({"ec2:DescribeRouteTables"}),
            "load-balancers": frozenset({"elb:DescribeLoadBalancers"}),
        }

    def service_annotations(self, variant: str, options: Mapping[str, Any]) -> dict[str, str]:
        self._refuse()
        return {"variant": variant, **{name: str(value) for name, value in options.items()}}

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        self._refuse()
        self._asked.append(("call", operation, parameters))
        return self.answers.get(operation)

    def add_instance(self, alias: str, *, zone: str | None = None) -> Instance:
        self._refuse()
        self._asked.append(("add_instance", alias, zone))
        self.machines[alias] = instance(alias)
        return self.machines[alias]

    def add_route(self, destination: str, alias: str) -> None:
        self._refuse()
        self._asked.append(("add_route", destination, alias))

    def remove_route(self, destination: str) -> None:
        self._refuse()
        self._asked.append(("remove_route", destination))

    def _refuse(self) -> None:
        if self.refuses is not None:
            raise self.refuses

    def replace_instance(self, alias: str) -> Instance:
        self._asked.append(("replace_instance", alias))
        self.machines[alias] = dataclasses.replace(self.machines[alias], id=f"i-{alias}-new")
        return self.machines[alias]

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: self._asked.append((name, *arguments, *options.items()))


class World:
    """A lab and its parts, with ways to change what is there."""

    def __init__(self, folder: Path = Path("/nonexistent"), *, variant: str | None = "classic", **spec: Any) -> None:
        self.asked: list[Asked] = []
        self.state = Objects()
        self.kube = ObjectsApi(self.state, self.asked)
        self.cloud = Account(self.asked)
        self.nodes = Recorder(self.asked)
        self.controller = Recorder(self.asked)
        self.sandbox = Recorder(self.asked)
        self.lab = self._open(folder, variant, spec)
        self._populate()

    def _open(self, folder: Path, variant: str | None, spec: Mapping[str, Any]) -> Lab:
        settings: dict[str, Any] = {
            "cloud": "aws",
            "profile": profile(),
            "binaries": {},
            "topology": Topology(),
            "facts_from": "config",
            "seed": 1,
            **spec,
        }
        lab = Lab(LabSpec(variant=variant, **settings), cast(Sandbox, self.sandbox), folder)
        self.sandbox.escapes = ()  # type: ignore[attr-defined]
        lab.cloud = cast(FakeCloud, self.cloud)
        lab.state = cast(ClusterState, self.state)
        lab.kube = cast(Kube, self.kube)
        lab.nodes = cast(SimulatedNodes, self.nodes)
        lab.controller = cast(Controller, self.controller)
        lab.control_plane = cast(LocalControlPlane, Recorder([]))
        lab.manifests_folder = folder
        return lab

    def _populate(self) -> None:
        for number, alias in enumerate(("node-1", "node-2"), start=1):
            self.lab.add_node(NodeSpec(name=alias))
            self.state.put(initialised_node(self.cloud.machines[alias], f"10.244.{number}.0/24"))
            self.cloud.held_routes.append(route(number))
        self.state.put(web_service(), endpoint_slice())
        self.cloud.held_balancers.append(balancer())
        self.cloud.held = {"group/sg-1": {"rules": []}}
        self.lab.baseline = self.cloud.snapshot()
        self.lab.decoys = frozenset({"load-balancer/decoy"})
        self.asked.clear()

    def node(self, change: Mapping[str, Any], alias: str = "node-1") -> Self:
        """Change the Node of an alias, as a JSON merge patch does."""
        self._merge("Node", f"{alias}.internal", change)
        return self

    def service(self, change: Mapping[str, Any]) -> Self:
        """Change the Service, as a JSON merge patch does; the journal is told."""
        before = self._merge("Service", "default/web", change)
        self.lab.journal.append(
            ObjectEntry(
                at_s=time.time(),
                change="MODIFIED",
                object_kind="Service",
                name="default/web",
                before=before,
                after=self.state.get("Service", "default/web"),
            )
        )
        return self

    def taint(self, key: str = UNINITIALIZED_TAINT, alias: str = "node-1") -> Self:
        self.node({"spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}}, alias)
        return self

    def drop(self, kind: str, name: str) -> Self:
        del self.state.held[kind][name]
        return self

    def drop_nodes(self) -> Self:
        """The scenario has no node at all."""
        for alias in self.lab.aliases:
            self.lab.forget_node(alias)
        return self

    def address(self, *hostnames: str) -> Self:
        """The Service's status shows these names."""
        self.service({"status": {"loadBalancer": {"ingress": [{"hostname": name} for name in hostnames]}}})
        return self

    def routes(self, *routes: Route) -> Self:
        self.cloud.held_routes = list(routes)
        return self

    def balancers(self, *balancers: LoadBalancer) -> Self:
        self.cloud.held_balancers = list(balancers)
        return self

    def called(self, *operations: str, **changes: Any) -> Self:
        """The controller calls the cloud."""
        for operation in operations:
            self.lab.journal.append(call(operation, **changes))
        return self

    def marked(self) -> Self:
        """Calls are counted from here on."""
        self.lab.mark = self.lab.journal.mark()
        return self

    def without_variant(self) -> Self:
        """The scenario is not about load balancers."""
        self.lab.variant = None
        return self

    def _merge(self, kind: str, name: str, change: Mapping[str, Any]) -> Object:
        before = self.state.held[kind][name]
        self.state.held[kind][name] = _merged(before, change)
        return before


def _merged(target: Any, change: Any) -> Any:
    """RFC 7386."""
    if not isinstance(change, Mapping):
        return change
    kept = dict(target) if isinstance(target, Mapping) else {}
    for name, value in change.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = _merged(kept.get(name), value)
    return kept


class ProcessDouble:
    """A child process that has ended, or has not."""

    pids = itertools.count(4000)

    def __init__(self, code: int | None = None, last_words: str = "") -> None:
        self.pid = next(self.pids)
        self._code = code
        self._last_words = last_words

    def poll(self) -> int | None:
        return self._code

    def log_tail(self, lines: int = 20) -> str:
        del lines
        return self._last_words


def process(code: int | None = None, last_words: str = "") -> Process:
    return cast(Process, ProcessDouble(code, last_words))


def changed(name: str = "node-1.internal", kind: str = "Node", **states: Any) -> ObjectEntry:
    return ObjectEntry(
        at_s=time.time(),
        object_kind=kind,
        name=name,
        **{"change": "MODIFIED", "before": {}, "after": {"metadata": {"name": name}}, **states},
    )
