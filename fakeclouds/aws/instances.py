"""The life of a cluster's instances under the aliases that the harness gives them.

Acts as the account's owner, past the door. What the controllers see of it is moto's business.
"""

from __future__ import annotations

import threading
from typing import Any

from fakeclouds.aws import views
from fakeclouds.aws.account import Account
from fakeclouds.aws.clients import InsideClients
from fakeclouds.aws.corrections.termination import purge
from fakeclouds.aws.tags import NAME, specification, tags_of
from fakeclouds.aws.world import IMAGE, World
from fakeclouds.base import Instance, InstanceState

DEFAULT_TYPE = "m5.large"


class Instances:
    """Aliases and the instances that they stand for, newest last."""

    def __init__(self, account: Account, clients: InsideClients, world: World, lock: threading.RLock) -> None:
        self._account = account
        self._ec2 = clients["ec2"]
        self._world = world
        self._lock = lock
        self._ids: dict[str, str] = {}
        self._last_seen: dict[str, Instance] = {}

    def add(self, name: str, *, zone: str | None = None, type: str | None = None) -> Instance:  # noqa: A002
        """Start an instance. ValueError: the alias is taken, or the zone or type is unknown."""
        with self._lock:
            if name in self._ids:
                raise ValueError(f"there is an instance {name!r} already; aliases: {', '.join(self._ids)}")
            subnet = self._subnet(zone or self._world.zone)
            self._ids[name] = self._run(name, subnet=subnet, type=self._checked_type(type or DEFAULT_TYPE))
            return self.get(name)

    def get(self, name: str) -> Instance:
        """The newest instance of an alias as of now. KeyError: no such alias."""
        with self._lock:
            instance_id = self._id(name)
            model = self._account.ec2.get_instance_by_id(instance_id)
            if model is not None and model.state != InstanceState.TERMINATED:
                self._last_seen[instance_id] = views.instance(model, name=name, zone_id=self._zone_id)
            return views.ended(self._last_seen[instance_id]) if self._gone(model) else self._last_seen[instance_id]

    def all(self) -> tuple[Instance, ...]:
        """The newest instance of every alias, in the order of addition."""
        with self._lock:
            return tuple(self.get(name) for name in self._ids)

    def stop(self, name: str) -> None:
        """Stop it. KeyError: no such alias."""
        self._ec2.stop_instances(InstanceIds=[self._id(name)])

    def start(self, name: str) -> None:
        """Start it again. KeyError: no such alias."""
        self._ec2.start_instances(InstanceIds=[self._id(name)])

    def terminate(self, name: str, *, purged: bool = False) -> None:
        """Terminate it; `purged` also lets it vanish from the API at once. KeyError: no such alias."""
        with self._lock:
            self.get(name)
            instance_id = self._id(name)
            if self._account.ec2.get_instance_by_id(instance_id) is None:
                return
            self._ec2.terminate_instances(InstanceIds=[instance_id])
            if purged:
                purge(self._account.ec2, instance_id)

    def replace(self, name: str) -> Instance:
        """Terminate it and start another under the same alias, in the same place, with the same private address.

        The address makes the node name. KeyError: no such alias.
        """
        with self._lock:
            before = self.get(name)
            self.terminate(name)
            subnet = self._world.subnets[before.zone]
            self._ids[name] = self._run(name, subnet=subnet, type=before.type, private_ip=before.private_ip)
            return self.get(name)

    def alias_of(self, instance_id: str) -> str | None:
        """The alias whose newest instance this is."""
        return next((name for name, known in self._ids.items() if known == instance_id), None)

    def id_of(self, name: str) -> str:
        """Id of the newest instance of an alias. KeyError: no such alias."""
        return self._id(name)

    def _run(self, name: str, *, subnet: str, type: str, private_ip: str | None = None) -> str:  # noqa: A002
        tags = tags_of(self._world.cluster_name, **{NAME: name})
        address = {"PrivateIpAddress": private_ip} if private_ip else {}
        made: Any = self._ec2.run_instances(
            ImageId=IMAGE,
            InstanceType=type,
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            SecurityGroupIds=[self._world.node_group],
            TagSpecifications=specification("instance", tags),
            **address,
        )
        instance_id: str = made["Instances"][0]["InstanceId"]
        return instance_id

    def _id(self, name: str) -> str:
        if name not in self._ids:
            raise KeyError(f"no instance {name!r}; there are: {', '.join(self._ids) or 'none'}")
        return self._ids[name]

    def _subnet(self, zone: str) -> str:
        if zone not in self._world.subnets:
            raise ValueError(f"no zone {zone!r}; there are: {', '.join(self._world.subnets)}")
        return self._world.subnets[zone]

    def _checked_type(self, type: str) -> str:  # noqa: A002
        offered = self._account.ec2.describe_instance_type_offerings("region", {"instance-type": [type]})
        if not offered:
            raise ValueError(f"no instance type {type!r} in {self._world.region}")
        return type

    def _zone_id(self, zone: str) -> str:
        return str(self._account.ec2.describe_availability_zones(zone_names=[zone])[0].zone_id)

    @staticmethod
    def _gone(model: Any) -> bool:
        return model is None or model.state == InstanceState.TERMINATED
