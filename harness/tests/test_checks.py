"""Every check: met, not met, and with nothing there to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from fakeclouds.base import Address, Backend, Frontend
from harness.checks import CHECKS, Check, key_of
from harness.checks.base import combine
from harness.checks.calls import mismatches
from harness.checks.services import FINALIZER
from harness.errors import HarnessError, UsageError
from harness.wait import Observation

from .light_lab import World, balancer, event, instance, route

BY_KEY = {key_of(check): check for check in CHECKS}
SHUTDOWN = "node.cloudprovider.kubernetes.io/shutdown"


def check(key: str, /, **fields: Any) -> Check:
    return BY_KEY[key].model_validate(fields)


def nothing(world: World) -> None:
    """Leave the world as it should be."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One look at one world."""

    title: str
    check: str
    asks: dict[str, Any] = field(default_factory=dict)
    world: Callable[[World], object] = nothing
    met: bool
    observed: str

    def __str__(self) -> str:
        return f"{self.check}: {self.title}"


def met(check: str, title: str, observed: str, world: Callable[[World], object] = nothing, /, **asks: Any) -> Case:
    return Case(title=title, check=check, asks=asks, world=world, met=True, observed=observed)


def unmet(check: str, title: str, observed: str, world: Callable[[World], object] = nothing, /, **asks: Any) -> Case:
    return Case(title=title, check=check, asks=asks, world=world, met=False, observed=observed)


NODES = [
    met("nodeInitialised", "all facts are the instance's", "initialised from its instance", node="all"),
    unmet("nodeInitialised", "without a node there is nothing", "nothing to look at", World.drop_nodes, node="all"),
    unmet(
        "nodeInitialised",
        "the Node is not there",
        "no such Node",
        lambda w: w.drop("Node", "node-2.internal"),
        node="all",
    ),
    unmet(
        "nodeInitialised",
        "the providerID is missing",
        "providerID is None, not 'aws:///zone-a/i-node-1'",
        lambda w: w.node({"spec": {"providerID": None}}),
        node="node-1",
    ),
    unmet(
        "nodeInitialised",
        "a label is another zone's",
        "label topology.kubernetes.io/zone is 'zone-b', not 'zone-a'",
        lambda w: w.node({"metadata": {"labels": {"topology.kubernetes.io/zone": "zone-b"}}}),
        node="node-1",
    ),
    unmet(
        "nodeInitialised",
        "an address is wrong",
        "address InternalIP 172.31.0.1 is missing; address InternalIP 10.9.9.9 is not the instance's",
        lambda w: w.node(
            {
                "status": {
                    "addresses": [
                        {"type": "InternalIP", "address": "10.9.9.9"},
                        {"type": "Hostname", "address": "node-1.internal"},
                    ]
                }
            }
        ),
        node="node-1",
    ),
    unmet(
        "nodeInitialised",
        "the taint is still there",
        "still has the taint node.cloudprovider.kubernetes.io/uninitialized",
        World.taint,
        node="node-1",
    ),
    met("nodeUninitialised", "the taint is there", "tainted node.cloudprovider", World.taint, node="node-1"),
    unmet("nodeUninitialised", "the taint is gone", "taints: none", node="node-1"),
    unmet(
        "nodeUninitialised",
        "the Node is not there",
        "no such Node",
        lambda w: w.drop("Node", "node-1.internal"),
        node="node-1",
    ),
    met("nodeUntaintedOnlyWhenInitialised", "facts are there, taint is not", "facts before taint"),
    met(
        "nodeUntaintedOnlyWhenInitialised",
        "a tainted Node may lack its facts",
        "facts before taint",
        lambda w: w.taint().node({"spec": {"providerID": None}}),
    ),
    met(
        "nodeUntaintedOnlyWhenInitialised",
        "a Node that is not there breaks nothing",
        "facts before taint",
        lambda w: w.drop("Node", "node-1.internal"),
    ),
    met(
        "nodeUntaintedOnlyWhenInitialised",
        "addresses may come after the taint is gone",
        "facts before taint",
        lambda w: w.node({"status": {"addresses": []}}),
    ),
    unmet(
        "nodeUntaintedOnlyWhenInitialised",
        "no taint and no providerID",
        "no taint, but providerID is None",
        lambda w: w.node({"spec": {"providerID": None}}, "node-2"),
    ),
    met("nodeTaint", "set", f"taint {SHUTDOWN} set", lambda w: w.taint(SHUTDOWN), node="node-1", key=SHUTDOWN),
    met("nodeTaint", "gone", f"taint {SHUTDOWN} gone", node="all", key=SHUTDOWN, present=False),
    unmet("nodeTaint", "not set", "taints: none", node="node-1", key=SHUTDOWN),
    unmet(
        "nodeTaint",
        "not gone",
        f"taints: {SHUTDOWN}",
        lambda w: w.taint(SHUTDOWN),
        node="node-1",
        key=SHUTDOWN,
        present=False,
    ),
    unmet(
        "nodeTaint",
        "a Node that is not there has no taint to be gone",
        "no such Node",
        lambda w: w.drop("Node", "node-1.internal"),
        node="node-1",
        key=SHUTDOWN,
        present=False,
    ),
    met("nodePresent", "every Node is there", "present", node="all"),
    unmet("nodePresent", "one is gone", "gone", lambda w: w.drop("Node", "node-2.internal"), node="all"),
    met("nodeAbsent", "the Node is gone", "gone", lambda w: w.drop("Node", "node-1.internal"), node="node-1"),
    unmet("nodeAbsent", "the Node is there", "present", node="node-1"),
    met("nodeCondition", "the status is there", "condition Ready=True", node="all", type="Ready", status="True"),
    unmet(
        "nodeCondition",
        "another status",
        "True (KubeletReady: posting)",
        node="node-1",
        type="Ready",
        status="Unknown",
    ),
    unmet("nodeCondition", "no such condition", "no such condition", node="all", type="Odd", status="True"),
    unmet(
        "nodeCondition",
        "the Node is not there",
        "no such Node",
        lambda w: w.drop("Node", "node-1.internal"),
        node="node-1",
        type="Ready",
        status="True",
    ),
]

