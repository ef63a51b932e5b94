"""The fake AWS: one account of one region with a cluster's network in it, behind one front door.

Puts the parts together; what each does stands with the part. Implements `fakeclouds.base.FakeCloud`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from moto.core.utils import camelcase_to_underscores

from fakeclouds.aws import decoys, load_balancer_views, snapshot, views
from fakeclouds.aws.account import Account
from fakeclouds.aws.api import AwsDialect
from fakeclouds.aws.clients import DoorClients, InsideClients
from fakeclouds.aws.instances import Instances
from fakeclouds.aws.metadata import MetadataService
from fakeclouds.aws.metadata_views import metadata_view
from fakeclouds.aws.options import service_annotations
from fakeclouds.aws.services import CORRECTED
from fakeclouds.aws.world import World, prepare
from fakeclouds.base import CloudError, Crash, Instance, LoadBalancer, Observer, Route
from fakeclouds.front_door import Callers, FrontDoor
from fakeclouds.http import Server
from fakeclouds.rules import Rules, suggestion

TESTER = "test"
"""The caller of raw calls."""

CONTROL_PLANE = "control-plane"
"""Alias of the instance on which controllers run; it is no Node unless somebody makes it one."""


class AwsCloud:
    """One fresh AWS account. Implements `fakeclouds.base.FakeCloud`."""

    name = "aws"
    features = frozenset({"instances", "zones", "shutdown", "routes", "loadBalancers", "metadataFacts"})
    load_balancer_variants = (load_balancer_views.CLASSIC, load_balancer_views.NETWORK)

    def __init__(
        self,
        seed: int,
        cluster_name: str,
        observe: Observer,
        *,
        region: str = "us-east-1",
        cluster_cidr: str = "10.244.0.0/16",
    ) -> None:
        """`cluster_cidr`: the pods' network, by which the cluster's routes are told. ValueError: unknown region."""
        self._account = Account(seed=seed, region=region, services=CORRECTED)
        self._cluster_cidr = cluster_cidr
        self._callers = Callers()
        self._dialect = AwsDialect(self._account)
        self._metadata = MetadataService(describe=self._describe, callers=self._callers)
        self.rules = Rules(self._dialect, self._metadata)
        self._door = FrontDoor(self._dialect, self.rules, observe, self._callers)
        self._inside = InsideClients(self._dialect, self._door.lock, region)
        self._world = prepare(self._inside, cluster_name=cluster_name, region=region)
        self._instances = Instances(self._account, self._inside, self._world, self._door.lock)
        self._instances.add(CONTROL_PLANE)
        self._listen: Callable[[], socket.socket] | None = None
        self._server: Server | None = None
        self._endpoint = ""
        self._outside = DoorClients(self._door, region, self._callers.issue(TESTER))

    @property
    def world(self) -> World:
        """Ids of what was prepared in the account."""
        return self._world

    @property
    def crashes(self) -> tuple[Crash, ...]:
        """Every fault of the fake itself so far, oldest first."""
        return self._door.crashes

    def start(self, listen: Callable[[], socket.socket]) -> None:
        """Serve. `listen` gives bound and listening sockets and is called again for every further listener."""
        listener = listen()
        self._listen, self._endpoint = listen, url(listener)
        self._server = Server(self._door.handle, [listener])
        self._server.start()

    def close(self) -> None:
        """Stop serving and forget the account; a second call does nothing."""
        if self._server is not None:
            self._server.close()
        self._account.close()

    def issue_access(self, caller: str, *, instance: str | None = None) -> Mapping[str, str]:
        """Credentials and endpoints of one process. KeyError: no such instance. RuntimeError: not started."""
        if self._listen is None or self._server is None:
            raise RuntimeError("the cloud has no endpoint yet: start it first")
        instance_id = None if instance is None else self._instances.id_of(instance)
        access_key, secret_key = self._callers.issue(caller)
        listener = self._listen()
        port = listener.getsockname()[1]
        self._metadata.seat(port=port, caller=caller, instance_id=instance_id)
        self._door.speak(self._metadata, port=port)
        metadata_endpoint = url(listener)
        self._server.add_listener(listener)
        return {
            "endpoint": self._endpoint,
            "access_key": access_key,
            "secret_key": secret_key,
            "metadata_endpoint": metadata_endpoint,
        }

    def facts(self) -> Mapping[str, str]:
        """Values for cloud config templates."""
        return {
            "region": self._world.region,
            "zone": self._world.zone,
            "network": self._world.vpc,
            "subnet": self._world.subnets[self._world.zone],
            "route_table": self._world.route_table,
            "cluster_name": self._world.cluster_name,
        }

    def add_instance(self, name: str, *, zone: str | None = None, type: str | None = None) -> Instance:  # noqa: A002
        """Start an instance. ValueError: the alias is taken, or the zone or type is unknown."""
        return self._instances.add(name, zone=zone, type=type)

    def instance(self, name: str) -> Instance:
        """The newest instance of that alias. KeyError: names the aliases that there are."""
        return self._instances.get(name)

    def instances(self) -> tuple[Instance, ...]:
        """The newest instance of every alias, the control plane's among them, in the order of addition."""
        return self._instances.all()

    def stop_instance(self, name: str) -> None:
        """Stop it. KeyError: no such alias."""
        self._instances.stop(name)

    def start_instance(self, name: str) -> None:
        """Start it again. KeyError: no such alias."""
        self._instances.start(name)

    def terminate_instance(self, name: str, *, purge: bool = False) -> None:
        """Delete it. It stays visible as `terminated` unless `purge`; on AWS for about an hour. KeyError: no alias."""
        self._instances.terminate(name, purged=purge)

    def replace_instance(self, name: str) -> Instance:
        """Terminate it and start another with its alias, node name and private address. KeyError: no such alias."""
        return self._instances.replace(name)

    def add_route(self, destination: str, instance: str) -> None:
        """Add a route of somebody else's to the cluster's table. KeyError: no such alias. CloudError: refused."""
        table = self.facts()["route_table"]
        target = self.instance(instance).id
        parameters = {"RouteTableId": table, "DestinationCidrBlock": destination, "InstanceId": target}
        self.call("ec2:CreateRoute", parameters)

    def remove_route(self, destination: str) -> None:
        """Remove a route from the cluster's table. CloudError: there is none."""
        parameters = {"RouteTableId": self.facts()["route_table"], "DestinationCidrBlock": destination}
        self.call("ec2:DeleteRoute", parameters)

    def routes(self) -> tuple[Route, ...]:
        """Every route but AWS's local ones, sorted."""
        with self._door.lock:
            return views.routes(
                self._account.ec2.route_tables.values(),
                cluster_name=self._world.cluster_name,
                cluster_cidr=self._cluster_cidr,
            )

    def load_balancers(self) -> tuple[LoadBalancer, ...]:
        """Every load balancer, sorted by id."""
        with self._door.lock:
            return load_balancer_views.load_balancers(self._account, cluster_name=self._world.cluster_name)

    def service_annotations(self, variant: str, options: Mapping[str, Any]) -> dict[str, str]:
        """Service annotations for neutral options. ValueError: lists the known variants or options."""
        return service_annotations(variant, options)

    def plant_decoys(self) -> frozenset[str]:
        """Create what a controller must never touch, and name it by the keys of `snapshot`."""
        with self._door.lock:
            return decoys.plant(self._inside, self._world)

    def snapshot(self) -> dict[str, Any]:
        """The whole account as canonical JSON values."""
        with self._door.lock:
            return snapshot.snapshot(self._inside)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """One raw call through the door as caller `test`.

        CloudError: AWS refused. ValueError: no such operation, or parameters that it does not take.
        """
        if operation not in self._dialect.operations:
            near = suggestion(operation, self._dialect.operations)
            raise ValueError(f"the fake AWS has no operation {operation!r}{near}")
        service, _, action = operation.partition(":")
        try:
            answer = getattr(self._outside[service], camelcase_to_underscores(action))(**parameters)
        except ClientError as error:
            raise refusal_of(error) from error
        except ParamValidationError as error:
            raise ValueError(f"{operation}: {error}") from error
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def reads(self) -> Mapping[str, frozenset[str]]:
        """Which operations show that a controller has read again what it owns."""
        return {
            "instances": frozenset({"ec2:DescribeInstances"}),
            "routes": frozenset({"ec2:DescribeRouteTables"}),
            "load-balancers": frozenset({"elb:DescribeLoadBalancers", "elbv2:DescribeLoadBalancers"}),
        }

    def _describe(self, instance_id: str) -> Any:
        return metadata_view(self._account, instance_id)


def url(listener: socket.socket) -> str:
    """The address of a listener as clients are told it."""
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def refusal_of(error: ClientError) -> CloudError:
    """An error of botocore in our form."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return CloudError(error.response["Error"]["Code"], error.response["Error"].get("Message", ""), status)
