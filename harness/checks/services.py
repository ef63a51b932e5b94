"""Checks on Services and their load balancers: what the cloud has is what the Service says, and the status shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fakeclouds.base import LoadBalancer

from ..cluster.kube import Object, object_name, split_name
from ..journal import ObjectEntry
from ..wait import Observation
from .base import Check

if TYPE_CHECKING:
    from ..lab import Lab

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
TO_BE_DELETED_TAINT = "ToBeDeletedByClusterAutoscaler"
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


class LoadBalancerMatches(Check):
    """The cluster has exactly one load balancer for the Service, with the Service's frontends and backends.

    Frontends are the Service's ports with their nodePorts; backends are all nodes that may be targets, or those named.
    """

    service: str
    """`namespace/name`, or a name in `default`."""
    backends: list[str] | None = None
    """Aliases of the nodes behind it; by default all initialised ones, neither excluded nor about to go."""
    internal: bool | None = None
    """Whether it is internal; not looked at by default."""

    def observe(self, lab: Lab) -> Observation:
        """Compare the Service with the cloud."""
        subject = f"load balancer of v1/Service {full_name(self.service)}"
        service = lab.state.get("Service", full_name(self.service))
        found = load_balancers_of(lab, self.service)
        wanted = self._wanted(lab, service) if service else "the Service"
        if service is None or len(found) != 1:
            observed = "no such Service" if service is None else f"{len(found)} load balancers"
            return Observation(met=False, subject=subject, expected=f"one with {wanted}", observed=observed)
        seen = self._seen(lab, found[0])
        return Observation(met=seen == wanted, subject=f"{subject} ({found[0].name})", expected=wanted, observed=seen)

    def _wanted(self, lab: Lab, service: Object) -> str:
        frontends = sorted(
            (port["protocol"], port["port"], port.get("nodePort", 0)) for port in service["spec"]["ports"]
        )
        aliases = self.backends if self.backends is not None else eligible(lab)
        variant = lab.variant or "any variant"
        return _words(variant, frontends, sorted(aliases), self.internal)

    def _seen(self, lab: Lab, balancer: LoadBalancer) -> str:
        alias_of = {instance.id: instance.name for instance in lab.cloud.instances()}
        frontends = sorted((front.protocol, front.port, front.backend_port) for front in balancer.frontends)
        ports = {front.backend_port for front in balancer.frontends}
        behind: dict[str, set[int]] = {}
        for backend in balancer.backends:
            if backend.state != "draining":
                behind.setdefault(alias_of.get(backend.instance_id, backend.instance_id), set()).add(backend.port)
        complete = sorted(
            alias if held >= ports else f"{alias} on {sorted(held)} alone" for alias, held in behind.items()
        )
        return _words(
            balancer.variant if lab.variant else "any variant",
            frontends,
            complete,
            balancer.internal if self.internal is not None else None,
        )


def _words(variant: str, frontends: list[tuple[str, int, int]], backends: list[str], internal: bool | None) -> str:
    ports = ", ".join(f"{protocol} {port} -> nodePort {node_port}" for protocol, port, node_port in frontends) or "none"
    scheme = "" if internal is None else "internal, " if internal else "public, "
    return f"{variant}, {scheme}frontends {ports}, backends {', '.join(backends) or 'none'}"


class LoadBalancerAbsent(Check):
    """The cloud has no load balancer of this cluster for the Service."""

    service: str
    """`namespace/name`, or a name in `default`."""

    def observe(self, lab: Lab) -> Observation:
        """Look for load balancers that carry the Service's name."""
        found = load_balancers_of(lab, self.service)
        return Observation(
            met=not found,
            subject=f"load balancer of v1/Service {full_name(self.service)}",
            expected="none",
            observed=", ".join(balancer.name for balancer in found) or "none",
        )


class ServiceAddress(Check):
    """The Service's status shows exactly the addresses of its load balancer."""

    service: str
    """`namespace/name`, or a name in `default`."""

    def observe(self, lab: Lab) -> Observation:
        """Compare the status with the cloud."""
        found = load_balancers_of(lab, self.service)
        wanted = sorted(address for balancer in found for address in balancer.addresses)
        seen = ingress(lab.state.get("Service", full_name(self.service)))
        return Observation(
            met=bool(wanted) and seen == wanted,
            subject=f"v1/Service {full_name(self.service)}",
            expected=f"status.loadBalancer.ingress {', '.join(wanted) or '(its load balancer has an address)'}",
            observed=", ".join(seen) or "none",
        )


class ServiceAddressStable(Check):
    """The Service's status shows the address that it showed first, with no gap (for `always`, after it has one)."""

    service: str
    """`namespace/name`, or a name in `default`."""

    def observe(self, lab: Lab) -> Observation:
        """Compare with the first address in the journal."""
        name = full_name(self.service)
        shown = (
            ingress(entry.after)
            for entry in lab.journal.of(ObjectEntry)
            if entry.object_kind == "Service" and entry.name == name and entry.after
        )
        first = next((addresses for addresses in shown if addresses), [])
        seen = ingress(lab.state.get("Service", name))
        return Observation(
            met=bool(first) and seen == first,
            subject=f"v1/Service {name}",
            expected=f"status.loadBalancer.ingress stays {', '.join(first) or '(an address)'}",
            observed=", ".join(seen) or "none",
        )


