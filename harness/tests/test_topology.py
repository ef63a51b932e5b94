"""The topology: how many nodes, which, and the settings of the control plane."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.scenario.topology import NodeSpec, Topology


def topology(**fields: Any) -> Topology:
    return Topology.model_validate(fields)


def names(chosen: Topology) -> list[str]:
    return [node.name for node in chosen.node_specs]


def test_there_are_two_nodes_by_default() -> None:
    assert names(Topology()) == ["node-1", "node-2"]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_number_of_nodes_counts_from_one(count: int) -> None:
    assert names(topology(nodes=count)) == [f"node-{number}" for number in range(1, count + 1)]


def test_nodes_can_be_given_in_full() -> None:
    given = {"name": "edge", "zone": "b", "provideNodeIP": True, "podCIDR": "10.244.9.0/24"}
    (node,) = topology(nodes=[given]).node_specs
    assert node.model_dump(by_alias=True) == given


def test_a_node_by_name_alone_leaves_the_rest_to_the_cloud() -> None:
    (node,) = topology(nodes=[{"name": "a"}]).node_specs
    assert node == NodeSpec(name="a")
    assert (node.zone, node.provide_node_ip, node.pod_cidr) == (None, False, None)


@pytest.mark.parametrize(
    "nodes",
    [-1, "two", [{"name": "Upper"}], [{"name": "-a"}], [{"name": "a."}], [{}], [{"name": "a", "zonee": "b"}]],
    ids=str,
)
def test_what_is_no_list_of_nodes_is_refused(nodes: Any) -> None:
    with pytest.raises(ValidationError):
        topology(nodes=nodes)


@pytest.mark.parametrize(("grace", "seconds"), [("10s", 10), ("1m", 60), ("1.6s", 2), ("200ms", 1)])
def test_the_grace_of_silent_kubelets_is_whole_seconds_and_at_least_one(grace: str, seconds: int) -> None:
    assert topology(nodeMonitorGrace=grace).node_monitor_grace_s == seconds
