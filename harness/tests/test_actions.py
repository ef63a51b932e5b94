"""Every action does what it says, to a lab that records it, and tells the user what cannot be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fakeclouds.base import CloudError
from harness.actions import ACTIONS, Action
from harness.errors import UsageError

from .light_lab import World, event, instance, refusal

BY_KEY = dict(ACTIONS)
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "api", "annotations": {"theirs": "kept"}},
    "spec": {"type": "LoadBalancer"},
}


def action(key: str, /, **fields: Any) -> Action:
    return BY_KEY[key].model_validate(fields)


def perform(world: World, key: str, /, **fields: Any) -> list[Any]:
    """Perform an action and return what the lab was asked to do."""
    world.asked.clear()
    action(key, **fields).perform(world.lab)
    return world.asked


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


DONE: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("deleteNode", {"node": "node-1"}, [("delete", "node-1.internal")]),
    ("setReady", {"node": "node-1", "ready": False}, [("set_ready", "node-1.internal", False)]),
    ("setReady", {"node": "node-1", "ready": True}, [("set_ready", "node-1.internal", True)]),
    ("kubelet", {"node": "node-1", "state": "stopped"}, [("stop_kubelet", "node-1.internal")]),
    ("kubelet", {"node": "node-1", "state": "running"}, [("start_kubelet", "node-1.internal")]),
    ("instance", {"node": "node-1", "state": "stopped"}, [("stop_instance", "node-1")]),
    ("instance", {"node": "node-1", "state": "running"}, [("start_instance", "node-1")]),
    ("instance", {"node": "node-1", "state": "terminated"}, [("terminate_instance", "node-1", ("purge", False))]),
    ("instance", {"node": "node-1", "state": "purged"}, [("terminate_instance", "node-1", ("purge", True))]),
    ("restartController", {}, [("restart",)]),
    ("addRoute", {"destination": "192.0.2.0/24", "node": "node-1"}, [("add_route", "192.0.2.0/24", "node-1")]),
    ("removeRoute", {"destination": "192.0.2.0/24"}, [("remove_route", "192.0.2.0/24")]),
    (
        "taintNode",
        {"node": "node-1", "key": "a/b", "effect": "NoExecute"},
        [("patch", "v1", "Node", "node-1.internal", {"spec": {"taints": [{"key": "a/b", "effect": "NoExecute"}]}})],
    ),
    (
        "callCloud",
        {"operation": "ec2:DeleteRoute", "parameters": {"RouteTableId": "${fact.route_table}"}},
        [("call", "ec2:DeleteRoute", {"RouteTableId": "rtb-1"})],
    ),
    (
        "patch",
        {"kind": "Service", "name": "web", "change": {"spec": {"type": "ClusterIP"}}},
        [("patch", "v1", "Service", "web", {"spec": {"type": "ClusterIP"}})],
    ),
    (
        "patch",
        {"kind": "Node", "name": "node-2", "change": {"spec": {"unschedulable": True}}},
        [("patch", "v1", "Node", "node-2.internal", {"spec": {"unschedulable": True}})],
    ),
    ("delete", {"kind": "Service", "name": "web"}, [("delete", "v1", "Service", "web")]),
    ("apply", {"manifest": {"kind": "Pod", "metadata": {}}}, [("apply", {"kind": "Pod", "metadata": {}})]),
    ("apply", {"manifests": [{"kind": "A"}, {"kind": "B"}]}, [("apply", {"kind": "A"}), ("apply", {"kind": "B"})]),
]


@pytest.mark.parametrize(("key", "fields", "asked"), DONE, ids=[f"{key} {fields}"[:70] for key, fields, _ in DONE])
def test_an_action_does_what_it_says(key: str, fields: dict[str, Any], asked: list[Any], world: World) -> None:
    assert perform(world, key, **fields) == asked


def test_every_action_has_a_test() -> None:
    elsewhere = {"addNode", "mark"}
    assert {key for key, _, _ in DONE} | elsewhere == BY_KEY.keys()


def test_a_node_is_added_as_an_instance_that_registers(world: World) -> None:
    asked = perform(world, "addNode", name="late", zone="b", provideNodeIP=True, podCIDR="10.244.7.0/24")
    registered = ("register", instance("late"), ("provide_node_ip", True), ("pod_cidr", "10.244.7.0/24"))
    assert asked == [("add_instance", "late", "b"), registered]
    assert world.lab.aliases == ("node-1", "node-2", "late")


def test_a_node_that_is_there_is_not_added_again(world: World) -> None:
    with pytest.raises(UsageError, match="node 'node-1' exists already"):
        perform(world, "addNode", name="node-1")


def test_a_deleted_node_counts_no_longer_but_its_instance_does(world: World) -> None:
    perform(world, "deleteNode", node="node-1")
    assert world.lab.aliases == ("node-2",)
    assert world.lab.instances_added == {"node-1", "node-2"}


def test_a_replaced_instance_registers_under_the_old_name(world: World) -> None:
    asked = perform(world, "instance", node="node-1", state="replaced")
    assert asked == [
        ("replace_instance", "node-1"),
        ("delete", "v1", "Node", "node-1.internal"),
        ("register", instance("node-1", id="i-node-1-new"), ("provide_node_ip", False), ("pod_cidr", None)),
    ]
    assert sorted(world.lab.aliases) == ["node-1", "node-2"]


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("deleteNode", {}),
        ("setReady", {"ready": True}),
        ("kubelet", {"state": "stopped"}),
        ("instance", {"state": "stopped"}),
        ("instance", {"state": "purged"}),
        ("taintNode", {"key": "a"}),
        ("addRoute", {"destination": "192.0.2.0/24"}),
        ("patch", {"kind": "Node", "name": "node-9", "change": {}}),
    ],
)
def test_an_action_on_an_unknown_node_lists_the_nodes(key: str, fields: dict[str, Any], world: World) -> None:
    node = {} if key == "patch" else {"node": "node-9"}
    with pytest.raises(UsageError, match="no node 'node-9' in this scenario; it has: node-1, node-2"):
        perform(world, key, **node, **fields)
    assert world.asked == []


def test_a_taint_is_added_beside_those_that_are_there(world: World) -> None:
    world.taint("old")
    (asked,) = perform(world, "taintNode", node="node-1", key="new")
    assert asked[-1] == {"spec": {"taints": [{"key": key, "effect": "NoSchedule"} for key in ("old", "new")]}}


def test_a_node_object_that_is_not_there_cannot_be_tainted(world: World) -> None:
    world.drop("Node", "node-1.internal")
    with pytest.raises(UsageError, match=r"there is no Node 'node-1\.internal' to taint"):
        perform(world, "taintNode", node="node-1", key="a")


def test_a_mark_moves_what_calls_are_counted_from(world: World) -> None:
    world.called("ec2:CreateRoute")
    perform(world, "mark")
    world.called("ec2:DeleteRoute")
    assert [entry.call.name for entry in world.lab.controller_calls(mark=world.lab.mark)] == ["ec2:DeleteRoute"]


# Objects.


def test_a_load_balancer_service_gets_the_variants_annotations_and_keeps_its_own(world: World) -> None:
    ((_, applied),) = perform(world, "apply", manifest=SERVICE, loadBalancer={"internal": True})
    assert applied["metadata"]["annotations"] == {"variant": "classic", "internal": "True", "theirs": "kept"}
    assert SERVICE["metadata"] == {"name": "api", "annotations": {"theirs": "kept"}}


def test_an_annotation_that_the_manifest_writes_itself_wins(world: World) -> None:
    own = {**SERVICE, "metadata": {"name": "api", "annotations": {"variant": "mine"}}}
    ((_, applied),) = perform(world, "apply", manifest=own)
    assert applied["metadata"]["annotations"] == {"variant": "mine"}


@pytest.mark.parametrize(
    "item",
    [
        {**SERVICE, "spec": {"type": "ClusterIP"}},
        {**SERVICE, "spec": {}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api"}, "spec": {"type": "LoadBalancer"}},
    ],
    ids=["another type", "no type", "another kind"],
)
def test_only_load_balancer_services_are_annotated(item: dict[str, Any], world: World) -> None:
    assert perform(world, "apply", manifest=item) == [("apply", item)]


def test_without_a_variant_nothing_is_annotated() -> None:
    assert perform(World(variant=None), "apply", manifest=SERVICE) == [("apply", SERVICE)]


def test_words_of_the_lab_are_filled_in_at_any_depth(world: World) -> None:
    item = {
        "kind": "ConfigMap",
        "metadata": {"name": "${variant}"},
        "data": {"a": ["${nodes.node-1}", "x ${instances.node-2}"], "b": "${fact.route_table}", "c": "${mine}"},
    }
    ((_, applied),) = perform(world, "apply", manifest=item)
    assert applied == {
        "kind": "ConfigMap",
        "metadata": {"name": "classic"},
        "data": {"a": ["node-1.internal", "x i-node-2"], "b": "rtb-1", "c": "${mine}"},
    }


def test_manifests_are_read_from_a_file_beside_the_scenario(world: World, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text("kind: A\n---\n---\nkind: B\nname: ${variant}\n")
    assert perform(world, "apply", file="web.yaml") == [
        ("apply", {"kind": "A"}),
        ("apply", {"kind": "B", "name": "classic"}),
    ]


def test_a_manifest_file_that_is_not_there_is_told_by_its_path(world: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot read manifest file {tmp_path}/absent.yaml: No such file"):
        perform(world, "apply", file="absent.yaml")


@pytest.mark.parametrize("text", ["kind: [A\n", "kind: A\nkind: B\n", "- kind: A\n", "text\n"])
def test_a_manifest_file_that_holds_no_objects_is_told_by_its_path(text: str, world: World, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(text)
    with pytest.raises(UsageError, match=rf"manifest file {tmp_path}/web\.yaml"):
        perform(world, "apply", file="web.yaml")
    assert world.asked == []


@pytest.mark.parametrize(
    "fields",
    [{}, {"manifest": {"kind": "A"}, "file": "a.yaml"}, {"manifest": {"kind": "A"}, "manifests": [{"kind": "B"}]}],
    ids=str,
)
def test_manifests_come_from_one_source(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give one of manifest, manifests and file"):
        action("apply", **fields)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("apply", {"manifest": SERVICE}, "the API server refused Service 'api': spec.ports: Required value"),
    (
        "patch",
        {"kind": "Node", "name": "node-1", "change": {}},
        "the API server refused the patch of Node node-1: spec.ports: Required value",
    ),
]


@pytest.mark.parametrize(("key", "fields", "message"), REFUSED, ids=["apply", "patch"])
def test_what_the_api_server_refuses_is_the_scenarios_mistake_in_its_words(
    key: str, fields: dict[str, Any], message: str, world: World
) -> None:
    world.kube.refuses = refusal(422, "spec.ports: Required value")
    with pytest.raises(UsageError) as refused:
        perform(world, key, **fields)
    assert str(refused.value) == message


def test_an_object_that_is_not_there_cannot_be_deleted(world: World) -> None:
    with pytest.raises(UsageError, match="there is no Service 'api' to delete"):
        perform(world, "delete", kind="Service", name="api")


NOT_THERE = CloudError("Item.NotFound", "there is none")


@pytest.mark.parametrize(
    ("key", "fields", "reason", "message"),
    [
        ("callCloud", {"operation": "ec2:Make"}, NOT_THERE, "ec2:Make was refused: Item.NotFound: there is none"),
        ("callCloud", {"operation": "ec2:Make"}, ValueError("no operation"), "ec2:Make was refused: no operation"),
        ("addRoute", {"destination": "a", "node": "node-1"}, NOT_THERE, "the route a was refused: Item.NotFound: "),
        ("removeRoute", {"destination": "a"}, NOT_THERE, "there is no route a to remove: Item.NotFound: "),
        ("addNode", {"name": "late", "zone": "moon"}, ValueError("no zone moon"), "node 'late': no zone moon"),
        ("apply", {"manifest": SERVICE}, ValueError("no option a; known: b"), "loadBalancer: no option a; known: b"),
    ],
)
def test_what_the_cloud_refuses_is_the_scenarios_mistake_in_its_words(
    key: str, fields: dict[str, Any], reason: Exception, message: str, world: World
) -> None:
    world.cloud.refuses = reason
    with pytest.raises(UsageError, match=re.escape(message)):
        perform(world, key, **fields)


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("kubelet", {"node": "node-1", "state": "paused"}),
        ("instance", {"node": "node-1", "state": "deleted"}),
        ("taintNode", {"node": "node-1", "key": "a", "effect": "Never"}),
        ("addNode", {"name": "Not A Name"}),
    ],
)
def test_a_value_that_there_is_not_is_refused(key: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        action(key, **fields)


@pytest.mark.parametrize(
    ("key", "fields", "told"),
    [
        ("setReady", {"node": "node-1", "ready": False}, "node=node-1 ready=False"),
        ("addNode", {"name": "late", "provideNodeIP": True}, "name=late provideNodeIP=True"),
        ("patch", {"kind": "Node", "name": "node-1", "change": {"a": 1}}, "kind=Node name=node-1"),
        ("apply", {"manifest": SERVICE}, "Service api"),
        ("apply", {"manifests": [SERVICE, event("web", "Sync")]}, "Service api, Event web.Sync"),
        ("apply", {"file": "web.yaml"}, "web.yaml"),
        ("mark", {}, ""),
    ],
)
def test_an_action_tells_what_it_does_in_a_few_words(key: str, fields: dict[str, Any], told: str) -> None:
    assert action(key, **fields).tell() == told
