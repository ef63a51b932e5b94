"""Termination: an instance that has ended gives back its interfaces and addresses, and stays to be seen for a while."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.responses import EC2Response

from fakeclouds.aws.corrections.models import corrects, retype
from fakeclouds.aws.corrections.routes import check_target

PRIMARY_DEVICE = 0


@corrects(Instance)
class TerminatedInstance(Instance):
    """An instance without a network: AWS describes it by id, state, reason and tags.

    Inferred: "Terminating an instance is permanent and irreversible"
    (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html), and its primary network
    interface, which held the addresses, is deleted with it unless its DeleteOnTermination says otherwise.
    """

    @property
    def private_ip(self) -> None:
        """None: the address went back to the subnet."""

    @property
    def private_ip_address(self) -> None:
        """None: the address went back to the subnet."""

    @property
    def private_dns_name(self) -> str:
        """Empty, as AWS writes it."""
        return ""

    @property
    def public_ip(self) -> None:
        """None."""

    @property
    def public_ip_address(self) -> None:
        """None."""

    @property
    def public_dns_name(self) -> str:
        """Empty, as AWS writes it."""
        return ""


class Termination(EC2Response):
    """TerminateInstances that releases what the instance held."""

    def terminate_instances(self) -> ActionResult:
        """Terminate; a second time succeeds as well and does nothing, as AWS says."""
        done = super().terminate_instances()
        for instance in self.ec2_backend.get_multi_instances_by_id(self._get_param("InstanceIds", [])):
            if not isinstance(instance, TerminatedInstance):
                release(self.ec2_backend, instance)
        return done

    def modify_instance_attribute(self) -> ActionResult:
        """Modify; the source/destination check belongs to an interface, so it needs exactly one."""
        if self._get_param("SourceDestCheck.Value") is not None:
            check_target(self.ec2_backend.get_instance(self._get_param("InstanceId")))
        return super().modify_instance_attribute()


def release(ec2: EC2Backend, instance: Instance) -> None:
    """Take interfaces, addresses and security groups from an instance that has just ended."""
    for index, interface in tuple(instance.nics.items()):
        instance.detach_eni(interface)
        if index == PRIMARY_DEVICE or interface.delete_on_termination:
            give_back(ec2, interface)
    instance.nics = {}
    instance._subnet_id = None
    instance._private_ips = set()
    instance.security_groups = []
    retype(instance, TerminatedInstance)


def give_back(ec2: EC2Backend, interface: NetworkInterface) -> None:
    """Delete an interface, if moto has not yet, and let its addresses be used again."""
    ec2.enis.pop(interface.id, None)
    for address in interface.private_ip_addresses:
        interface.subnet.del_subnet_ip(address["PrivateIpAddress"])


def purge(ec2: EC2Backend, instance_id: str) -> None:
    """Let a terminated instance vanish from the API. KeyError: no such instance. ValueError: it has not ended.

    "Recently terminated instances might appear in the returned results. This interval is usually less than one hour."
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
    """
    for reservation in tuple(ec2.reservations.values()):
        for instance in tuple(reservation.instances):
            if instance.id == instance_id:
                if instance.state != "terminated":
                    raise ValueError(f"{instance_id} is {instance.state}: only a terminated instance vanishes")
                reservation.instances.remove(instance)
                if not reservation.instances:
                    del ec2.reservations[reservation.id]
                return
    raise KeyError(f"no instance {instance_id}")
