"""The fake AWS as a whole: its world, the life of its instances, decoys, snapshots, and nothing shared between two."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import Request, urlopen

import pytest

import fakeclouds
from fakeclouds.aws.cloud import AwsCloud
from fakeclouds.base import CloudError, InstanceState
from fakeclouds.tests.aws_endpoints import listen, tcp


def fresh(seed: int = 1, name: str = "demo", *, region: str = "us-east-1") -> AwsCloud:
    return AwsCloud(seed, name, lambda call: None, region=region)


@pytest.fixture
def cloud() -> Iterator[AwsCloud]:
    started = fresh()
    started.start(listen)
    yield started
    assert started.crashes == ()
    started.close()


def test_naming_the_clouds_loads_none_of_them() -> None:
    code = "import sys, fakeclouds; print(sorted(fakeclouds.CLOUDS), 'moto' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['aws'] False"


def test_the_registry_leads_to_the_class() -> None:
    module, _, name = fakeclouds.CLOUDS["aws"].partition(":")
    assert getattr(sys.modules[module], name) is AwsCloud


def test_its_facts_name_what_is_in_the_account(cloud: AwsCloud) -> None:
    facts = cloud.facts()
    assert set(facts) == {"region", "zone", "network", "subnet", "route_table", "cluster_name"}
    subnet = cloud.call("ec2:DescribeSubnets", {"SubnetIds": [facts["subnet"]]})["Subnets"][0]
    assert (subnet["VpcId"], subnet["AvailabilityZone"]) == (facts["network"], facts["zone"])
    table = cloud.call("ec2:DescribeRouteTables", {"RouteTableIds": [facts["route_table"]]})["RouteTables"][0]
    assert facts["subnet"] in {one.get("SubnetId") for one in table["Associations"]}
    assert any(one.get("GatewayId", "").startswith("igw-") for one in table["Routes"])


def test_just_one_route_table_and_one_group_carry_the_clusters_tag_even_among_decoys(cloud: AwsCloud) -> None:
    cloud.plant_decoys()
    tagged = {"Filters": [{"Name": "tag-key", "Values": ["kubernetes.io/cluster/demo"]}]}
    tables = cloud.call("ec2:DescribeRouteTables", tagged)["RouteTables"]
    groups = cloud.call("ec2:DescribeSecurityGroups", tagged)["SecurityGroups"]
    assert [one["RouteTableId"] for one in tables] == [cloud.world.route_table]
    assert [one["GroupId"] for one in groups] == [cloud.world.node_group]


def test_an_instance_has_the_names_and_addresses_that_the_controller_reports(cloud: AwsCloud) -> None:
    added = cloud.add_instance("node-1", zone="us-east-1b")
    answer = cloud.call("ec2:DescribeInstances", {"InstanceIds": [added.id]})
    seen = answer["Reservations"][0]["Instances"][0]
    assert added.provider_id == f"aws:///us-east-1b/{added.id}"
    assert (added.node_name, added.private_ip) == (seen["PrivateDnsName"], seen["PrivateIpAddress"])
    assert [(one.type, one.address) for one in added.addresses] == [
        ("InternalIP", seen["PrivateIpAddress"]),
        ("ExternalIP", seen["PublicIpAddress"]),
        ("InternalDNS", seen["PrivateDnsName"]),
        ("Hostname", seen["PrivateDnsName"]),
        ("ExternalDNS", seen["PublicDnsName"]),
    ]
    assert {tag["Key"]: tag["Value"] for tag in seen["Tags"]} == {
        "Name": "node-1",
        "kubernetes.io/cluster/demo": "owned",
    }
    assert [one["GroupId"] for one in seen["SecurityGroups"]] == [cloud.world.node_group]
    assert seen["NetworkInterfaces"][0]["Status"] == "in-use"


def test_an_instances_labels_tell_type_place_and_network(cloud: AwsCloud) -> None:
    added = cloud.add_instance("node-1", type="p4d.24xlarge")
    topology = cloud.call("ec2:DescribeInstanceTopology", {"InstanceIds": [added.id]})["Instances"][0]
    nodes = topology["NetworkNodes"]
    assert added.labels == {
        "node.kubernetes.io/instance-type": "p4d.24xlarge",
        "topology.kubernetes.io/region": "us-east-1",
        "topology.kubernetes.io/zone": "us-east-1a",
        "topology.k8s.aws/zone-id": "use1-az6",
        **{f"topology.k8s.aws/network-node-layer-{layer}": nodes[layer - 1] for layer in (1, 2, 3)},
    }


@pytest.mark.parametrize(
    ("asked", "message"),
    [({"zone": "us-east-1z"}, "us-east-1a"), ({"type": "m5.tiny"}, "m5.tiny"), ({}, "control-plane")],
)
def test_what_cannot_be_added_is_refused_with_what_there_is(
    cloud: AwsCloud, asked: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        cloud.add_instance("node-1" if asked else "control-plane", **asked)


def test_an_unknown_alias_is_refused_with_those_that_there_are(cloud: AwsCloud) -> None:
    with pytest.raises(KeyError, match="control-plane"):
        cloud.instance("node-9")


def test_a_stopped_instance_loses_its_public_address_until_it_starts(cloud: AwsCloud) -> None:
    cloud.add_instance("node-1")
    cloud.stop_instance("node-1")
    assert cloud.instance("node-1").state is InstanceState.STOPPED
    assert {one.type for one in cloud.instance("node-1").addresses} == {"InternalIP", "InternalDNS", "Hostname"}
    cloud.start_instance("node-1")
    assert cloud.instance("node-1").state is InstanceState.RUNNING
    assert "ExternalIP" in {one.type for one in cloud.instance("node-1").addresses}


def test_a_terminated_instance_stays_visible_unless_it_is_purged(cloud: AwsCloud) -> None:
    before = cloud.add_instance("node-1")
    cloud.terminate_instance("node-1")
    answer = cloud.call("ec2:DescribeInstances", {"InstanceIds": [before.id]})
    assert answer["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated"
    cloud.terminate_instance("node-1", purge=True)
    with pytest.raises(CloudError, match=r"InvalidInstanceID.NotFound"):
        cloud.call("ec2:DescribeInstances", {"InstanceIds": [before.id]})
    assert (cloud.instance("node-1").id, cloud.instance("node-1").state) == (before.id, InstanceState.TERMINATED)
    cloud.terminate_instance("node-1", purge=True)


def test_a_purged_instance_leaves_a_black_hole(cloud: AwsCloud) -> None:
    node = cloud.add_instance("node-1")
    route = {"RouteTableId": cloud.world.route_table, "DestinationCidrBlock": "10.244.0.0/24"}
    cloud.call("ec2:CreateRoute", {**route, "InstanceId": node.id})
    assert [(one.instance_id, one.state) for one in cloud.routes() if one.owned] == [(node.id, "active")]
    cloud.terminate_instance("node-1", purge=True)
    assert [(one.instance_id, one.state) for one in cloud.routes() if one.owned] == [(None, "blackhole")]


def test_a_replacement_has_the_node_name_but_another_id(cloud: AwsCloud) -> None:
    before = cloud.add_instance("node-1", zone="us-east-1b", type="m5.xlarge")
    for name in ("node-2", "node-3", "node-4"):
        cloud.add_instance(name, zone="us-east-1b")
    for name in ("node-2", "node-3", "node-4"):  # their addresses are free as well
        cloud.terminate_instance(name)
    after = cloud.replace_instance("node-1")
    assert after.id != before.id
    assert (after.name, after.node_name, after.zone, after.type, after.state) == (
        before.name,
        before.node_name,
        before.zone,
        before.type,
        InstanceState.RUNNING,
    )
    assert cloud.instance("node-1") == after
    assert [one.name for one in cloud.instances()] == ["control-plane", "node-1", "node-2", "node-3", "node-4"]


def test_a_snapshot_is_json_and_the_same_as_long_as_nothing_happens(cloud: AwsCloud) -> None:
    cloud.add_instance("node-1")
    before = cloud.snapshot()
    assert json.loads(json.dumps(before)) == before
    assert cloud.snapshot() == before


def test_a_snapshot_holds_no_times(cloud: AwsCloud) -> None:
    cloud.add_instance("node-1")
    balancer = {"LoadBalancerName": "web", "Listeners": [tcp(80, 30080)]}
    cloud.call("elb:CreateLoadBalancer", {**balancer, "Subnets": list(cloud.world.subnets.values())})
    assert re.findall(r"20\d\d-\d\d-\d\d", json.dumps(cloud.snapshot())) == []


def test_a_snapshot_shows_what_was_left_behind_and_nothing_once_it_is_gone(cloud: AwsCloud) -> None:
    before = cloud.snapshot()
    subnets = list(cloud.world.subnets.values())
    group = cloud.call("ec2:CreateSecurityGroup", {"GroupName": "web", "Description": "web", "VpcId": cloud.world.vpc})
    balancer = {"LoadBalancerName": "web", "Listeners": [tcp(80, 30080)], "Subnets": subnets}
    cloud.call("elb:CreateLoadBalancer", {**balancer, "SecurityGroups": [group["GroupId"]]})
    added = set(cloud.snapshot()) - set(before)
    assert {"classic-load-balancer/web", f"security-group/{group['GroupId']}"} <= added
    cloud.call("elb:DeleteLoadBalancer", {"LoadBalancerName": "web"})
    cloud.call("ec2:DeleteSecurityGroup", {"GroupId": group["GroupId"]})
    assert cloud.snapshot() == before


def test_an_instance_that_came_and_went_leaves_the_snapshot_as_it_was(cloud: AwsCloud) -> None:
    before = cloud.snapshot()
    cloud.add_instance("node-1")
    assert cloud.snapshot() != before
    cloud.terminate_instance("node-1")
    assert cloud.snapshot() == before


def test_decoys_are_named_by_their_keys_and_change_nothing_that_was_there(cloud: AwsCloud) -> None:
    before = cloud.snapshot()
    decoys = cloud.plant_decoys()
    after = cloud.snapshot()
    assert decoys <= set(after) - set(before)
    assert {name: after[name] for name in before} == before
    assert {key.partition("/")[0] for key in decoys} == {
        "classic-load-balancer",
        "instance",
        "route",
        "route-table",
        "security-group",
        "security-group-rule",
    }
    assert not any(one.owned for one in cloud.routes())
    assert not any(one.owned for one in cloud.load_balancers())


def test_no_decoy_route_of_the_clusters_table_leads_to_an_instance(cloud: AwsCloud) -> None:
    cloud.plant_decoys()
    tables = cloud.call("ec2:DescribeRouteTables", {"RouteTableIds": [cloud.world.route_table]})["RouteTables"]
    assert not any("InstanceId" in route for route in tables[0]["Routes"])


def test_two_clouds_in_one_process_do_not_see_each_other() -> None:
    one, other = fresh(), fresh()
    one.start(listen)
    other.start(listen)
    try:
        subnets = list(one.world.subnets.values())
        before = other.snapshot()
        one.add_instance("node-1")
        one.call(
            "elb:CreateLoadBalancer", {"LoadBalancerName": "web", "Listeners": [tcp(80, 30080)], "Subnets": subnets}
        )
        mappings = [{"SubnetId": subnet} for subnet in subnets]
        one.call("elbv2:CreateLoadBalancer", {"Name": "web", "Type": "network", "SubnetMappings": mappings})
        assert other.snapshot() == before
        assert other.load_balancers() == ()
        assert [instance.name for instance in other.instances()] == ["control-plane"]
        stranger = Request(other.issue_access("x")["endpoint"], data=b"Action=DescribeVpcs&Version=2016-11-15")
        stranger.add_header(
            "Authorization", f"Credential={one.issue_access('x')['access_key']}/20260101/us-east-1/ec2/aws4_request"
        )
        with pytest.raises(OSError, match="401"):
            urlopen(stranger)
    finally:
        one.close()
        other.close()


def test_the_same_seed_gives_the_same_ids_and_another_seed_others() -> None:
    first, same, other = fresh(1), fresh(1), fresh(2)
    try:
        assert first.add_instance("node-1").id == same.add_instance("node-1").id
        assert first.add_instance("node-2").addresses == same.add_instance("node-2").addresses
        assert first.world == same.world
        assert first.world.vpc != other.world.vpc
    finally:
        for cloud in (first, same, other):
            cloud.close()


def test_closing_forgets_the_account_and_may_be_done_twice() -> None:
    from moto.core.base_backend import BackendDict

    cloud = fresh()
    cloud.start(listen)
    account = cloud.call("sts:GetCallerIdentity", {})["Account"]
    cloud.close()
    cloud.close()
    kept: list[Any] = list(BackendDict._instances)  # type: ignore[misc]
    assert not any(account in backends for backends in kept)


def test_an_unknown_region_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="us-east-1"):
        fresh(region="us-east-17")


def test_two_hundred_routes_made_at_once_are_all_made(cloud: AwsCloud) -> None:
    nodes = [cloud.add_instance(f"node-{number}").id for number in range(4)]
    table = cloud.world.route_table
    cloud.call("ec2:DescribeRouteTables", {"RouteTableIds": [table]})

    def create(number: int) -> None:
        route = {
            "RouteTableId": table,
            "DestinationCidrBlock": f"10.244.{number}.0/24",
            "InstanceId": nodes[number % 4],
        }
        cloud.call("ec2:CreateRoute", route)

    with ThreadPoolExecutor(50) as threads:
        list(threads.map(create, range(200)))
    assert sum(1 for one in cloud.routes() if one.owned and one.state == "active") == 200


def test_access_is_one_key_and_one_metadata_endpoint_for_each_process(cloud: AwsCloud) -> None:
    node = cloud.add_instance("node-1")
    first, second = cloud.issue_access("a", instance="control-plane"), cloud.issue_access("b", instance="node-1")
    assert set(first) == {"endpoint", "access_key", "secret_key", "metadata_endpoint"}
    assert first["endpoint"] == second["endpoint"]
    assert (
        len({first["access_key"], second["access_key"], first["metadata_endpoint"], second["metadata_endpoint"]}) == 4
    )
    assert metadata(second["metadata_endpoint"], "meta-data/instance-id") == node.id
    assert metadata(first["metadata_endpoint"], "meta-data/instance-id") == cloud.instance("control-plane").id
    document = json.loads(metadata(second["metadata_endpoint"], "dynamic/instance-identity/document"))
    assert (document["region"], document["availabilityZone"], document["privateIp"]) == (
        node.region,
        node.zone,
        node.private_ip,
    )
    macs = metadata(second["metadata_endpoint"], "meta-data/network/interfaces/macs/").split()
    vpc = metadata(second["metadata_endpoint"], f"meta-data/network/interfaces/macs/{macs[0]}vpc-id")
    assert vpc == cloud.world.vpc


def metadata(endpoint: str, path: str) -> str:
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    token = urlopen(Request(f"{endpoint}/latest/api/token", method="PUT", headers=ttl)).read().decode()
    headers = {"X-aws-ec2-metadata-token": token}
    text: str = urlopen(Request(f"{endpoint}/latest/{path}", headers=headers)).read().decode()
    return text


def test_access_for_an_unknown_instance_is_refused(cloud: AwsCloud) -> None:
    with pytest.raises(KeyError, match="node-9"):
        cloud.issue_access("a", instance="node-9")


def test_access_before_the_start_is_refused() -> None:
    cloud = fresh()
    try:
        with pytest.raises(RuntimeError, match="start it first"):
            cloud.issue_access("a")
    finally:
        cloud.close()


def test_a_raw_call_of_an_unknown_operation_suggests_a_known_one(cloud: AwsCloud) -> None:
    with pytest.raises(ValueError, match="ec2:DescribeInstances"):
        cloud.call("ec2:DescribeInstance", {})


def test_a_raw_call_with_wrong_parameters_names_them(cloud: AwsCloud) -> None:
    with pytest.raises(ValueError, match="Colour"):
        cloud.call("ec2:DescribeVpcs", {"Colour": "red"})


def test_what_it_re_reads_are_operations_that_there_are(cloud: AwsCloud) -> None:
    for operation in frozenset.union(*cloud.reads().values()):
        assert "Describe" in operation
        cloud.call(operation, {})


def test_every_listener_is_on_loopback(cloud: AwsCloud) -> None:
    access = cloud.issue_access("a", instance="control-plane")
    for url in (access["endpoint"], access["metadata_endpoint"]):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            assert connection.getpeername()[0] == "127.0.0.1"
