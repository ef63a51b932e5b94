"""Which instance metadata there is, and what each category says of an instance.

A table of AWS's documented categories; no HTTP. Names and meanings:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
Paths are relative to `/latest/`, `{mac}` and `{role}` stand for what differs from instance to instance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """One network interface of an instance."""

    mac: str
    """MAC address, lower case with colons."""

    id: str
    """Its id, e.g. `eni-0…`."""

    device_number: int
    """Its place on the instance; 0 is the primary one."""

    private_ips: tuple[str, ...]
    """IPv4 addresses inside the VPC, the primary one first."""

    private_dns: str
    """Host name inside the VPC."""

    public_ips: tuple[str, ...] = ()
    """IPv4 addresses in the internet."""

    public_dns: str | None = None
    """Host name in the internet."""

    vpc_id: str
    """Its VPC."""

    vpc_cidrs: tuple[str, ...]
    """IPv4 blocks of that VPC, the primary one first."""

    subnet_id: str
    """Its subnet."""

    subnet_cidr: str
    """IPv4 block of that subnet."""

    security_group_ids: tuple[str, ...]
    """Ids of its security groups."""

    security_groups: tuple[str, ...]
    """Names of its security groups."""

    owner_id: str
    """Account that owns it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetadataView:
    """What a running instance can learn about itself."""

    instance_id: str
    """E.g. `i-0…`."""

    ami_id: str
    """Image that it was launched from."""

    instance_type: str
    """E.g. `m5.large`."""

    architecture: str = "x86_64"
    """As in the identity document: `x86_64` or `arm64`."""

    launched_at: datetime
    """When it was launched, with a time zone."""

    reservation_id: str
    """The launch request that made it."""

    account_id: str
    """Account that owns it."""

    partition: str = "aws"
    """E.g. `aws`, `aws-cn`."""

    domain: str = "amazonaws.com"
    """Domain of the region's endpoints."""

    region: str
    """E.g. `us-east-1`."""

    zone: str
    """E.g. `us-east-1a`."""

    zone_id: str
    """E.g. `use1-az1`."""

    private_ip: str
    """Primary IPv4 address inside the VPC."""

    private_dns: str
    """Host name inside the VPC."""

    public_ip: str | None = None
    """IPv4 address in the internet."""

    public_dns: str | None = None
    """Host name in the internet."""

    interfaces: tuple[Interface, ...]
    """Its network interfaces, the primary one first; at least one."""

    role: str | None = None
    """IAM role of its instance profile."""

    tokens_required: bool = True
    """Its metadata option HttpTokens: `required` (IMDSv2 only) or `optional` (IMDSv1 as well)."""


CATEGORIES: Mapping[str, Callable[[MetadataView], str | None]] = {
    "meta-data/ami-id": lambda view: view.ami_id,
    "meta-data/ami-launch-index": lambda _: "0",
    "meta-data/ami-manifest-path": lambda _: "(unknown)",
    "meta-data/hostname": lambda view: view.private_dns,
    "meta-data/instance-action": lambda _: "none",
    "meta-data/instance-id": lambda view: view.instance_id,
    "meta-data/instance-life-cycle": lambda _: "on-demand",
    "meta-data/instance-type": lambda view: view.instance_type,
    "meta-data/local-hostname": lambda view: view.private_dns,
    "meta-data/local-ipv4": lambda view: view.private_ip,
    "meta-data/mac": lambda view: view.interfaces[0].mac,
    "meta-data/placement/availability-zone": lambda view: view.zone,
    "meta-data/placement/availability-zone-id": lambda view: view.zone_id,
    "meta-data/placement/region": lambda view: view.region,
    "meta-data/public-hostname": lambda view: view.public_dns,
    "meta-data/public-ipv4": lambda view: view.public_ip,
    "meta-data/reservation-id": lambda view: view.reservation_id,
    "meta-data/security-groups": lambda view: lines(view.interfaces[0].security_groups),
    "meta-data/services/domain": lambda view: view.domain,
    "meta-data/services/partition": lambda view: view.partition,
    "dynamic/instance-identity/document": lambda view: identity_document(view),
}
"""What an instance says of itself; None where this instance has no such thing."""

INTERFACES = "meta-data/network/interfaces/macs/"

