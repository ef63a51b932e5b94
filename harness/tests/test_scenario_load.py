"""Reading scenario files: every problem at once with file, line and suggestion; parameters and the matrix."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.scenario.load import DocumentError, read_document, substitute
from harness.scenario.model import Scenario, is_scenario_file, load_scenarios

HEAD = """\
apiVersion: harness/v1alpha1
kind: Scenario
metadata: {name: sample, description: A sentence.}
spec:
  behaviour: N1
"""
FIRST = HEAD.count("\n") + 1
"""Line of the first line after the head."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sample.yaml"


def spec(file: Path, text: str) -> Path:
    """Write a scenario whose spec goes on with these lines."""
    file.write_text(HEAD + textwrap.indent(textwrap.dedent(text), "  "))
    return file


def problems(path: Path) -> list[str]:
    """Return what is wrong with the file, a line a problem, without the folder."""
    with pytest.raises(DocumentError) as refused:
        load_scenarios(path)
    return str(refused.value).replace(f"{path.parent}/", "").splitlines()


def loaded(path: Path) -> Scenario:
    ((label, scenario),) = load_scenarios(path)
    assert label == ""
    return scenario


def operations(scenario: Scenario) -> list[tuple[str, Any]]:
    return [step.chosen for step in scenario.spec.steps]


def test_a_scenario_is_read_with_its_defaults(file: Path) -> None:
    scenario = loaded(spec(file, "steps: [mark: {}]"))
    assert (scenario.metadata.name, scenario.spec.behaviour) == ("sample", "N1")
    assert [node.name for node in scenario.spec.topology.node_specs] == ["node-1", "node-2"]
    assert (scenario.spec.controller.facts_from, scenario.spec.controller.started) == ("config", True)
    assert not scenario.is_about_load_balancers
    assert [key for key, _ in operations(scenario)] == ["mark"]


def test_a_scenario_that_needs_load_balancers_is_about_them(file: Path) -> None:
    assert loaded(spec(file, "features: [loadBalancers]\nsteps: [mark: {}]")).is_about_load_balancers


def test_a_check_and_its_bound_are_read(file: Path) -> None:
    scenario = loaded(spec(file, "steps:\n- eventually: {within: 500ms, checks: [nodePresent: {node: all}]}"))
    ((key, eventually),) = operations(scenario)
    assert (key, eventually.within.seconds, eventually.checks[0].chosen[0]) == ("eventually", 0.5, "nodePresent")


