"""What every fake cloud offers, in words that no vendor owns.

Holds the neutral resources, the record of one call, the error a cloud answers by design, and the `FakeCloud`
protocol. Holds no behaviour: the clouds are in their folders, the way of a call is in `front_door`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol

from fakeclouds.rules import Rules


class CloudError(Exception):
    """A refusal that the real cloud would give as well.

    The dialect renders it, it never escapes the HTTP layer.
    """

    code: str
    """The vendor's error code, e.g. `InvalidInstanceID.NotFound`."""

    message: str
    """The vendor's text for people."""

    status: int
    """The HTTP status of the reply."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call that reached the cloud, as the journal keeps it."""

    sequence: int
    """Position among all calls of this cloud, from 1, in the order in which they were answered."""

    started_s: float
    """When the request had arrived: seconds since the epoch, as `time.time()`."""

    elapsed_s: float
    """From arrival until the answer was ready, injected delay included, in seconds."""

    cloud: str
    """Name of the cloud, e.g. `aws`."""

    caller: str
    """To whom the access was issued; `unknown (AKIA…)` or `unknown` where the call carried none of ours."""

    service: str
    """The vendor's service prefix, e.g.

    `ec2`, `elasticloadbalancing`, `imds`; empty where the call could not be read.
    """

    operation: str
    """The vendor's operation, e.g.

    `CreateRoute`; the HTTP method and path where the call could not be read.
    """

    resource: str
    """What the call is about, e.g.

    `rtb-0a1b`, in the dialect's canonical form; empty where it names nothing.
    """

    mutating: bool
    """Whether the operation changes the account; false for a call that could not be read."""

    status: int
    """HTTP status of the answer; 0 where the connection was dropped without one."""

    error_code: str | None
    """The vendor's error code of the answer; None when it succeeded."""

    parameters: Mapping[str, Any]
    """What was asked, credentials left out."""

    unread: tuple[str, ...]
    """Parameters that the caller sent and nothing in the fake looked at."""

    implemented: bool
    """False where the fake has no answer of its own; such a call makes a run's verdict an error."""

    injected: str | None
    """The rules that shaped the answer, in the words of `str(rule)`; None when none did."""

    @property
    def name(self) -> str:
        """The operation with its service, e.g. `ec2:CreateRoute`, as rules spell it."""
        return f"{self.service}:{self.operation}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Crash:
    """A fault of the fake cloud itself: makes a run's verdict an error."""

    at_s: float
    """Seconds since the epoch."""

    caller: str
    """Whose call it was."""

    operation: str
    """`service:Operation`, or method and path of a request that could not be read."""

    error: str
    """The exception in one line."""

    traceback: str
    """Where it happened."""


Observer = Callable[[Call], None]
"""Told of every call once it is answered, from the server's thread and in sequence; has to be quick."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """One address of an instance, as a Node's status shows it."""

    type: Literal["InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS", "Hostname"]
    """Kubernetes' `NodeAddressType`."""

    address: str
    """The IP or the name itself."""


class InstanceState(StrEnum):
    """The life of an instance. The vendors' states map onto these."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One virtual machine, as the cloud knows it now."""

    id: str
    """The cloud's id, e.g. `i-0123456789abcdef0`."""

    name: str
    """The alias under which it was added; a replacement carries the alias of the instance it replaces."""

    node_name: str
    """The name that its Node must have for the cloud's controllers to find it."""

    provider_id: str
    """What the controllers write to `node.spec.providerID`, e.g. `aws:///us-east-1a/i-0…`."""

    state: InstanceState
    """Where it is in its life."""

    region: str
    """Region, e.g. `us-east-1`."""

    zone: str
    """Zone, e.g. `us-east-1a`."""

    type: str
    """The vendor's machine type, e.g. `m5.large`."""

    addresses: tuple[Address, ...]
    """Every address that the controllers are documented to copy to the Node's status."""

    labels: Mapping[str, str]
    """The node labels that the cloud's controllers are documented to set."""

    private_ip: str
    """The first address inside the network."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One entry of a route table."""

    network: str
    """Id of the network whose table holds it."""

    destination: str
    """CIDR that it applies to."""

    instance_id: str | None
    """The instance that it leads to; None where the target is something else or gone."""

    state: Literal["active", "blackhole"]
    """`blackhole` once its target can take no packet."""

    owned: bool
    """Whether it is one that this cluster's route controller is to manage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frontend:
    """One port on which a load balancer listens."""

    protocol: str
    """Protocol towards the client, upper case as the vendor spells it, e.g. `TCP`."""

    port: int
    """Port towards the client."""

    backend_protocol: str
    """Protocol towards the backends."""

    backend_port: int
    """Port on the backends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """One instance behind one port of a load balancer."""

    instance_id: str
    """The instance."""

    port: int
    """Its port."""

    state: str
    """The vendor's word for its health, e.g. `healthy`, `InService`, `draining`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancer:
    """One load balancer with what hangs on it."""

    id: str
    """The cloud's id (an ARN, a number, a name: whatever is unique)."""

    name: str
    """The cloud's name for it."""

    variant: str
    """Which of the cloud's `load_balancer_variants` it is."""

    addresses: tuple[str, ...]
    """Host names or IPs, as `status.loadBalancer.ingress` of its Service must show them."""

    internal: bool
    """Whether only the network can reach it."""

    service: str | None
    """`namespace/name` of the Service in its owner tag; None without such a tag."""

    owned: bool
    """Whether it belongs to this cluster."""

    frontends: tuple[Frontend, ...]
    """Its ports, by port and protocol."""

    backends: tuple[Backend, ...]
    """Its targets, by instance id and port."""

    source_ranges: tuple[str, ...]
    """CIDRs that may reach its frontends, sorted."""