class ServiceAddressCleared(Check):
    """The Service's status shows no address."""

    service: str
    """`namespace/name`, or a name in `default`."""

    def observe(self, lab: Lab) -> Observation:
        """Look at the status."""
        service = lab.state.get("Service", full_name(self.service))
        seen = ingress(service)
        return Observation(
            met=service is not None and not seen,
            subject=f"v1/Service {full_name(self.service)}",
            expected="no address in status.loadBalancer",
            observed="no such Service" if service is None else ", ".join(seen) or "none",
        )


class ServiceFinalizer(Check):
    """The Service carries the load balancer finalizer (KEP-980), or does not."""

    service: str
    """`namespace/name`, or a name in `default`."""
    present: bool = True
    """Whether it is to be there."""

    def observe(self, lab: Lab) -> Observation:
        """Look at metadata.finalizers."""
        service = lab.state.get("Service", full_name(self.service))
        finalizers = (service or {}).get("metadata", {}).get("finalizers", [])
        return Observation(
            met=service is not None and (FINALIZER in finalizers) == self.present,
            subject=f"v1/Service {full_name(self.service)}",
            expected=f"finalizer {FINALIZER} {'set' if self.present else 'gone'}",
            observed="no such Service" if service is None else ", ".join(finalizers) or "no finalizer",
        )


class FinalizerBeforeLoadBalancer(Check):
    """No load balancer exists for a Service without a finalizer: what is made can be cleaned up (for `always`)."""

    def observe(self, lab: Lab) -> Observation:
        """Compare every load balancer of this cluster with its Service."""
        for balancer in lab.cloud.load_balancers():
            if not balancer.owned or balancer.service is None:
                continue
            service = lab.state.get("Service", balancer.service)
            if service is None or FINALIZER not in service["metadata"].get("finalizers", []):
                return Observation(
                    met=False,
                    subject=f"v1/Service {balancer.service}",
                    expected=f"finalizer {FINALIZER} for as long as load balancer {balancer.name} exists",
                    observed="the Service is gone" if service is None else "no finalizer",
                )
        return Observation(met=True, subject="v1/Service all", expected="finalizer first", observed="finalizer first")


class ServiceAbsent(Check):
    """The Service is gone, its finalizer with it."""

    service: str
    """`namespace/name`, or a name in `default`."""

    def observe(self, lab: Lab) -> Observation:
        """Look for the Service."""
        found = lab.state.get("Service", full_name(self.service))
        return Observation(
            met=found is None,
            subject=f"v1/Service {full_name(self.service)}",
            expected="gone",
            observed=f"present, finalizers {found['metadata'].get('finalizers', [])}" if found else "gone",
        )


class ServiceReadyEndpoints(Check):
    """The Service's EndpointSlices hold this many ready endpoints."""

    service: str
    """`namespace/name`, or a name in `default`."""
    count: int
    """How many."""

    def observe(self, lab: Lab) -> Observation:
        """Count the ready endpoints."""
        namespace, name = split_name(self.service)
        ready = [
            endpoint
            for piece in lab.state.all("EndpointSlice")
            if piece["metadata"]["namespace"] == namespace
            and piece["metadata"].get("labels", {}).get("kubernetes.io/service-name") == name
            for endpoint in piece.get("endpoints") or []
            if endpoint.get("conditions", {}).get("ready")
        ]
        return Observation(
            met=len(ready) == self.count,
            subject=f"EndpointSlices of v1/Service {namespace}/{name}",
            expected=f"{self.count} ready endpoints",
            observed=f"{len(ready)} ready endpoints",
        )


def full_name(service: str) -> str:
    """Return `namespace/name` of a Service given with or without its namespace."""
    return "/".join(split_name(service))


def load_balancers_of(lab: Lab, service: str) -> list[LoadBalancer]:
    """Return the cluster's load balancers that carry a Service's name."""
    name = full_name(service)
    return [balancer for balancer in lab.cloud.load_balancers() if balancer.owned and balancer.service == name]


def ingress(service: Mapping[str, Any] | None) -> list[str]:
    """Return the addresses in a Service's status, sorted."""
    entries = ((service or {}).get("status", {}).get("loadBalancer") or {}).get("ingress") or []
    return sorted(entry.get("hostname") or entry.get("ip") or "" for entry in entries)


def eligible(lab: Lab) -> list[str]:
    """Return the aliases of the nodes that may be targets.

    As the node predicates of k8s.io/cloud-provider, controllers/service/controller.go.
    """
    found = []
    for alias in lab.aliases:
        node = lab.state.get("Node", lab.node_name(alias))
        if (
            node is not None
            and node["spec"].get("providerID")
            and EXCLUDE_LABEL not in node["metadata"].get("labels", {})
            and not any(taint["key"] == TO_BE_DELETED_TAINT for taint in node["spec"].get("taints", []))
        ):
            found.append(alias)
    return found


def load_balancer_services(lab: Lab) -> list[str]:
    """Return the names of the Services that hold a load balancer of the controller's: its finalizer is on them."""
    return [
        object_name(service)
        for service in lab.state.all("Service")
        if FINALIZER in service["metadata"].get("finalizers", [])
    ]