def test_every_problem_is_told_at_once_in_the_order_of_lines(file: Path) -> None:
    spec(
        file,
        """\
        featurs: [routes]
        topology: {nodes: two, nodeMonitorGrace: 10}
        steps:
          - markk: {}
          - setReady: {node: node-1}
        """,
    )
    assert problems(file) == [
        f"sample.yaml:{FIRST}: unknown key 'featurs' (did you mean 'features'?)",
        f"sample.yaml:{FIRST + 1}: spec.topology.nodes: Input should be a valid integer, unable to parse string as an"
        " integer, got 'two'",
        f"sample.yaml:{FIRST + 1}: spec.topology.nodeMonitorGrace: 10 is no duration: write a number with ms, s or m,"
        " such as 30s",
        f"sample.yaml:{FIRST + 3}: unknown key 'markk' (did you mean 'mark'?)",
        f"sample.yaml:{FIRST + 4}: spec.steps.1.setReady.ready is required",
    ]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("step: []\nsteps: [mark: {}]", 0, "unknown key 'step' (did you mean 'steps'?)"),
        ("controller: {startd: no}\nsteps: [mark: {}]", 0, "unknown key 'startd' (did you mean 'started'?)"),
        (
            "topology:\n  nodes:\n  - {name: a}\n  - name: b\n    zoen: c\nsteps: [mark: {}]",
            4,
            "unknown key 'zoen' (did you mean 'zone'?)",
        ),
        ("steps:\n- mark: {}\n- aply: {manifest: {}}", 2, "unknown key 'aply' (did you mean 'apply'?)"),
        ("steps:\n- mark:\n    qqq: 1", 2, "unknown key 'qqq' (known here: none)"),
        (
            "steps:\n- eventually:\n    checks:\n    - nodePresent: {node: all}\n    - nodePresnt: {node: all}",
            4,
            "unknown key 'nodePresnt' (did you mean 'nodePresent'?)",
        ),
        (
            "steps:\n- hold:\n    for: 1s\n    checks:\n    - nodeTaint:\n        node: all\n        kye: a",
            6,
            "unknown key 'kye' (did you mean 'key'?)",
        ),
        (
            "steps: [setReady: {node: node-1, ready: true, op_setReady: 1}]",
            0,
            "unknown key 'op_setReady' (known here: node, ready)",
        ),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_known_one_however_deep(
    text: str, line: int, problem: str, file: Path
) -> None:
    assert f"sample.yaml:{FIRST + line}: {problem}" in problems(spec(file, text))


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("features: []", -2, "spec.steps is required"),
        ("steps:\n- kubelet: {node: node-1}", 1, "spec.steps.0.kubelet.state is required"),
        ("topology:\n  nodes:\n  - zone: a\nsteps: [mark: {}]", 2, "spec.topology.nodes.0.name is required"),
        (
            "steps:\n- always:\n    checks:\n    - routePresent: {}",
            3,
            "spec.steps.0.always.checks.0.routePresent.node is required",
        ),
    ],
)
def test_a_missing_key_is_told_where_it_should_stand(text: str, line: int, problem: str, file: Path) -> None:
    assert problems(spec(file, text))[-1] == f"sample.yaml:{FIRST + line}: {problem}"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("steps: {}", 0, "spec.steps: Input should be a valid list"),
        ("steps: []", 0, "spec.steps: List should have at least 1 item after validation, not 0"),
        ("features: routes\nsteps: [mark: {}]", 0, "spec.features: Input should be a valid list, got 'routes'"),
        (
            "topology: {nodes: -1}\nsteps: [mark: {}]",
            0,
            "spec.topology.nodes: Input should be greater than or equal to 0, got -1",
        ),
        ("topology: {nodes: {a: 1}}\nsteps: [mark: {}]", 0, "spec.topology.nodes: Input should be a valid integer"),
        (
            "steps:\n- mark: {}\n- kubelet: {node: node-1, state: off}",
            2,
            "spec.steps.1.kubelet.state: Input should be 'running' or 'stopped', got 'off'",
        ),
        (
            "steps:\n- eventually:\n    within: soon\n    checks: [nodePresent: {node: all}]",
            2,
            "spec.steps.0.eventually.within: 'soon' is no duration: write a number with ms, s or m, such as 30s",
        ),
        (
            "steps:\n- budget: {operation: a, atMost: -1}",
            1,
            "spec.steps.0.budget.atMost: Input should be greater than or equal to 0, got -1",
        ),
        (
            "steps:\n- hold: {for: 1s, checks: []}",
            1,
            "spec.steps.0.hold.checks: List should have at least 1 item after validation, not 0",
        ),
        ("steps:\n- apply: {}", 1, "spec.steps.0.apply: give one of manifest, manifests and file"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_right(text: str, line: int, problem: str, file: Path) -> None:
    assert problems(spec(file, text)) == [f"sample.yaml:{FIRST + line}: {problem}"]


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("{mark: {}, restartController: {}}", "one operation a step: mark, restartController given; known: addNode, "),
        ("{name: nothing to do}", "one operation a step: none given; known: addNode, "),
        ("{}", "one operation a step: none given; known: addNode, "),
        ("mark", "write one of: addNode, "),
        ("mark:", "mark has no value: write mark: {} when it needs none"),
        (
            "eventually: {checks: [{nodePresent: {node: all}, nodeAbsent: {node: node-1}}]}",
            "nodePresent, nodeAbsent given",
        ),
        ("eventually: {checks: [nodePresent]}", "write one of: asBefore, "),
    ],
)
def test_a_step_has_exactly_one_operation_and_an_entry_one_check(step: str, problem: str, file: Path) -> None:
    (told,) = problems(spec(file, f"steps:\n- mark: {{}}\n- {step}"))
    assert told.startswith(f"sample.yaml:{FIRST + 2}: spec.steps.1")
    assert problem in told


@pytest.mark.parametrize(
    "step",
    [
        "setReady: {node: node-3, ready: false}",
        "eventually: {checks: [nodePresent: {node: all}, nodeAbsent: {node: node-3}]}",
        "always: {checks: [routePresent: {node: node-3}]}",
        "eventually: {checks: [loadBalancerMatches: {service: web, backends: [node-1, node-3]}]}",
        "eventually: {checks: [objectMatches: {kind: Node, name: node-3, fields: {}}]}",
        "patch: {kind: Node, name: node-3, change: {}}",
    ],
)
def test_a_node_that_is_not_there_at_a_step_is_told_with_those_that_are(step: str, file: Path) -> None:
    spec(file, f"steps:\n- mark: {{}}\n- {step}\n- addNode: {{name: node-3}}\n- {step}")
    assert problems(file) == [f"sample.yaml:{FIRST + 2}: no node 'node-3' at this step (known: node-1, node-2)"]


