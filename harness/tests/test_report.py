"""What a run leaves: the table of verdicts and the folder of a scenario that failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness.engine.outcome import Failure, Outcome, Verdict
from harness.report import Row, keep, table
from harness.wait import Observation

from .light_lab import World

FAILURE = Failure(
    oracle="nodeAbsent",
    step="step 2",
    observation=Observation(met=False, subject="v1/Node a", expected="gone", observed="present"),
    bound="30.0 s, 4 looks",
)


def row(behaviour: str, column: str = "aws 1.37.1", verdict: str = "pass", elapsed_s: float = 3.0) -> Row:
    return Row(behaviour=behaviour, column=column, verdict=verdict, elapsed_s=elapsed_s)


# The table.


def test_a_table_has_a_row_a_behaviour_and_a_column_a_controller() -> None:
    rows = [
        row("N1 node-initialised", elapsed_s=2.4),
        row("R1 routes", verdict="fail", elapsed_s=12.6),
        row("N1 node-initialised", "aws 1.34.3", "error", 100),
    ]
    assert table(rows) == [
        "behaviour            aws 1.37.1  aws 1.34.3",
        "-------------------  ----------  ----------",
        "N1 node-initialised  pass 2s     error 100s",
        "R1 routes            fail 13s",
    ]


def test_behaviours_are_sorted_by_topic_then_by_number() -> None:
    lines = table([row(behaviour) for behaviour in ("R2 b", "L10 a", "L9 z", "L9 a", "N1 a")])
    assert [line.split("  ")[0] for line in lines[2:]] == ["L9 a", "L9 z", "L10 a", "N1 a", "R2 b"]


def test_columns_come_in_the_order_in_which_they_ran() -> None:
    lines = table([row("N1 a", column) for column in ("b", "a", "c")])
    assert lines[0].split()[1:] == ["b", "a", "c"]


# The folder.


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lab")


def kept(world: World, folder: Path, outcome: Outcome | None = None) -> Path:
    keep(world.lab, outcome or Outcome(verdict=Verdict.FAIL, elapsed_s=1.0, failure=FAILURE), folder)
    return folder


def test_the_verdict_is_kept_with_its_reason(world: World, tmp_path: Path) -> None:
    assert (kept(world, tmp_path / "kept") / "outcome.txt").read_text() == f"fail\n\n{FAILURE}\n"


def test_the_reason_of_an_error_is_kept(world: World, tmp_path: Path) -> None:
    outcome = Outcome(verdict=Verdict.ERROR, elapsed_s=1.0, error="etcd exited with 1")
    assert (kept(world, tmp_path / "kept", outcome) / "outcome.txt").read_text() == "error\n\netcd exited with 1\n"


def test_the_journal_is_kept_as_json_lines(world: World, tmp_path: Path) -> None:
    world.called("ec2:CreateRoute", "ec2:DeleteRoute")
    lines = (kept(world, tmp_path / "kept") / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["call"]["operation"] for line in lines] == ["CreateRoute", "DeleteRoute"]


def test_the_account_is_kept_as_it_was_before_and_after(world: World, tmp_path: Path) -> None:
    world.cloud.held["group/sg-2"] = {"rules": ["any"]}
    folder = kept(world, tmp_path / "kept")
    before, after = (json.loads((folder / f"cloud-{when}.json").read_text()) for when in ("before", "after"))
    assert before == {"group/sg-1": {"rules": []}}
    assert after == {"group/sg-1": {"rules": []}, "group/sg-2": {"rules": ["any"]}}


def test_the_clusters_objects_are_kept_as_yaml(world: World, tmp_path: Path) -> None:
    with (kept(world, tmp_path / "kept") / "cluster.yaml").open() as file:
        objects = list(YAML(typ="safe").load_all(file))
    assert [(item["kind"], item["metadata"]["name"]) for item in objects] == [
        ("Node", "node-1.internal"),
        ("Node", "node-2.internal"),
        ("Service", "web"),
        ("EndpointSlice", "web-1"),
    ]


def test_logs_and_configs_are_kept_and_nothing_that_lets_anybody_in(world: World, tmp_path: Path) -> None:
    lab = world.lab.folder
    wanted = ["ccm-1.log", "ccm.conf", "control-plane/etcd.log", "control-plane/audit-policy.json"]
    secret = ["ccm.kubeconfig", "admin.kubeconfig", "control-plane/pki/ca.pem", "control-plane/pki/admin.key"]
    for name in [*wanted, *secret]:
        (lab / name).parent.mkdir(parents=True, exist_ok=True)
        (lab / name).write_text(f"content of {name}")
    folder = kept(world, tmp_path / "kept")
    assert (folder / "etcd.log").read_text() == "content of control-plane/etcd.log"
    assert {path.name for path in folder.iterdir()} == {
        "outcome.txt",
        "journal.jsonl",
        "cloud-before.json",
        "cloud-after.json",
        "cluster.yaml",
        *(Path(name).name for name in wanted),
    }


def test_an_earlier_runs_folder_is_replaced(world: World, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "old.log").touch()
    assert not (kept(world, tmp_path / "kept") / "old.log").exists()


def test_the_folder_is_the_users_alone(world: World, tmp_path: Path) -> None:
    assert kept(world, tmp_path / "deep" / "kept").stat().st_mode & 0o777 == 0o700


def test_a_lab_that_never_opened_leaves_its_journal(world: World, tmp_path: Path) -> None:
    lab = world.lab
    del lab.cloud, lab.state, lab.baseline
    folder = kept(world, tmp_path / "kept")
    assert {path.name for path in folder.iterdir()} == {"outcome.txt", "journal.jsonl", "cloud-before.json"}
    assert json.loads((folder / "cloud-before.json").read_text()) == {}