INTERFACE_CATEGORIES: Mapping[str, Callable[[Interface], str | None]] = {
    "device-number": lambda interface: str(interface.device_number),
    "interface-id": lambda interface: interface.id,
    "local-hostname": lambda interface: interface.private_dns,
    "local-ipv4s": lambda interface: lines(interface.private_ips),
    "mac": lambda interface: interface.mac,
    "owner-id": lambda interface: interface.owner_id,
    "public-hostname": lambda interface: interface.public_dns,
    "public-ipv4s": lambda interface: lines(interface.public_ips),
    "security-group-ids": lambda interface: lines(interface.security_group_ids),
    "security-groups": lambda interface: lines(interface.security_groups),
    "subnet-id": lambda interface: interface.subnet_id,
    "subnet-ipv4-cidr-block": lambda interface: interface.subnet_cidr,
    "vpc-id": lambda interface: interface.vpc_id,
    "vpc-ipv4-cidr-block": lambda interface: interface.vpc_cidrs[0],
    "vpc-ipv4-cidr-blocks": lambda interface: lines(interface.vpc_cidrs),
}
"""What an instance says of each of its network interfaces."""

CREDENTIALS = "meta-data/iam/security-credentials/"

ABSENT = frozenset(
    {
        "meta-data/ancestor-ami-ids",
        "meta-data/autoscaling/target-lifecycle-state",
        "meta-data/elastic-inference/associations",
        "meta-data/events/recommendations/rebalance",
        "meta-data/ipv6",
        "meta-data/kernel-id",
        "meta-data/placement/group-name",
        "meta-data/placement/host-id",
        "meta-data/placement/partition-number",
        "meta-data/product-codes",
        "meta-data/public-keys/0/openssh-key",
        "meta-data/ramdisk-id",
        "meta-data/spot/instance-action",
        "meta-data/spot/termination-time",
        "meta-data/tags/instance",
        "user-data",
        *(f"{INTERFACES}{{mac}}/{name}" for name in ("ipv6s", "subnet-ipv6-cidr-blocks", "vpc-ipv6-cidr-blocks")),
    }
)
"""Documented categories that a plain instance (on demand, IPv4, no key pair, no user data) does not have.

AWS answers 404 to these. What is in no table here is not served, and reported.
"""


def lines(values: Iterable[str]) -> str | None:
    """Several values as the service writes them: one a line; None for none."""
    return "\n".join(values) or None


def timestamp(moment: datetime) -> str:
    """A moment as the service writes it, e.g. `2026-01-31T08:15:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def identity_document(view: MetadataView) -> str:
    """The instance identity document.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/retrieve-iid.html
    """
    document = {
        "accountId": view.account_id,
        "architecture": view.architecture,
        "availabilityZone": view.zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "imageId": view.ami_id,
        "instanceId": view.instance_id,
        "instanceType": view.instance_type,
        "kernelId": None,
        "marketplaceProductCodes": None,
        "pendingTime": timestamp(view.launched_at),
        "privateIp": view.private_ip,
        "ramdiskId": None,
        "region": view.region,
        "version": "2017-09-30",
    }
    return json.dumps(document, indent=2)


def leaves(view: MetadataView) -> dict[str, str]:
    """Everything that an instance says without credentials, by path."""
    said = {path: read(view) for path, read in CATEGORIES.items()}
    for interface in view.interfaces:
        for name, read_interface in INTERFACE_CATEGORIES.items():
            said[f"{INTERFACES}{interface.mac}/{name}"] = read_interface(interface)
    return {path: value for path, value in said.items() if value is not None}


def listing(paths: Iterable[str], folder: str) -> str | None:
    """The names below a folder (`meta-data/`), folders among them with a slash; None where there are none."""
    below = (path.removeprefix(folder).partition("/") for path in paths if path.startswith(folder))
    return lines(sorted({head + slash for head, slash, _ in below}))


def canonical(path: str) -> str:
    """A path with `{mac}` and `{role}` for what differs, and a slash at its end just where it is a folder.

    The service answers a value's path with a slash at its end as well: botocore's region look-up relies on
    it.
    """
    path = re.sub(rf"^({INTERFACES})[^/]+", r"\1{mac}", path.rstrip("/"))
    path = re.sub(rf"^({CREDENTIALS}).+", r"\1{role}", path)
    return f"{path}/" if f"{path}/" in FOLDERS else path


PATHS = frozenset(
    {
        *CATEGORIES,
        *(f"{INTERFACES}{{mac}}/{name}" for name in INTERFACE_CATEGORIES),
        f"{CREDENTIALS}{{role}}",
        *ABSENT,
    }
)
"""Every value that is known, present or absent."""

FOLDERS = frozenset(path[: slash.end()] for path in PATHS for slash in re.finditer("/", path))
"""Every folder above them."""
