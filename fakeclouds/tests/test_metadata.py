"""The metadata service: sessions, paths, instances that are off, and two SDK clients against it."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from fakeclouds.aws.metadata import TOKEN_PATH, MetadataService
from fakeclouds.aws.metadata_categories import Interface, MetadataView
from fakeclouds.base import Call
from fakeclouds.front_door import Callers, FrontDoor
from fakeclouds.http import Reply
from fakeclouds.rules import Delay, Refuse, Rule, Rules
from fakeclouds.tests.parrot import Parrot, listener, request, served

MAC = "0e:49:61:0f:c3:11"
PRIMARY = Interface(
    mac=MAC,
    id="eni-1",
    device_number=0,
    private_ips=("10.0.0.4", "10.0.0.5"),
    private_dns="ip-10-0-0-4.ec2.internal",
    vpc_id="vpc-1",
    vpc_cidrs=("10.0.0.0/16", "10.1.0.0/16"),
    subnet_id="subnet-1",
    subnet_cidr="10.0.0.0/24",
    security_group_ids=("sg-1", "sg-2"),
    security_groups=("nodes", "ssh"),
    owner_id="123456789012",
)
VIEW = MetadataView(
    instance_id="i-1",
    ami_id="ami-1",
    instance_type="m5.large",
    launched_at=datetime(2026, 1, 31, 8, 15, tzinfo=UTC),
    reservation_id="r-1",
    account_id="123456789012",
    region="us-east-1",
    zone="us-east-1a",
    zone_id="use1-az1",
    private_ip="10.0.0.4",
    private_dns="ip-10-0-0-4.ec2.internal",
    interfaces=(PRIMARY,),
)


@dataclass
class Machine:
    """A metadata service behind a front door, with `i-1` at port 80 and `i-2` at port 81."""

    views: dict[str, MetadataView] = field(
        default_factory=lambda: {"i-1": VIEW, "i-2": replace(VIEW, instance_id="i-2")}
    )
    now_s: float = 0.0
    calls: list[Call] = field(default_factory=list)
    callers: Callers = field(default_factory=Callers)

    def __post_init__(self) -> None:
        self.service = MetadataService(describe=self.views.get, callers=self.callers, clock=lambda: self.now_s)
        self.rules = Rules(self.service)
        self.door = FrontDoor(Parrot(), self.rules, self.calls.append, self.callers)
        self.sit(80, "i-1")
        self.sit(81, "i-2")

    def sit(self, port: int, instance_id: str | None) -> None:
        self.service.seat(port=port, caller=f"ccm-{instance_id}", instance_id=instance_id)
        self.door.speak(self.service, port=port)

    def ask(self, path: str, *, method: str = "GET", port: int = 80, **headers: str) -> Reply | None:
        return asyncio.run(self.door.handle(request(path, method=method, port=port, **headers)))

    def status(self, path: str, *, method: str = "GET", port: int = 80, **headers: str) -> int:
        reply = self.ask(path, method=method, port=port, **headers)
        assert reply is not None
        return reply.status

    def token(self, ttl_s: int = 60, *, port: int = 80) -> str:
        reply = self.ask(TOKEN_PATH, method="PUT", port=port, x_aws_ec2_metadata_token_ttl_seconds=str(ttl_s))
        assert reply is not None
        assert reply.status == 200
        return reply.body.decode()

    def get(self, path: str) -> str | int:
        """What stands below `/latest/`, or the status where nothing does."""
        reply = self.ask(f"/latest/{path}", x_aws_ec2_metadata_token=self.token())
        assert reply is not None
        return reply.body.decode() if reply.status == 200 else reply.status


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def endpoint(machine: Machine) -> Iterator[str]:
    sock = listener()
    port = sock.getsockname()[1]
    machine.sit(port, "i-1")
    with served(machine.door.handle, sock):
        yield f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("meta-data/instance-id", "i-1"),
        ("meta-data/ami-id", "ami-1"),
        ("meta-data/instance-type", "m5.large"),
        ("meta-data/local-ipv4", "10.0.0.4"),
        ("meta-data/local-hostname", "ip-10-0-0-4.ec2.internal"),
        ("meta-data/hostname", "ip-10-0-0-4.ec2.internal"),
        ("meta-data/mac", MAC),
        ("meta-data/reservation-id", "r-1"),
        ("meta-data/security-groups", "nodes\nssh"),
        ("meta-data/placement/availability-zone", "us-east-1a"),
        ("meta-data/placement/availability-zone/", "us-east-1a"),
        ("meta-data/placement/availability-zone-id", "use1-az1"),
        ("meta-data/placement/region", "us-east-1"),
        ("meta-data/placement/", "availability-zone\navailability-zone-id\nregion"),
        ("meta-data/services/domain", "amazonaws.com"),
        ("meta-data/services/partition", "aws"),
        ("meta-data/network/", "interfaces/"),
        ("meta-data/network/interfaces/macs/", f"{MAC}/"),
        (f"meta-data/network/interfaces/macs/{MAC}/vpc-id", "vpc-1"),
        (f"meta-data/network/interfaces/macs/{MAC}/subnet-id", "subnet-1"),
        (f"meta-data/network/interfaces/macs/{MAC}/device-number", "0"),
        (f"meta-data/network/interfaces/macs/{MAC}/interface-id", "eni-1"),
        (f"meta-data/network/interfaces/macs/{MAC}/local-ipv4s", "10.0.0.4\n10.0.0.5"),
        (f"meta-data/network/interfaces/macs/{MAC}/vpc-ipv4-cidr-block", "10.0.0.0/16"),
        (f"meta-data/network/interfaces/macs/{MAC}/vpc-ipv4-cidr-blocks", "10.0.0.0/16\n10.1.0.0/16"),
        (f"meta-data/network/interfaces/macs/{MAC}/subnet-ipv4-cidr-block", "10.0.0.0/24"),
        (f"meta-data/network/interfaces/macs/{MAC}/security-group-ids", "sg-1\nsg-2"),
        (f"meta-data/network/interfaces/macs/{MAC}/owner-id", "123456789012"),
        ("", "dynamic/\nmeta-data/"),
    ],
)
def test_every_category_says_what_the_instance_is(machine: Machine, path: str, value: str) -> None:
    assert machine.get(path) == value
    assert all(call.implemented for call in machine.calls)


def test_the_root_listing_marks_folders_with_a_slash(machine: Machine) -> None:
    listing = str(machine.get("meta-data/")).splitlines()
    assert {"instance-id", "mac", "network/", "placement/", "services/"} <= set(listing)
    assert "public-ipv4" not in listing
    assert "iam/" not in listing


def test_the_identity_document_has_the_fields_of_the_documented_one(machine: Machine) -> None:
    document = json.loads(str(machine.get("dynamic/instance-identity/document")))
    assert document == {
        "accountId": "123456789012",
        "architecture": "x86_64",
        "availabilityZone": "us-east-1a",
        "billingProducts": None,
        "devpayProductCodes": None,
        "imageId": "ami-1",
        "instanceId": "i-1",
        "instanceType": "m5.large",
        "kernelId": None,
        "marketplaceProductCodes": None,
        "pendingTime": "2026-01-31T08:15:00Z",
        "privateIp": "10.0.0.4",
        "ramdiskId": None,
        "region": "us-east-1",
        "version": "2017-09-30",
    }


def test_public_names_stand_where_the_instance_has_them(machine: Machine) -> None:
    machine.views["i-1"] = replace(VIEW, public_ip="3.0.0.1", public_dns="ec2-3-0-0-1.amazonaws.com")
    assert machine.get("meta-data/public-ipv4") == "3.0.0.1"
    assert machine.get("meta-data/public-hostname") == "ec2-3-0-0-1.amazonaws.com"


@pytest.mark.parametrize(
    "path",
    [
        "meta-data/public-ipv4",
        "meta-data/iam/security-credentials/",
        "meta-data/iam/security-credentials/any",
        "meta-data/spot/instance-action",
        "meta-data/network/interfaces/macs/00:00:00:00:00:00/vpc-id",
        "user-data",
    ],
)
def test_a_documented_category_without_a_value_is_an_honest_404(machine: Machine, path: str) -> None:
    assert machine.get(path) == 404
    call = machine.calls[-1]
    assert (call.implemented, call.error_code) == (True, "NotFound")


def test_a_404_is_the_page_that_the_service_shows(machine: Machine) -> None:
    reply = machine.ask("/latest/user-data", x_aws_ec2_metadata_token=machine.token())
    assert reply is not None
    assert reply.headers["content-type"] == "text/html"
    assert b"<title>404 - Not Found</title>" in reply.body


@pytest.mark.parametrize(
    "path",
    ["/latest/meta-data/iam/info", "/latest/meta-data/no-such-thing", "/2021-01-03/meta-data/mac", "/"],
)
def test_a_path_that_is_not_served_is_reported_by_name(machine: Machine, path: str) -> None:
    reply = machine.ask(path, x_aws_ec2_metadata_token=machine.token())
    assert reply is not None
    assert reply.status == 501
    assert f"imds:GET {path}" in reply.body.decode()
    assert (machine.calls[-1].implemented, machine.calls[-1].operation) == (False, f"GET {path}")


def test_reads_are_journalled_under_one_name_for_all_instances(machine: Machine) -> None:
    machine.get(f"meta-data/network/interfaces/macs/{MAC}/vpc-id")
    token, read = machine.calls
    assert (token.service, token.operation) == ("imds", "PUT /latest/api/token")
    assert read.operation == "GET /latest/meta-data/network/interfaces/macs/{mac}/vpc-id"
    assert read.parameters == {"path": f"/latest/meta-data/network/interfaces/macs/{MAC}/vpc-id"}
    assert (read.caller, read.resource, read.mutating, read.cloud) == ("ccm-i-1", "i-1", False, "aws")


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_a_token_names_its_time_to_live(machine: Machine, ttl: str) -> None:
    reply = machine.ask(TOKEN_PATH, method="PUT", x_aws_ec2_metadata_token_ttl_seconds=ttl)
    assert reply is not None
    assert (reply.status, reply.headers["x-aws-ec2-metadata-token-ttl-seconds"]) == (200, ttl)


@pytest.mark.parametrize("ttl", ["0", "21601", "-1", "ten", "", "1e3", "٣"])
def test_a_bad_time_to_live_is_a_bad_request(machine: Machine, ttl: str) -> None:
    assert machine.status(TOKEN_PATH, method="PUT", x_aws_ec2_metadata_token_ttl_seconds=ttl) == 400


def test_a_token_needs_a_time_to_live(machine: Machine) -> None:
    assert machine.status(TOKEN_PATH, method="PUT") == 400


def test_a_forwarded_request_gets_no_token(machine: Machine) -> None:
    status = machine.status(
        TOKEN_PATH, method="PUT", x_aws_ec2_metadata_token_ttl_seconds="60", x_forwarded_for="10.0.0.9"
    )
    assert status == 403


def test_a_read_needs_a_valid_token(machine: Machine) -> None:
    path = "/latest/meta-data/instance-id"
    assert machine.status(path) == 401
    assert machine.status(path, x_aws_ec2_metadata_token="made-up") == 401
    assert machine.status(path, x_aws_ec2_metadata_token="") == 401


def test_a_token_is_good_for_its_own_instance_only(machine: Machine) -> None:
    token = machine.token(port=80)
    path = "/latest/meta-data/instance-id"
    assert machine.status(path, port=81, x_aws_ec2_metadata_token=token) == 401
    assert machine.status(path, port=80, x_aws_ec2_metadata_token=token) == 200


def test_a_token_expires(machine: Machine) -> None:
    token = machine.token(ttl_s=10)
    path = "/latest/meta-data/instance-id"
    machine.now_s = 9.9
    assert machine.status(path, x_aws_ec2_metadata_token=token) == 200
    machine.now_s = 10.0
    assert machine.status(path, x_aws_ec2_metadata_token=token) == 401


def test_an_instance_may_allow_reads_without_a_token(machine: Machine) -> None:
    machine.views["i-1"] = replace(VIEW, tokens_required=False)
    path = "/latest/meta-data/instance-id"
    assert machine.status(path) == 200
    assert machine.status(path, x_aws_ec2_metadata_token="made-up") == 401


def test_every_instance_answers_for_itself(machine: Machine) -> None:
    reply = machine.ask("/latest/meta-data/instance-id", port=81, x_aws_ec2_metadata_token=machine.token(port=81))
    assert reply is not None
    assert reply.body == b"i-2"


def test_an_instance_that_does_not_run_answers_nothing(machine: Machine) -> None:
    token = machine.token()
    del machine.views["i-1"]
    assert machine.ask("/latest/meta-data/instance-id", x_aws_ec2_metadata_token=token) is None
    assert machine.calls[-1].status == 0


def test_a_process_on_no_instance_gets_no_answer(machine: Machine) -> None:
    machine.sit(82, None)
    assert machine.ask(TOKEN_PATH, method="PUT", port=82) is None


def test_rules_apply_to_the_metadata_service(machine: Machine) -> None:
    machine.rules.add(Rule(operation="imds:GET /latest/meta-data/*", nth=2, action=Refuse(code="Slow", status=503)))
    assert [machine.get("meta-data/mac") for _ in range(3)] == [MAC, 503, MAC]
    with pytest.raises(ValueError, match="near it: imds:GET /latest/meta-data/mac"):
        machine.rules.add(Rule(operation="imds:GET /latest/meta-data/macx", action=Delay(seconds=1)))


def test_an_unfinished_listener_is_a_crash_and_no_silence(machine: Machine) -> None:
    machine.door.speak(machine.service, port=99)
    assert machine.status(TOKEN_PATH, method="PUT", port=99) == 500
    assert len(machine.door.crashes) == 1


def test_the_sdk_reads_the_credentials_of_a_role_that_name_the_caller(machine: Machine, endpoint: str) -> None:
    machine.views["i-1"] = replace(VIEW, role="node")
    fetcher = InstanceMetadataFetcher(timeout=10, num_attempts=1, base_url=endpoint, env={})
    credentials = fetcher.retrieve_iam_role_credentials()
    assert credentials["role_name"] == "node"
    assert machine.callers.caller_of(credentials["access_key"]) == "ccm-i-1"
    assert all(call.implemented for call in machine.calls)


def test_the_sdk_finds_no_credentials_where_there_is_no_role(endpoint: str) -> None:
    fetcher = InstanceMetadataFetcher(timeout=10, num_attempts=1, base_url=endpoint, env={})
    assert fetcher.retrieve_iam_role_credentials() == {}


def test_the_sdk_learns_the_region(endpoint: str) -> None:
    fetcher = InstanceMetadataRegionFetcher(timeout=10, num_attempts=1, base_url=endpoint, env={})
    assert fetcher.retrieve_region() == "us-east-1"
