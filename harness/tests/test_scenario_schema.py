"""The JSON Schema of scenario files: current, valid, and of one mind with the loader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness import __main__ as command_line
from harness.scenario.load import read_document
from harness.scenario.model import load_scenarios
from harness.scenario.schema import MODELINE, SCHEMA_FILE, render, scenario_schema

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = sorted(SCENARIOS.glob("*/*.yaml"))
SCHEMA = scenario_schema()

COMPLETE = """\
apiVersion: harness/v1alpha1
kind: Scenario
metadata: {name: complete, description: A sentence.}
spec:
  behaviour: N1
  matrix: {facts: [config, metadata], grace: [5s], count: [2]}
  controller: {factsFrom: "${facts}"}
  topology: {nodes: "${count}", nodeMonitorGrace: "${grace}"}
  steps:
"""


def problems(steps: str) -> list[str]:
    """Return what the schema says against a scenario with these steps."""
    document = read_document_of(steps)
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)]


def read_document_of(steps: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(COMPLETE + "".join(f"    {line}\n" for line in steps.splitlines()))


def test_the_committed_schema_is_current() -> None:
    assert (SCENARIOS / SCHEMA_FILE).read_text() == render(), (
        f"stale: run python -m harness schema --write scenarios/{SCHEMA_FILE}"
    )


def test_the_schema_is_valid_and_names_its_dialect_first() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert next(iter(SCHEMA.items())) == ("$schema", "https://json-schema.org/draft/2020-12/schema")
    assert SCHEMA["title"] == "Scenario"
    assert "$id" not in SCHEMA


def test_every_property_of_every_definition_is_described() -> None:
    definitions = {**SCHEMA["$defs"], "Scenario": SCHEMA}
    undescribed = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, schema in definition.get("properties", {}).items()
        if not _description(schema)
    ]
    assert undescribed == []


def _description(schema: Mapping[str, Any]) -> str:
    text: str = schema.get("description") or SCHEMA["$defs"].get(schema.get("$ref", "")[8:], {}).get("description", "")
    return text


def test_descriptions_are_free_of_source_indentation() -> None:
    assert "\\n    " not in json.dumps(SCHEMA)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_shipped_scenario_is_valid(path: Path) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(read_document(path).data)


@pytest.mark.parametrize(
    "steps",
    [
        "- always: {checks: [nodeUntaintedOnlyWhenInitialised: {}]}",
        "- restartController: {}",
        "- name: late\n  addNode: {name: late, provideNodeIP: true, podCIDR: 10.1.0.0/24}",
        "- addNode: {name: '${facts}', provideNodeIP: '${flag}'}",
        "- hold: {for: '${grace}', checks: [calls: {operation: 'ec2:*', atMost: '${count}'}]}",
        "- eventually: {checks: [loadBalancerMatches: {service: web, internal: false, backends: '${behind}'}]}",
        "- eventually: {within: 500ms, checks: [cloudApi: {operation: a, query: b, value: [1, {c: null}]}]}",
    ],
)
def test_what_the_loader_accepts_is_valid(steps: str) -> None:
    assert problems(steps) == []


@pytest.mark.parametrize(
    "steps",
    [
        "- {}",
        "- name: nothing",
        "- restartController:",
        "- restartController: {}\n  mark: {}",
        "- restart_controller: {}",
        "- addNode: {name: late, provide_node_ip: true}",
        "- addNode: {name: Late}",
        "- hold: {for: 5, checks: [noCloudWrites: {}]}",
        "- hold: {for: 5s, checks: []}",
        "- always: {checks: [noCloudWrites: {}, {}]}",
        "- always: {checks: [{noCloudWrites: {}, nodeAbsent: {node: a}}]}",
        "- setReady: {node: node-1, ready: maybe}",
        "- eventually: {within: 1h, checks: [noCloudWrites: {}]}",
    ],
)
def test_what_the_loader_refuses_is_invalid(tmp_path: Path, steps: str) -> None:
    from harness.scenario.load import DocumentError

    assert problems(steps)
    path = tmp_path / "scenario.yaml"
    path.write_text(COMPLETE + "".join(f"    {line}\n" for line in steps.splitlines()))
    with pytest.raises(DocumentError):
        load_scenarios(path)


@pytest.mark.parametrize(("key", "value"), [("apiVersion", "${facts}"), ("kind", "Szenario"), ("specs", {})])
def test_what_makes_a_file_a_scenario_is_written_out(key: str, value: Any) -> None:
    document = {**read_document_of("- restartController: {}"), key: value}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


def test_the_first_line_of_a_scenario_leads_to_the_schema() -> None:
    _, _, target = MODELINE.partition("$schema=")
    assert (SCENARIOS / "node" / target).samefile(SCENARIOS / SCHEMA_FILE)


def test_the_command_prints_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["schema"]) == 0
    assert capsys.readouterr().out == render()
    file = tmp_path / "schema.json"
    assert command_line.main(["schema", "--write", str(file)]) == 0
    assert command_line.main(["schema", "--check", str(file)]) == 0
    assert capsys.readouterr().out == ""
    file.write_text("{}\n")
    assert command_line.main(["schema", "--check", str(file)]) == 1
    assert capsys.readouterr().out == (f"{file}:1: not the present schema (python -m harness schema --write {file})\n")


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "absent" / "schema.json"
    assert command_line.main(["schema", "--check", str(file)]) == 2
    assert capsys.readouterr().err == f"error: cannot read {file}: No such file or directory\n"
    assert command_line.main(["schema", "--write", str(file)]) == 1
    assert capsys.readouterr().err == f"error: cannot write {file}: No such file or directory\n"