ROUTES = [
    met("routePresent", "one route each", "one active route for each pod CIDR", node="all"),
    unmet("routePresent", "no route", "no route", World.routes, node="all"),
    unmet(
        "routePresent",
        "it leads to another instance",
        "10.244.1.0/24 -> i-node-2 (active)",
        lambda w: w.routes(route(instance_id="i-node-2")),
        node="node-1",
    ),
    unmet(
        "routePresent",
        "it is a blackhole",
        "10.244.1.0/24 -> i-node-1 (blackhole)",
        lambda w: w.routes(route(state="blackhole")),
        node="node-1",
    ),
    unmet(
        "routePresent",
        "there are two",
        "10.244.1.0/24 -> i-node-1 (active); 10.244.1.0/24 -> i-node-1 (active)",
        lambda w: w.routes(route(), route()),
        node="node-1",
    ),
    unmet(
        "routePresent",
        "only one of two pod CIDRs has its route",
        "10.244.1.0/24 -> i-node-1 (active)",
        lambda w: w.node({"spec": {"podCIDRs": ["10.244.1.0/24", "fd00::/64"]}}),
        node="node-1",
    ),
    unmet(
        "routePresent",
        "the Node has no pod CIDR",
        "the Node has no pod CIDR",
        lambda w: w.node({"spec": {"podCIDRs": None}}),
        node="node-1",
    ),
    unmet(
        "routePresent",
        "the Node is not there",
        "the Node has no pod CIDR",
        lambda w: w.drop("Node", "node-1.internal"),
        node="node-1",
    ),
    met("routeAbsent", "other nodes' routes do not count", "none", lambda w: w.routes(route(2)), node="node-1"),
    met(
        "routeAbsent",
        "somebody else's route does not count",
        "none",
        lambda w: w.routes(route(owned=False)),
        node="node-1",
    ),
    unmet("routeAbsent", "it is there", "10.244.1.0/24 -> i-node-1 (active)", node="node-1"),
    unmet(
        "routeAbsent",
        "it is left without a target",
        "10.244.1.0/24 -> None (blackhole)",
        lambda w: w.routes(route(instance_id=None, state="blackhole")),
        node="node-1",
    ),
    met("routeExists", "it is there", "-> i-node-1 (active)", destination="10.244.1.0/24"),
    unmet("routeExists", "it is not there", "gone", destination="192.0.2.0/24"),
]

