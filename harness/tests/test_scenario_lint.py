"""`python -m harness lint`: every problem of every file, and that the shipped scenarios have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import __main__ as command_line
from harness.scenario.model import load_scenarios
from harness.scenario.schema import MODELINE

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = sorted(SCENARIOS.glob("*/*.yaml"))
GOOD = """\
apiVersion: harness/v1alpha1
kind: Scenario
metadata: {name: good, description: A sentence.}
spec:
  behaviour: N1
  steps:
    - restartController: {}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def lint(*paths: Path) -> int:
    return command_line.main(["lint", *map(str, paths)])


def test_there_are_shipped_scenarios() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_shipped_scenario_is_clean_described_and_finds_its_schema(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint(path) == 0, capsys.readouterr().out
    assert path.read_text().splitlines()[0] == MODELINE
    for _, scenario in load_scenarios(path):
        assert scenario.metadata.description.endswith("."), "a description is a sentence"


def test_no_two_shipped_scenarios_have_one_name() -> None:
    names = [load_scenarios(path)[0][1].metadata.name for path in FILES]
    assert sorted(names) == sorted(set(names))


def test_a_folder_means_its_scenario_files_and_no_other_yaml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "node" / "one.yaml", GOOD)
    write(tmp_path / "route" / "two.yml", GOOD.replace("  steps:", "  matrix: {a: [x, y]}\n  steps:"))
    write(tmp_path / "manifests" / "service.yaml", "kind: Service\n---\nkind: Pod\n")
    write(tmp_path / "broken.yaml", "a: [")
    assert lint(tmp_path) == 0
    assert capsys.readouterr().out == "3 scenarios in 2 files, no problems\n"


def test_one_scenario_is_counted_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "one.yaml", GOOD)
    assert lint(path, path, tmp_path) == 0
    assert capsys.readouterr().out == "1 scenario in 1 file, no problems\n"


def test_every_problem_of_every_file_is_printed_as_compilers_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write(tmp_path / "one.yaml", GOOD.replace("behaviour", "behavior").replace("{}", "{now: true}"))
    two = write(tmp_path / "two.yaml", GOOD + "    - setReady: {node: node-9, ready: true}\n")
    three = write(tmp_path / "three.yaml", GOOD)
    assert lint(one, two, three) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{one}:4: spec.behaviour is required",
        f"{one}:5: unknown key 'behavior' (did you mean 'behaviour'?)",
        f"{one}:7: unknown key 'now' (known here: none)",
        f"{two}:8: no node 'node-9' at this step (known: node-1, node-2)",
        "4 problems in 2 of 3 files",
    ]


def test_a_file_that_is_named_is_checked_whatever_it_says_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "service.yaml", "kind: Service\n")
    assert lint(path) == 1
    assert f"{path}:1: kind: Input should be 'Scenario'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [\n", "2: not valid YAML: while parsing a flow node, expected the node content, but found '<stream end>'"),
        (
            "a: 1\na: 2\n",
            "2: not valid YAML: while constructing a mapping, "
            'found duplicate key "a" with value "2" (original value: "1")',
        ),
        ("", "1: a scenario is a mapping with apiVersion, kind, metadata and spec"),
    ],
)
def test_a_file_that_is_no_mapping_is_a_problem_of_that_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    path = write(tmp_path / "broken.yaml", text)
    assert lint(path) == 1
    assert capsys.readouterr().out.splitlines() == [f"{path}:{problem}", "1 problem in 1 of 1 file"]


def test_each_combination_of_a_matrix_is_checked_and_a_problem_of_all_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.replace("  steps:", "  matrix: {bound: [5s, soon]}\n  steps:") + (
        "    - hold: {for: '${bound}', checks: [noCloudWrites: {}]}\n    - setReady: {node: node-1}\n"
    )
    path = write(tmp_path / "matrix.yaml", text)
    assert lint(path) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{path}:9: spec.steps.1.hold.for: 'soon' is no duration: write a number with ms, s or m, such as 30s",
        f"{path}:10: spec.steps.2.setReady.ready is required",
        "2 problems in 1 of 1 file",
    ]


def test_a_matrix_without_values_is_a_problem_because_nothing_would_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "matrix.yaml", GOOD.replace("  steps:", "  matrix: {bound: []}\n  steps:"))
    assert lint(path) == 1
    assert f"{path}:6: spec.matrix.bound: List should have at least 1 item" in capsys.readouterr().out


def test_an_operation_without_a_value_is_a_problem_that_says_what_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "null.yaml", GOOD.replace("restartController: {}", "restartController:"))
    assert lint(path) == 1
    assert "restartController has no value: write restartController: {}" in capsys.readouterr().out


def test_a_path_that_is_not_there_or_holds_no_scenario_is_a_wrong_invocation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint(tmp_path / "absent") == 2
    assert capsys.readouterr().err == f"error: {tmp_path}/absent does not exist\n"
    assert lint(tmp_path) == 2
    assert "holds no scenario" in capsys.readouterr().err