def test_an_object_of_another_kind_is_no_node(file: Path) -> None:
    assert loaded(spec(file, "steps: [patch: {kind: Service, name: web, change: {}}]"))


def test_a_key_given_twice_is_told_at_the_second(file: Path) -> None:
    (told,) = problems(spec(file, "steps: [mark: {}]\nfeatures: []\nsteps: [mark: {}]"))
    assert told.startswith(
        f"sample.yaml:{FIRST + 2}: not valid YAML: while constructing a mapping, found duplicate key"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: [Scenario", "1: not valid YAML: while parsing a flow sequence, expected ',' or ']'"),
        ("kind: Scenario\n  metadata: {}", "2: not valid YAML: mapping values are not allowed"),
        ("a: 1\n---\nb: 2\n", "2: not valid YAML: expected a single document in the stream, but found another"),
        ("a: *b\n", "1: not valid YAML: found undefined alias"),
        ("", "1: a scenario is a mapping with apiVersion, kind, metadata and spec"),
        ("- a\n", "1: a scenario is a mapping with apiVersion, kind, metadata and spec"),
        ("text\n", "1: a scenario is a mapping with apiVersion, kind, metadata and spec"),
        ("kind: Scenario\napiVersion: harness/v2\n", "1: metadata is required"),
    ],
)
def test_what_is_no_scenario_is_told_with_its_line(text: str, problem: str, file: Path) -> None:
    file.write_text(text)
    assert problems(file)[0].startswith(f"sample.yaml:{problem}")


def test_another_version_or_kind_is_told_with_the_one_there_is(file: Path) -> None:
    file.write_text(
        "apiVersion: harness/v2\nkind: Scene\nmetadata: {name: a, description: b}\n"
        "spec: {behaviour: N1, steps: [mark: {}]}\n"
    )
    assert problems(file) == [
        "sample.yaml:1: apiVersion: Input should be 'harness/v1alpha1', got 'harness/v2'",
        "sample.yaml:2: kind: Input should be 'Scenario', got 'Scene'",
    ]


@pytest.mark.parametrize("content", [b"kind: \xff\xfe", b"kind: \x00"])
def test_what_is_no_text_is_told_by_file(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    (told,) = [line for line in problems(file) if line.startswith("sample.yaml")]
    assert told.startswith("sample.yaml:1: not valid YAML: ")


def test_a_file_that_cannot_be_read_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*absent\.yaml: No such file or directory"):
        load_scenarios(tmp_path / "absent.yaml")


def test_a_problem_in_what_a_merge_key_brings_is_told_at_the_step(file: Path) -> None:
    spec(file, "steps:\n- setReady: &a {node: node-1, ready: true, why: x}\n- setReady:\n    <<: *a\n    ready: false")
    assert [told.split(": ")[0] for told in problems(file)] == [f"sample.yaml:{FIRST + 1}", f"sample.yaml:{FIRST + 2}"]


@pytest.mark.parametrize("value", ["true", "&mark true"])
def test_values_of_manifests_stay_what_they_are(value: str, file: Path) -> None:
    text = f"steps: [patch: {{kind: Pod, name: a, change: {{a: {value}, b: 0x10, c: 1.5, d: null, e: '1', f: [no]}}}}]"
    ((_, patch),) = operations(loaded(spec(file, text)))
    assert patch.change == {"a": True, "b": 16, "c": 1.5, "d": None, "e": "1", "f": ["no"]}
    assert [type(member) for member in patch.change.values()] == [bool, int, float, type(None), str, list]


def test_nothing_of_a_scenario_changes_after_reading(file: Path) -> None:
    scenario = loaded(spec(file, "steps: [mark: {}]"))
    with pytest.raises(ValueError, match="frozen"):
        scenario.metadata.name = "other"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("name", "Not A Name", "metadata.name: String should match pattern"),
        ("behaviour", "node-1", "spec.behaviour: String should match pattern"),
    ],
)
def test_names_have_a_form(key: str, value: str, problem: str, file: Path) -> None:
    given = {"name": "a", "behaviour": "N1", key: value}
    file.write_text(
        f"apiVersion: harness/v1alpha1\nkind: Scenario\nmetadata: {{name: {given['name']}, description: b}}\n"
        f"spec: {{behaviour: {given['behaviour']}, steps: [mark: {{}}]}}\n"
    )
    (told,) = problems(file)
    assert problem in told


# Parameters and the matrix.


def taints(scenario: Scenario) -> list[Any]:
    return [step.key for _, step in operations(scenario)]


