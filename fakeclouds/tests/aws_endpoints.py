"""An AWS endpoint with what the conformance tests need to know of it: moto as it is, or with our corrections.

The tests use clients only, so that they can be aimed at another endpoint.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from moto.core.responses import BaseResponse

from fakeclouds.aws.account import Account
from fakeclouds.aws.api import AwsDialect
from fakeclouds.aws.clients import over_http
from fakeclouds.front_door import Callers, FrontDoor
from fakeclouds.http import Reply, Request, Server
from fakeclouds.rules import Rules

IMAGE = "ami-0c0ffee0c0ffee000"


def listen() -> socket.socket:
    """A listening socket on loopback."""
    return socket.create_server(("127.0.0.1", 0))


@dataclass(kw_only=True)
class Aws:
    """Clients, a network with two subnets in two zones, and short ways to common resources."""

    ec2: Any
    elb: Any
    elbv2: Any
    vpc: str
    subnets: list[str]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def instance(self, **more: Any) -> str:
        wanted = {"InstanceType": "m5.large", "SubnetId": self.subnets[0]} | more
        made = self.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, **wanted)
        return str(made["Instances"][0]["InstanceId"])

    def described(self, instance_id: str) -> dict[str, Any]:
        answer = self.ec2.describe_instances(InstanceIds=[instance_id])
        found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
        return found

    def route_table(self) -> str:
        return str(self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"])

    def route(self, table: str, destination: str) -> dict[str, Any]:
        routes = self.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        found: dict[str, Any] = next(one for one in routes if one["DestinationCidrBlock"] == destination)
        return found

    def security_group(self) -> str:
        name = f"group-{next(self._numbers)}"
        return str(self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"])

    def second_interface(self, instance_id: str) -> str:
        interface = self.ec2.create_network_interface(SubnetId=self.subnets[0])["NetworkInterface"]
        interface_id = str(interface["NetworkInterfaceId"])
        self.ec2.attach_network_interface(NetworkInterfaceId=interface_id, InstanceId=instance_id, DeviceIndex=1)
        return interface_id

    def classic(self, name: str, *listeners: dict[str, Any], **more: Any) -> dict[str, Any]:
        self.elb.create_load_balancer(
            LoadBalancerName=name, Listeners=list(listeners or [tcp(80, 30080)]), **({"Subnets": self.subnets} | more)
        )
        return self.classic_described(name)

    def classic_described(self, name: str) -> dict[str, Any]:
        answer = self.elb.describe_load_balancers(LoadBalancerNames=[name])
        found: dict[str, Any] = answer["LoadBalancerDescriptions"][0]
        return found

    def network(self, name: str, **more: Any) -> dict[str, Any]:
        wanted = {"Type": "network", "SubnetMappings": [{"SubnetId": subnet} for subnet in self.subnets]} | more
        made: dict[str, Any] = self.elbv2.create_load_balancer(Name=name, **wanted)["LoadBalancers"][0]
        return made

    def target_group(self, name: str, *, port: int = 30080, protocol: str = "TCP") -> str:
        made = self.elbv2.create_target_group(
            Name=name, Protocol=protocol, Port=port, VpcId=self.vpc, TargetType="instance", HealthCheckProtocol="TCP"
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, balancer: str, group: str, *, port: int = 80, protocol: str = "TCP") -> dict[str, Any]:
        made = self.elbv2.create_listener(
            LoadBalancerArn=balancer, Port=port, Protocol=protocol, DefaultActions=[forward(group)]
        )
        found: dict[str, Any] = made["Listeners"][0]
        return found

    def targets(self, group: str) -> set[tuple[str, int]]:
        health = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {(one["Target"]["Id"], one["Target"]["Port"]) for one in health}


def tcp(port: int, instance_port: int, **more: Any) -> dict[str, Any]:
    """A listener of a classic load balancer."""
    return {"Protocol": "TCP", "LoadBalancerPort": port, "InstancePort": instance_port} | more


def forward(group: str) -> dict[str, Any]:
    """The action that leads to a target group."""
    return {"Type": "forward", "TargetGroupArn": group}


class Loopback:
    """One HTTP server with clients for it; the account behind is another one for each test. Clients are costly."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.callers = Callers()
        self.door: FrontDoor | None = None
        listener = listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.server = Server(self._handle, [listener])
        self.server.start()
        access_key, secret_key = self.callers.issue("conformance")
        self.clients = {
            service: over_http(service, endpoint=url, region=region, access_key=access_key, secret_key=secret_key)
            for service in ("ec2", "elb", "elbv2")
        }

    async def _handle(self, request: Request) -> Reply | None:
        assert self.door is not None
        return await self.door.handle(request)


@cache
def loopback(region: str) -> Loopback:
    """The server of this process for a region."""
    return Loopback(region)


@contextmanager
def endpoint(services: Mapping[str, type[BaseResponse]], *, region: str = "us-east-1") -> Iterator[Aws]:
    """A fresh account behind HTTP on loopback, answered by these response classes."""
    served, account = loopback(region), Account(seed=1, region=region, services=services)
    dialect = AwsDialect(account)
    served.door = FrontDoor(dialect, Rules(dialect), lambda call: None, served.callers)
    try:
        yield Aws(**served.clients, **default_network(served.clients["ec2"]))
    finally:
        served.door = None
        account.close()


def default_network(ec2: Any) -> dict[str, Any]:
    """The account's default network and two of its subnets."""
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    return {"vpc": vpc, "subnets": [one["SubnetId"] for one in subnets[:2]]}