MATCHES = "classic, frontends TCP 80 -> nodePort 30080, backends node-1, node-2"
SERVICES = [
    met(
        "loadBalancerMatches",
        "all is the Service's",
        "any variant",
        World.without_variant,
        service="web",
    ),
    met("loadBalancerMatches", "of the variant under test", MATCHES, service="default/web"),
    met(
        "loadBalancerMatches",
        "it is public, as asked",
        "classic, public, frontends",
        service="web",
        internal=False,
    ),
    met(
        "loadBalancerMatches",
        "a draining backend does not count",
        "backends node-1",
        lambda w: w.balancers(
            balancer(
                backends=(
                    Backend(instance_id="i-node-1", port=30080, state="healthy"),
                    Backend(instance_id="i-node-2", port=30080, state="draining"),
                )
            )
        ),
        service="web",
        backends=["node-1"],
    ),
    met(
        "loadBalancerMatches",
        "a node with the exclude label is no target",
        "backends node-1",
        lambda w: w.node(
            {"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}}, "node-2"
        ).balancers(balancer(backends=balancer().backends[:1])),
        service="web",
    ),
    met(
        "loadBalancerMatches",
        "a node that the autoscaler is about to delete is no target",
        "backends node-1",
        lambda w: w.taint("ToBeDeletedByClusterAutoscaler", "node-2").balancers(
            balancer(backends=balancer().backends[:1])
        ),
        service="web",
    ),
    met(
        "loadBalancerMatches",
        "a node without providerID is no target",
        "backends node-1",
        lambda w: w.node({"spec": {"providerID": None}}, "node-2").balancers(
            balancer(backends=balancer().backends[:1])
        ),
        service="web",
    ),
    unmet("loadBalancerMatches", "there is none", "0 load balancers", World.balancers, service="web"),
    unmet(
        "loadBalancerMatches",
        "there are two",
        "2 load balancers",
        lambda w: w.balancers(balancer(), balancer(id="lb-2")),
        service="web",
    ),
    unmet(
        "loadBalancerMatches",
        "it is another cluster's",
        "0 load balancers",
        lambda w: w.balancers(balancer(owned=False)),
        service="web",
    ),
    unmet(
        "loadBalancerMatches",
        "it is another Service's",
        "0 load balancers",
        lambda w: w.balancers(balancer(service="other/web")),
        service="web",
    ),
    unmet(
        "loadBalancerMatches",
        "there is no such Service",
        "no such Service",
        lambda w: w.drop("Service", "default/web"),
        service="web",
    ),
    unmet(
        "loadBalancerMatches",
        "it is of another variant",
        "nlb, frontends",
        lambda w: w.balancers(balancer(variant="nlb")),
        service="web",
    ),
    unmet(
        "loadBalancerMatches",
        "it is internal",
        "classic, internal, ",
        lambda w: w.balancers(balancer(internal=True)),
        service="web",
        internal=False,
    ),
    unmet(
        "loadBalancerMatches",
        "a frontend leads to another nodePort",
        "TCP 80 -> nodePort 31000",
        lambda w: w.balancers(
            balancer(frontends=(Frontend(protocol="TCP", port=80, backend_protocol="TCP", backend_port=31000),))
        ),
        service="web",
    ),
    unmet(
        "loadBalancerMatches",
        "a stranger is behind it",
        "backends i-stranger, node-1, node-2",
        lambda w: w.balancers(
            balancer(backends=(*balancer().backends, Backend(instance_id="i-stranger", port=30080, state="healthy")))
        ),
        service="web",
    ),
    unmet(
        "loadBalancerMatches",
        "a node is behind one port of two",
        "node-2 on [30080] alone",
        lambda w: w.service(
            {
                "spec": {
                    "ports": [
                        {"protocol": "TCP", "port": 80, "nodePort": 30080},
                        {"protocol": "TCP", "port": 443, "nodePort": 30443},
                    ]
                }
            }
        ).balancers(
            balancer(
                frontends=(
                    *balancer().frontends,
                    Frontend(protocol="TCP", port=443, backend_protocol="TCP", backend_port=30443),
                ),
                backends=(*balancer().backends, Backend(instance_id="i-node-1", port=30443, state="healthy")),
            )
        ),
        service="web",
    ),
    unmet("loadBalancerMatches", "a node is missing", "backends node-1, node-2", service="web", backends=["node-1"]),
    met("loadBalancerAbsent", "there is none", "none", World.balancers, service="web"),
    met(
        "loadBalancerAbsent",
        "another cluster's does not count",
        "none",
        lambda w: w.balancers(balancer(owned=False)),
        service="web",
    ),
    unmet("loadBalancerAbsent", "it is there", "lb", service="web"),
    met("serviceAddress", "the status is the cloud's", "lb.example.com", service="web"),
    unmet(
        "serviceAddress",
        "the status shows another",
        "old.example.com",
        lambda w: w.address("old.example.com"),
        service="web",
    ),
    unmet("serviceAddress", "the status shows nothing", "none", World.address, service="web"),
    unmet(
        "serviceAddress",
        "no load balancer and no address is no match",
        "none",
        lambda w: w.balancers().address(),
        service="web",
    ),
    unmet(
        "serviceAddress", "there is no such Service", "none", lambda w: w.drop("Service", "default/web"), service="web"
    ),
    met("serviceAddressStable", "as at first", "first", lambda w: w.address().address("first"), service="web"),
    unmet(
        "serviceAddressStable",
        "it shows another",
        "second",
        lambda w: w.address("first").address("second"),
        service="web",
    ),
    unmet("serviceAddressStable", "there is a gap", "none", lambda w: w.address("first").address(), service="web"),
    unmet("serviceAddressStable", "it never showed one", "none", World.address, service="web"),
    unmet(
        "serviceAddressStable",
        "the Service is gone",
        "none",
        lambda w: w.address("first").drop("Service", "default/web"),
        service="web",
    ),
    met("serviceAddressCleared", "the status is empty", "none", World.address, service="web"),
    unmet("serviceAddressCleared", "the status shows one", "lb.example.com", service="web"),
    unmet(
        "serviceAddressCleared",
        "a Service that is not there has no cleared status",
        "no such Service",
        lambda w: w.drop("Service", "default/web"),
        service="web",
    ),
    met("serviceFinalizer", "set", FINALIZER, service="web"),
    met(
        "serviceFinalizer",
        "gone",
        "no finalizer",
        lambda w: w.service({"metadata": {"finalizers": None}}),
        service="web",
        present=False,
    ),
    unmet(
        "serviceFinalizer",
        "not set",
        "no finalizer",
        lambda w: w.service({"metadata": {"finalizers": None}}),
        service="web",
    ),
    unmet("serviceFinalizer", "not gone", FINALIZER, service="web", present=False),
    unmet(
        "serviceFinalizer",
        "there is no such Service",
        "no such Service",
        lambda w: w.drop("Service", "default/web"),
        service="web",
        present=False,
    ),
    met("finalizerBeforeLoadBalancer", "both are there", "finalizer first"),
    met("finalizerBeforeLoadBalancer", "neither is there", "finalizer first", World.balancers),
    met(
        "finalizerBeforeLoadBalancer",
        "another cluster's needs none",
        "finalizer first",
        lambda w: w.balancers(balancer(owned=False, service="default/theirs")),
    ),
    met(
        "finalizerBeforeLoadBalancer",
        "one that names no Service needs none",
        "finalizer first",
        lambda w: w.balancers(balancer(service=None)),
    ),
    unmet(
        "finalizerBeforeLoadBalancer",
        "a load balancer without a finalizer",
        "no finalizer",
        lambda w: w.service({"metadata": {"finalizers": None}}),
    ),
    unmet(
        "finalizerBeforeLoadBalancer",
        "a load balancer without a Service",
        "the Service is gone",
        lambda w: w.drop("Service", "default/web"),
    ),
    met("serviceAbsent", "it is gone", "gone", lambda w: w.drop("Service", "default/web"), service="web"),
    unmet("serviceAbsent", "it is there", f"present, finalizers ['{FINALIZER}']", service="web"),
    met("serviceReadyEndpoints", "one is ready", "1 ready endpoints", service="web", count=1),
    unmet("serviceReadyEndpoints", "one is not enough", "1 ready endpoints", service="web", count=2),
    unmet(
        "serviceReadyEndpoints",
        "there is no EndpointSlice",
        "0 ready endpoints",
        lambda w: w.drop("EndpointSlice", "default/web-1"),
        service="web",
        count=1,
    ),
    unmet("serviceReadyEndpoints", "another namespace's do not count", "0 ready", service="other/web", count=1),
]

CALLS = [
    met("calls", "none, and none is allowed", "0 calls", operation="ec2:*", atMost=0),
    met(
        "calls",
        "within both bounds",
        "2 calls, the last ec2:CreateRoute rtb-1",
        lambda w: w.called("ec2:CreateRoute", "ec2:CreateRoute"),
        operation="ec2:Create*",
        atLeast=2,
        atMost=2,
    ),
    met(
        "calls",
        "other operations and other callers do not count",
        "0 calls",
        lambda w: w.called("ec2:DeleteRoute").called("ec2:CreateRoute", caller="test"),
        operation="ec2:CreateRoute",
        atMost=0,
    ),
    met(
        "calls",
        "those before the mark do not count",
        "0 calls",
        lambda w: w.called("ec2:CreateRoute").marked(),
        operation="ec2:CreateRoute",
        atMost=0,
    ),
    unmet(
        "calls",
        "too many",
        "1 calls, the last ec2:CreateRoute rtb-1",
        lambda w: w.called("ec2:CreateRoute"),
        operation="ec2:CreateRoute",
        atMost=0,
    ),
    unmet("calls", "too few", "0 calls", operation="ec2:CreateRoute", atLeast=1),
    met("noCloudWrites", "only reads", "none", lambda w: w.called("ec2:DescribeInstances")),
    met("noCloudWrites", "somebody else wrote", "none", lambda w: w.called("ec2:CreateRoute", caller="test")),
    met(
        "noCloudWrites",
        "wrote before the mark",
        "none",
        lambda w: w.called("ec2:CreateRoute").marked(),
    ),
    unmet("noCloudWrites", "wrote", "ec2:CreateRoute rtb-1", lambda w: w.called("ec2:CreateRoute")),
    met(
        "eventSeen",
        "on a Service",
        "Normal EnsuredLoadBalancer",
        lambda w: w.state.put(event("web", "EnsuredLoadBalancer")),
        object="default/web",
        reason="EnsuredLoadBalancer",
    ),
    met(
        "eventSeen",
        "on a node, by its alias",
        "Warning Gone",
        lambda w: w.state.put(event("node-1.internal", "Gone", "Warning")),
        object="node-1",
        reason="Gone",
        type="Warning",
    ),
    unmet(
        "eventSeen",
        "of another type",
        "Warning Sync",
        lambda w: w.state.put(event("web", "Sync", "Warning")),
        object="web",
        reason="Sync",
    ),
    unmet(
        "eventSeen",
        "on another object",
        "none",
        lambda w: w.state.put(event("other", "Sync")),
        object="web",
        reason="Sync",
    ),
    unmet("eventSeen", "there is none", "none", object="web", reason="Sync"),
    met(
        "objectMatches",
        "fields are there, among others",
        "as given",
        kind="Service",
        name="web",
        fields={"spec": {"type": "LoadBalancer"}},
    ),
    met(
        "objectMatches",
        "a Node by its alias",
        "as given",
        kind="Node",
        name="node-1",
        fields={"spec": {"podCIDR": "10.244.1.0/24"}},
    ),
    unmet(
        "objectMatches",
        "a field differs",
        "spec.type='LoadBalancer'",
        kind="Service",
        name="web",
        fields={"spec": {"type": "ClusterIP"}},
    ),
    unmet("objectMatches", "there is no such object", "no such object", kind="Service", name="api", fields={}),
    met(
        "cloudApi",
        "the query gives the value",
        "['sg-1']",
        lambda w: w.cloud.answers.update({"ec2:DescribeSecurityGroups": {"Groups": [{"Id": "sg-1"}]}}),
        operation="ec2:DescribeSecurityGroups",
        query="Groups[].Id",
        value=["sg-1"],
    ),
    unmet(
        "cloudApi",
        "the query gives another value",
        "[]",
        lambda w: w.cloud.answers.update({"ec2:DescribeSecurityGroups": {"Groups": []}}),
        operation="ec2:DescribeSecurityGroups",
        query="Groups[].Id",
        value=["sg-1"],
    ),
    unmet(
        "cloudApi",
        "the answer has no such field",
        "None",
        lambda w: w.cloud.answers.update({"ec2:DescribeSecurityGroups": {}}),
        operation="ec2:DescribeSecurityGroups",
        query="Groups[].Id",
        value=["sg-1"],
    ),
]

ACCOUNT = [
    met("asBefore", "nothing was done", "as it was"),
    met(
        "asBefore",
        "nodes that the scenario still has do not count",
        "as it was",
        lambda w: w.cloud.held.update({"instance/i-node-1": {}, "route/rtb-1|10.244.1.0/24": {}}),
    ),
    unmet(
        "asBefore",
        "an instance outlives the last node",
        "instance/i-1 is left",
        lambda w: (w.drop_nodes(), w.cloud.held.update({"instance/i-1": {}})),
    ),
    unmet("asBefore", "something is left", "group/sg-2 is left", lambda w: w.cloud.held.update({"group/sg-2": {}})),
    unmet("asBefore", "something is gone", "group/sg-1 is gone", lambda w: w.cloud.held.clear()),
    unmet(
        "asBefore",
        "something changed",
        'group/sg-1 changed: rules: [] -> ["any"]',
        lambda w: w.cloud.held.update({"group/sg-1": {"rules": ["any"]}}),
    ),
]

CASES = [*NODES, *ROUTES, *SERVICES, *CALLS, *ACCOUNT]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_check_sees_what_is_there(case: Case) -> None:
    world = World()
    case.world(world)
    observation = check(case.check, **case.asks).observe(world.lab)
    assert case.observed in observation.observed
    assert observation.met is case.met
    assert observation.subject
    assert observation.expected


@pytest.mark.parametrize("key", sorted(BY_KEY))
def test_every_check_has_a_case_that_is_met_and_one_that_is_not(key: str) -> None:
    assert {case.met for case in CASES if case.check == key} == {True, False}


def test_no_case_is_about_a_check_that_is_not_there() -> None:
    assert {case.check for case in CASES} <= BY_KEY.keys()


def test_a_check_about_an_unknown_node_lists_the_nodes() -> None:
    with pytest.raises(UsageError, match="no node 'node-9' in this scenario; it has: node-1, node-2"):
        check("nodeInitialised", node="node-9").observe(World().lab)


def test_a_leak_check_without_anything_to_compare_with_is_the_harnesss_fault() -> None:
    world = World()
    world.lab.baseline = {}
    with pytest.raises(HarnessError, match="nothing to compare with"):
        check("asBefore").observe(world.lab)


@pytest.mark.parametrize(
    ("key", "fields", "message"),
    [
        ("calls", {"operation": "ec2:CreateRoute"}, "give atMost, atLeast, or both"),
        ("calls", {"operation": "ec2:CreateRoute", "atMost": -1}, "greater than or equal to 0"),
        ("eventSeen", {"object": "web", "reason": "Sync", "type": "normal"}, "Normal|Warning"),
        ("nodeCondition", {"node": "node-1", "type": "Ready", "status": "true"}, "True|False|Unknown"),
        ("nodeTaint", {"node": "node-1", "key": "a", "presnt": False}, "Extra inputs are not permitted"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(key: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        check(key, **fields)
    assert message in str(refused.value)


def test_a_check_is_written_in_scenario_files_as_its_name_in_camel_case() -> None:
    assert BY_KEY["cloudApi"].__name__ == "CloudApi"
    assert BY_KEY["nodeUntaintedOnlyWhenInitialised"].__name__ == "NodeUntaintedOnlyWhenInitialised"


def test_of_several_looks_the_first_that_is_not_met_is_told() -> None:
    looks = [
        Observation(met=number != 2, subject=f"thing {number}", expected="there", observed="there")
        for number in (1, 2, 3)
    ]
    assert combine(looks, subject="all", expected="there").subject == "thing 2"
    assert combine(looks[:1], subject="all", expected="there").met
    assert not combine([], subject="all", expected="there").met


def test_mismatches_go_into_mappings_and_take_lists_whole() -> None:
    wanted = {"spec": {"ports": [1], "type": "a"}, "status": {}}
    found = {"spec": {"ports": [1, 2], "type": "a", "more": 1}}
    assert mismatches(wanted, found) == [("spec.ports", [1], [1, 2]), ("status", {}, None)]


def test_an_address_that_the_instance_does_not_have_is_told_apart_from_one_that_is_missing() -> None:
    world = World()
    world.cloud.machines["node-1"] = instance(addresses=(Address(type="ExternalIP", address="198.51.100.1"),))
    observed = check("nodeInitialised", node="node-1").observe(world.lab).observed
    assert "address ExternalIP 198.51.100.1 is missing" in observed
    assert "address InternalIP 172.31.0.1 is not the instance's" in observed
