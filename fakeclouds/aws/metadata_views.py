"""What an instance may learn about itself, read from moto's models; the caller holds the front door's lock."""

from __future__ import annotations

from typing import Any

from moto.utilities.utils import get_partition

from fakeclouds.aws.account import Account
from fakeclouds.aws.corrections.domains import dns_suffix
from fakeclouds.aws.metadata_categories import Interface, MetadataView


def metadata_view(account: Account, instance_id: str) -> MetadataView | None:
    """The metadata of an instance as of now; None unless it is running."""
    model = account.ec2.get_instance_by_id(instance_id)
    if model is None or not model.is_running():
        return None
    zone = account.ec2.describe_availability_zones(zone_names=[str(model.availability_zone)])[0]
    return MetadataView(
        instance_id=model.id,
        ami_id=model.image_id,
        instance_type=model.instance_type,
        launched_at=model.launch_time,
        reservation_id=reservation_of(account, instance_id),
        account_id=account.id,
        partition=get_partition(account.region),
        domain=dns_suffix(account.region),
        region=account.region,
        zone=str(zone.name),
        zone_id=str(zone.zone_id),
        private_ip=str(model.private_ip),
        private_dns=model.private_dns_name,
        public_ip=model.public_ip,
        public_dns=model.public_dns_name,
        interfaces=tuple(interface(account, model, nic) for _, nic in sorted(model.nics.items())),
    )


def interface(account: Account, model: Any, nic: Any) -> Interface:
    """One network interface of an instance."""
    vpc = account.ec2.get_vpc(nic.vpc_id)
    groups = sorted(nic.group_set, key=lambda group: str(group.id))
    return Interface(
        mac=nic.mac_address.lower(),
        id=nic.id,
        device_number=int(nic.device_index),
        private_ips=tuple(address["PrivateIpAddress"] for address in nic.private_ip_addresses),
        private_dns=model.private_dns_name,
        public_ips=(nic.public_ip,) if nic.public_ip else (),
        public_dns=model.public_dns_name or None,
        vpc_id=nic.vpc_id,
        vpc_cidrs=(vpc.cidr_block,),
        subnet_id=nic.subnet_id,
        subnet_cidr=nic.subnet.cidr_block,
        security_group_ids=tuple(group.id for group in groups),
        security_groups=tuple(group.name for group in groups),
        owner_id=account.id,
    )


def reservation_of(account: Account, instance_id: str) -> str:
    """The launch request that made an instance. KeyError: nothing did."""
    for reservation in account.ec2.all_reservations():
        if any(one.id == instance_id for one in reservation.instances):
            return str(reservation.id)
    raise KeyError(f"no instance {instance_id}")
