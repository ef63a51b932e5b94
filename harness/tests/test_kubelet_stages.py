"""The stages of the simulated kubelets: what they write, and above all what they leave to the cloud's controllers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness.cluster.nodes import READY_ANNOTATION, STAGES
from harness.cluster.scheduler import POD_IP_ANNOTATION

DOCUMENTS: list[dict[str, Any]] = list(YAML(typ="safe").load_all(STAGES.read_text()))
BY_NAME = {document["metadata"]["name"]: document for document in DOCUMENTS}
WRITTEN = "\n".join(line for line in STAGES.read_text().splitlines() if not line.lstrip().startswith("#"))


@pytest.mark.parametrize(
    "theirs", ["addresses", "providerID", "NetworkUnavailable", "topology.kubernetes.io", "uninitialized", "taints"]
)
def test_no_stage_writes_what_the_clouds_controllers_own(theirs: str) -> None:
    assert theirs.lower() not in WRITTEN.lower()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document["metadata"]["name"]))
def test_every_document_is_a_stage_with_a_selector_and_something_to_do(document: dict[str, Any]) -> None:
    assert (document["apiVersion"], document["kind"]) == ("kwok.x-k8s.io/v1alpha1", "Stage")
    spec = document["spec"]
    assert spec.keys() == {"resourceRef", "selector", "next"}
    assert spec["resourceRef"] in [{"apiGroup": "v1", "kind": kind} for kind in ("Node", "Pod")]
    for expression in spec["selector"]["matchExpressions"]:
        assert expression["operator"] in ("In", "NotIn", "Exists", "DoesNotExist")
        assert ("values" in expression) is (expression["operator"] in ("In", "NotIn"))
    assert spec["next"].keys() <= {"statusTemplate", "delete", "finalizers"}
    assert spec["next"]


def test_the_stages_are_those_of_nodes_and_pods_and_no_others() -> None:
    assert list(BY_NAME) == ["node-ready", "node-not-ready", "pod-ready", "pod-delete"]


def rendered(template: str) -> Any:
    """Read a template as YAML: loops run once, and what is filled in is a word."""
    text = re.sub(r"\{\{ (range|end|\$now :=).*?\}\}", "", template)
    return YAML(typ="safe").load(re.sub(r"\{\{.*?\}\}", "filled-in", text))


@pytest.mark.parametrize(("stage", "ready"), [("node-ready", "True"), ("node-not-ready", "False")])
def test_a_nodes_stage_writes_the_kubelets_conditions(stage: str, ready: str) -> None:
    status = rendered(BY_NAME[stage]["spec"]["next"]["statusTemplate"])
    conditions = {entry["type"]: entry for entry in status["conditions"]}
    assert conditions["Ready"]["status"] == ready
    assert all({"reason", "message", "lastHeartbeatTime"} <= entry.keys() for entry in conditions.values())


def test_a_ready_node_has_capacity_for_pods() -> None:
    status = rendered(BY_NAME["node-ready"]["spec"]["next"]["statusTemplate"])
    assert {"cpu", "memory", "pods"} <= status["capacity"].keys()
    assert status["capacity"] == status["allocatable"]


def test_a_ready_pod_has_the_address_that_its_binding_gave() -> None:
    template = BY_NAME["pod-ready"]["spec"]["next"]["statusTemplate"]
    assert template.count(f'index .metadata.annotations "{POD_IP_ANNOTATION}"') == 2
    status = rendered(template)
    assert (status["phase"], status["podIP"], status["podIPs"]) == ("Running", "filled-in", [{"ip": "filled-in"}])
    assert [entry["type"] for entry in status["conditions"]] == ["filled-in"]


@pytest.mark.parametrize("stage", ["node-ready", "node-not-ready"])
def test_the_annotation_of_the_scenario_decides_between_the_two(stage: str) -> None:
    keys = [expression["key"] for expression in BY_NAME[stage]["spec"]["selector"]["matchExpressions"]]
    assert f'.metadata.annotations["{READY_ANNOTATION}"]' in keys