class FakeCloud(Protocol):
    """One account of one cloud, fresh when constructed.

    A cloud's class is called as `Cloud(seed: int, cluster_name: str, observe: Observer)`. Methods may be
    called from any thread. Until `start` only the attributes are there to read.
    """

    name: str
    """The cloud's name on the command line, e.g. `aws`."""

    features: frozenset[str]
    """What scenarios may ask for, e.g. `routes`, `load-balancers`."""

    load_balancer_variants: tuple[str, ...]
    """Its kinds of load balancer, the default first; a scenario about load balancers runs once for each."""

    rules: Rules
    """Faults that the front door applies."""

    @property
    def crashes(self) -> tuple[Crash, ...]:
        """Every fault of the fake itself so far, oldest first: each makes a run's verdict an error."""
        ...

    def start(self, listen: Callable[[], socket.socket]) -> None:
        """Serve. `listen` gives bound and listening loopback sockets, perhaps in another network namespace.

        It is kept and called again for every further listener. OSError of `listen` passes through.
        """

    def close(self) -> None:
        """Stop serving and forget the account; a second call does nothing."""

    def issue_access(self, caller: str, *, instance: str | None = None) -> Mapping[str, str]:
        """Credentials and endpoints for one controller process, so that the journal can tell processes apart.

        Keys: `endpoint`, `access_key`, `secret_key`, `metadata_endpoint`. `instance` is the alias of the
        instance on which the process pretends to run; without it the metadata endpoint knows no instance.
        KeyError: no such alias.
        """

    def facts(self) -> Mapping[str, str]:
        """Values for cloud config templates: region, zone, network, subnet, route_table, cluster_name."""

    def add_instance(
        self,
        name: str,
        *,
        zone: str | None = None,
        type: str | None = None,  # noqa: A002 - the word of the field, as in `Instance`
    ) -> Instance:
        """Start an instance of this cluster.

        ValueError: the alias is taken, or the zone or type is unknown.
        """

    def instance(self, name: str) -> Instance:
        """The newest instance of that alias, terminated or not.

        KeyError: names the aliases that there are.
        """

    def instances(self) -> tuple[Instance, ...]:
        """The newest instance of every alias, in the order in which the aliases were added."""

    def stop_instance(self, name: str) -> None:
        """Stop it, as its owner would. KeyError: no such alias."""

    def start_instance(self, name: str) -> None:
        """Start it again after a stop. KeyError: no such alias."""

    def terminate_instance(self, name: str, *, purge: bool = False) -> None:
        """Delete it; with `purge` the cloud forgets it at once instead of after a while. KeyError: no such alias."""

    def replace_instance(self, name: str) -> Instance:
        """Terminate it and start another under the same alias and node name. KeyError: no such alias."""

    def add_route(self, destination: str, instance: str) -> None:
        """Add a route of somebody else's beside the cluster's own. KeyError: no such alias. CloudError: refused."""

    def remove_route(self, destination: str) -> None:
        """Remove a route beside the cluster's own. CloudError: there is none."""

    def routes(self) -> tuple[Route, ...]:
        """Every route of the account's networks, the clouds' own local routes left out, sorted."""

    def load_balancers(self) -> tuple[LoadBalancer, ...]:
        """Every load balancer of the account, sorted by id."""

    def service_annotations(self, variant: str, options: Mapping[str, Any]) -> dict[str, str]:
        """The vendor's Service annotations for neutral options, e.g. `internal: True`.

        ValueError: an unknown variant or option; the message lists those that are known.
        """

    def plant_decoys(self) -> frozenset[str]:
        """Create what a controller must never touch, and name it by the keys of `snapshot`.

        Another cluster's load balancer, firewall, route and instance; an untagged namesake; a user's rule in
        the node group.
        """

    def snapshot(self) -> dict[str, Any]:
        """The whole account as canonical JSON values under `<kind>/<id>`, volatile fields left out.

        Two equal snapshots mean that nothing was left behind and nothing else was touched.
        """

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """One raw call of the vendor's API, e.g. `ec2:DescribeInstances`, as caller `test`.

        It passes the front door as every call does. The way out where no neutral word fits. CloudError: the
        cloud refused. ValueError: no such operation.
        """

    def reads(self) -> Mapping[str, frozenset[str]]:
        """Which operations show that a controller has read again what it owns.

        Keys: `instances`, `routes`, `load-balancers`; values: names as `ec2:DescribeInstances`.
        """