def test_a_parameter_is_filled_in_wherever_it_stands(file: Path) -> None:
    text = """\
        parameters: {key: a, n: 3}
        topology: {nodes: '${n}'}
        steps: [taintNode: {node: 'node-${n}', key: 'x/${key}'}]
        """
    scenario = loaded(spec(file, text))
    assert scenario.spec.topology.nodes == 3
    assert taints(scenario) == ["x/a"]


def test_a_parameter_that_is_the_whole_value_keeps_its_type(file: Path) -> None:
    text = """\
        parameters: {rules: [{a: 1}]}
        steps: [patch: {kind: Pod, name: a, change: {rules: '${rules}', text: 'is ${rules}'}}]
        """
    ((_, patch),) = operations(loaded(spec(file, text)))
    assert patch.change == {"rules": [{"a": 1}], "text": "is [{'a': 1}]"}


def test_a_key_stays_text_whatever_the_parameter_is(file: Path) -> None:
    text = "parameters: {port: 80}\nsteps: [patch: {kind: Pod, name: a, change: {'${port}': 1}}]"
    ((_, patch),) = operations(loaded(spec(file, text)))
    assert patch.change == {"80": 1}


def test_a_word_that_is_no_parameter_is_left_for_the_lab(file: Path) -> None:
    text = "steps: [callCloud: {operation: a, parameters: {Id: '${fact.route_table}', Other: '${variant}'}}]"
    ((_, call),) = operations(loaded(spec(file, text)))
    assert call.parameters == {"Id": "${fact.route_table}", "Other": "${variant}"}


def test_a_matrix_makes_a_scenario_of_each_combination_labelled_by_its_values(file: Path) -> None:
    text = "matrix: {a: [x, y], n: [1, 2]}\nsteps: [taintNode: {node: node-1, key: '${a}/${n}'}]"
    found = load_scenarios(spec(file, text))
    assert [(label, taints(scenario)) for label, scenario in found] == [
        ("x-1", ["x/1"]),
        ("x-2", ["x/2"]),
        ("y-1", ["y/1"]),
        ("y-2", ["y/2"]),
    ]


def test_the_matrix_goes_before_the_parameters(file: Path) -> None:
    text = "parameters: {a: p, b: q}\nmatrix: {a: [m]}\nsteps: [taintNode: {node: node-1, key: '${a}${b}'}]"
    ((label, scenario),) = load_scenarios(spec(file, text))
    assert (label, taints(scenario)) == ("m", ["mq"])


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        ("{a: x}", "spec.matrix.a: Input should be a valid list, got 'x'"),
        ("{a: []}", "spec.matrix.a: List should have at least 1 item after validation, not 0"),
        ("[a]", "spec.matrix: Input should be a valid dictionary"),
    ],
)
def test_a_matrix_that_is_none_is_told_and_never_runs_nothing(matrix: str, problem: str, file: Path) -> None:
    assert problems(spec(file, f"matrix: {matrix}\nsteps: [mark: {{}}]")) == [f"sample.yaml:{FIRST}: {problem}"]


def test_a_value_that_makes_a_scenario_wrong_is_told_at_the_place_that_uses_it(file: Path) -> None:
    text = "matrix: {facts: [config, metdata]}\ncontroller:\n  factsFrom: ${facts}\nsteps: [mark: {}]"
    assert problems(spec(file, text)) == [
        f"sample.yaml:{FIRST + 2}: spec.controller.factsFrom: Input should be 'config' or 'metadata', got 'metdata'"
    ]


def test_substitution_reaches_keys_lists_and_strings_and_nothing_else() -> None:
    data = {"k": ["a", 1, None, {"k": "a"}], 2: True}
    assert substitute(data, str.upper) == {"K": ["A", 1, None, {"K": "A"}], 2: True}


def test_a_document_knows_the_line_of_what_it_has(file: Path) -> None:
    file.write_text("a:\n  b:\n  - c\n  - d: 1\n")
    document = read_document(file)
    locations: list[tuple[str | int, ...]] = [(), ("a",), ("a", "b", 0), ("a", "b", 1, "d"), ("a", "b", 1, "absent")]
    assert [document.line(location) for location in locations] == [1, 1, 3, 4, 4]


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("apiVersion: harness/v1alpha1\n", True),
        ("a: 1\nkind: Scenario\n", True),
        ("kind: Scenario: [\n", True),
        ("kind: Service\n", False),
        ("kind: ScenarioSet\n", False),
        ("", False),
    ],
)
def test_only_a_file_that_says_so_is_taken_for_a_scenario(text: str, claims: bool, file: Path) -> None:
    file.write_text(text)
    assert is_scenario_file(file) is claims
