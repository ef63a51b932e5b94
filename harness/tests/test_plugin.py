"""The pytest plugin: what it collects, what it refuses, and how it shows each verdict. Nothing real is started."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import fakeclouds
import harness.plugin.session
from harness.components import Binaries
from harness.errors import BinaryNotFound
from harness.journal import Journal
from harness.lab import Lab
from harness.sandbox import Sandbox

from . import fake_run

pytest_plugins = ["pytester"]

REPOSITORY = Path(__file__).parents[2]
SCENARIO = """\
apiVersion: harness/v1alpha1
kind: Scenario
metadata: {name: NAME, description: A sentence.}
spec:
  behaviour: N1
  steps:
    - restartController: {}
"""
KNOWN_ISSUES = """\
apiVersion: harness/v1alpha1
kind: KnownIssues
spec:
  issues:
    - name: slow
      component: aws-cloud-controller-manager
      versions: [">=1.37"]
      scenarios: [fail, pass, error]
      shows: no such Node
      reference: https://example.com/1
"""
LOAD_BALANCER = SCENARIO.replace("N1", "L1\n  features: [loadBalancers]")


@pytest.fixture(autouse=True)
def _nothing_real(monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester) -> None:
    fake_run.install(monkeypatch.setattr)
    monkeypatch.setenv("COLUMNS", "160")
    pytester.makeini("[pytest]\naddopts = -p harness.plugin --strict-markers -p no:cacheprovider\n")


def scenario(pytester: pytest.Pytester, path: str, text: str = SCENARIO) -> Path:
    """Write a scenario named as its file."""
    file = pytester.path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text.replace("NAME", file.stem))
    return file


def ids(pytester: pytest.Pytester, *options: str) -> list[str]:
    """Return the ids of what is selected."""
    result = pytester.runpytest("--collect-only", "-q", *options)
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    return [line for line in result.outlines if "::" in line]


# What is collected


def test_only_scenario_files_under_the_configured_paths_are_collected(pytester: pytest.Pytester) -> None:
    scenario(pytester, "scenarios/node/initialised.yaml")
    scenario(pytester, "scenarios/route/per-node.yml")
    scenario(pytester, "scenarios/node/service.yaml", "apiVersion: v1\nkind: Service\n---\nkind: Pod\n")
    scenario(pytester, "scenarios/node/broken-manifest.yaml", "a: [")
    scenario(pytester, "scenarios/node/initialised.json")
    scenario(pytester, "deploy/elsewhere.yaml")
    scenario(pytester, "deploy/broken.yaml", "a: [")
    scenario(pytester, "scenarios-old/old.yaml")
    pytester.makepyfile("def test_other(): pass")
    assert ids(pytester) == [
        "scenarios/node/initialised.yaml::aws",
        "scenarios/route/per-node.yml::aws",
        f"{_test_file(pytester)}::test_other",
    ]
    assert ids(pytester, "scenarios/node") == ["scenarios/node/initialised.yaml::aws"]


def _test_file(pytester: pytest.Pytester) -> str:
    return next(path.name for path in pytester.path.glob("test_*.py"))


def test_other_paths_may_be_configured(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\naddopts = -p harness.plugin\nscenario_paths = cases more/one.yaml\n")
    scenario(pytester, "cases/a.yaml")
    scenario(pytester, "more/one.yaml")
    scenario(pytester, "more/two.yaml")
    scenario(pytester, "scenarios/b.yaml")
    assert ids(pytester) == ["cases/a.yaml::aws", "more/one.yaml::aws"]


def test_a_load_balancer_scenario_is_one_item_for_each_variant_of_the_cloud(pytester: pytest.Pytester) -> None:
    scenario(pytester, "scenarios/all.yaml", LOAD_BALANCER)
    scenario(pytester, "scenarios/one.yaml", LOAD_BALANCER.replace("  steps", "  variants: [nlb]\n  steps"))
    assert ids(pytester) == [
        "scenarios/all.yaml::aws-classic",
        "scenarios/all.yaml::aws-nlb",
        "scenarios/one.yaml::aws-nlb",
    ]


def test_ids_tell_matrix_and_controller_where_there_are_several(pytester: pytest.Pytester) -> None:
    scenario(
        pytester, "scenarios/a.yaml", SCENARIO.replace("  steps", "  matrix: {a: [x, y], b: [1], c: [true]}\n  steps")
    )
    (pytester.path / "my-build").touch()
    assert ids(pytester, "--controller=aws=v1.34.3", "--controller=aws=my-build") == [
        "scenarios/a.yaml::aws@1.34.3-x-1-True",
        "scenarios/a.yaml::aws@1.34.3-y-1-True",
        "scenarios/a.yaml::aws@my-build-x-1-True",
        "scenarios/a.yaml::aws@my-build-y-1-True",
    ]
    assert ids(pytester, "--controller=aws=1.34.3", "-k", "x") == ["scenarios/a.yaml::aws-x-1-True"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-k", "created"], ["loadbalancer/created.yaml::aws-classic", "loadbalancer/created.yaml::aws-nlb"]),
        (["-k", "created and nlb"], ["loadbalancer/created.yaml::aws-nlb"]),
        (["-k", "name-of-it"], ["node/initialised.yaml::aws"]),
        (["-m", "node"], ["node/initialised.yaml::aws"]),
        (["-m", "loadbalancer and classic"], ["loadbalancer/created.yaml::aws-classic"]),
        (["-m", "n1"], ["node/initialised.yaml::aws"]),
        (
            ["-m", "scenario and aws and not nlb"],
            ["loadbalancer/created.yaml::aws-classic", "node/initialised.yaml::aws"],
        ),
        (["scenarios/loadbalancer/created.yaml::aws-nlb"], ["loadbalancer/created.yaml::aws-nlb"]),
        (["--cloud=aws", "-k", "initialised"], ["node/initialised.yaml::aws"]),
    ],
)
def test_the_usual_options_select(pytester: pytest.Pytester, options: list[str], expected: list[str]) -> None:
    scenario(pytester, "scenarios/node/initialised.yaml", SCENARIO.replace("NAME", "name-of-it"))
    scenario(pytester, "scenarios/loadbalancer/created.yaml", LOAD_BALANCER)
    pytester.makepyfile("def test_other(): pass")
    found = [name for name in ids(pytester, *options) if "test_other" not in name]
    assert found == [f"scenarios/{name}" for name in expected]


# What is refused


def test_a_malformed_scenario_is_one_error_with_file_and_line_and_without_traceback(pytester: pytest.Pytester) -> None:
    scenario(pytester, "scenarios/bad.yaml", SCENARIO.replace("behaviour", "behavior"))
    scenario(pytester, "scenarios/good.yaml")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "scenarios/bad.yaml:5: unknown key 'behavior' (did you mean 'behaviour'?)" in text
    assert "scenarios/bad.yaml:4: spec.behaviour is required" in text
    assert "Traceback" not in text
    assert "load_scenarios" not in text


def test_a_scenario_that_is_no_yaml_is_an_error_and_not_passed_over(pytester: pytest.Pytester) -> None:
    scenario(pytester, "scenarios/bad.yaml", SCENARIO + "  a: [")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*scenarios/bad.yaml:8: not valid YAML: *"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cloud=mars"], "--cloud: no cloud 'mars'; there are: aws"),
        (["--controller=mars=1.0.0"], "--controller: no cloud 'mars'; there are: aws"),
        (["--controller=1.34.3"], "--controller '1.34.3': write CLOUD=VALUE, such as aws=1.37.1 or aws=/path"),
        (["--controller=aws="], "--controller 'aws=': write CLOUD=VALUE"),
        (["--controller=aws=./absent"], "--controller aws=./absent: there is no file "),
        (["--controller=aws=1.37"], "write a release such as 1.37.1, or the path of a binary"),
        (["--controller=aws=image:x"], "images run on the kind control plane, which is not there yet"),
        (["--cluster=k3s"], "argument --cluster: invalid choice: 'k3s'"),
        (["--seed=x"], "argument --seed: invalid int value: 'x'"),
        (["--retain", "-n2"], "--retain keeps one lab to look into: run it without -n"),
    ],
)
def test_a_wrong_option_value_is_a_usage_error_that_names_the_option(
    pytester: pytest.Pytester, options: list[str], message: str
) -> None:
    scenario(pytester, "scenarios/a.yaml")
    result = pytester.runpytest(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize("options", [[], ["-n2"]])
def test_a_binary_that_cannot_be_had_is_told_once_before_anything_runs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    def ensure(self: Binaries, wanted: list[tuple[str, str | None]]) -> None:
        assert wanted[-1] == ("aws-cloud-controller-manager", "9.9.9")
        raise BinaryNotFound("there is no binary of it")

    monkeypatch.setattr(Binaries, "ensure", ensure)
    scenario(pytester, "scenarios/a.yaml")
    result = pytester.runpytest("--controller=aws=9.9.9", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: there is no binary of it"])


# Verdicts


def test_pass_fail_and_error_are_passed_failed_and_error(pytester: pytest.Pytester) -> None:
    for name in ("pass", "fail", "error", "crash"):
        scenario(pytester, f"scenarios/{name}.yaml")
    result = pytester.runpytest("--seed=7", "--artifacts=kept", "-rA")
    result.assert_outcomes(passed=1, failed=1, errors=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*cloud provider harness: seed 7"])
    result.stdout.fnmatch_lines(
        [
            "aws-cloud-controller-manager 1.37.1: v1/Node a",
            "  check     nodeInitialised  (in step: step 1: eventually nodeInitialised)",
            "  expected  initialised",
            "  observed  no such Node",
            "  bound     30.0 s, 7 looks",
            "  journal   +  1.00s  ec2:DescribeInstances",
            "  again     pytest scenarios/fail.yaml::aws --seed 7",
            f"  kept      {pytester.path}/kept/scenarios_fail.yaml__aws/ (*",
        ]
    )
    result.stdout.fnmatch_lines(
        ["etcd exited with 1", "before that: v1/Node a", "  again     *error.yaml::aws --seed 7"]
    )
    result.stdout.fnmatch_lines(["E * RuntimeError: a bug of ours"])
    assert "pluggy" not in result.stdout.str().partition("ERRORS")[2], "a traceback begins where our code does"
    assert (pytester.path / "kept" / "scenarios_fail.yaml__aws" / "journal.jsonl").exists()
    assert not (pytester.path / "kept" / "scenarios_pass.yaml__aws").exists()


def test_a_failure_is_repeated_with_the_same_controller(pytester: pytest.Pytester) -> None:
    scenario(pytester, "scenarios/fail.yaml")
    result = pytester.runpytest("--controller=aws=1.34.3", "--seed=7")
    result.stdout.fnmatch_lines(["  again     pytest scenarios/fail.yaml::aws --seed 7 --controller aws=1.34.3"])


def test_a_shipped_scenario_is_repeated_from_the_package(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shipped = tmp_path_factory.mktemp("shipped")
    monkeypatch.setattr(harness.plugin.session, "SHIPPED", shipped)
    matrix = LOAD_BALANCER.replace("  steps", "  matrix: {facts: [metadata]}\n  steps")
    scenario(pytester, str(shipped / "node" / "fail.yaml"), matrix)
    options = [f"--rootdir={pytester.path}", "-c", str(pytester.path / "tox.ini")]
    result = pytester.runpytest(*options, "--seed=7", "-k", "nlb", shipped)
    result.stdout.fnmatch_lines(
        ["  again     pytest --pyargs harness.scenarios -k 'fail and nlb and metadata' --seed 7"]
    )
    assert ids(pytester, *options, "-k", "fail and nlb and metadata", str(shipped)) == [
        "node/fail.yaml::aws-nlb-metadata"
    ]


def test_the_table_shows_each_behaviour_and_controller(pytester: pytest.Pytester) -> None:
    for name in ("fail", "error", "crash"):
        scenario(pytester, f"scenarios/{name}.yaml")
    scenario(pytester, "scenarios/pass.yaml", LOAD_BALANCER)
    text = pytester.runpytest("--seed=7").stdout.str()
    table = [line.rstrip() for line in text.partition("= verdicts =")[2].splitlines()[1:7]]
    assert table == [
        "behaviour  aws 1.37.1  aws 1.37.1 classic  aws 1.37.1 nlb",
        "---------  ----------  ------------------  --------------",
        "L1 pass                pass 0s             pass 0s",
        "N1 crash   error 0s",
        "N1 error   error 0s",
        "N1 fail    fail 0s",
    ]
    assert "note: the seed is 7" in text
    assert "components were kept in by: network-namespace" in text


def test_junit_tells_failures_from_errors_and_holds_the_verdict_once(pytester: pytest.Pytester) -> None:
    for name in ("pass", "fail", "error", "crash"):
        scenario(pytester, f"scenarios/{name}.yaml")
    pytester.runpytest("--junitxml=junit.xml")
    cases = ElementTree.parse(pytester.path / "junit.xml").findall(".//testcase")
    assert {str(case.get("classname")): (_tags(case), _properties(case, "verdict")) for case in cases} == {
        "scenarios.crash.yaml": (["error"], ["error"]),
        "scenarios.error.yaml": (["error"], ["error"]),
        "scenarios.fail.yaml": (["failure"], ["fail"]),
        "scenarios.pass.yaml": ([], ["pass"]),
    }
    assert _properties(cases[-1], "behaviour") == ["N1 pass"]
    assert _properties(cases[-1], "column") == ["aws 1.37.1"]
    assert _properties(cases[-1], "isolation") == ["network-namespace"]
    assert _properties(cases[-1], "memory: lab MB") == ["300"]


def _tags(case: ElementTree.Element) -> list[str]:
    return [child.tag for child in case if child.tag in ("failure", "error", "skipped")]


def _properties(case: ElementTree.Element, name: str) -> list[str | None]:
    return [entry.get("value") for entry in case.iter("property") if entry.get("name") == name]


def test_a_known_issue_is_an_expected_failure_and_strict(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\naddopts = -p harness.plugin\nknown_issues = issues.yaml\n")
    (pytester.path / "issues.yaml").write_text(KNOWN_ISSUES)
    for name in ("fail", "pass", "error"):
        scenario(pytester, f"scenarios/{name}.yaml")
    result = pytester.runpytest("-v", "--controller=aws=1.37.1", "--junitxml=junit.xml")
    result.assert_outcomes(xfailed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["scenarios/fail.yaml::aws KNOWN ISSUE*"])
    result.stdout.fnmatch_lines(["passes, but has the known issue slow (https://example.com/1): *"])
    cases = ElementTree.parse(pytester.path / "junit.xml").findall(".//testcase")
    assert [_properties(case, "verdict") for case in cases] == [["error"], ["known issue"], ["fail"]]

    result = pytester.runpytest("-v", "--controller=aws=1.34.4")
    result.assert_outcomes(passed=1, failed=1, errors=1)


def test_a_failure_that_is_not_the_known_issue_s_fails(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\naddopts = -p harness.plugin\nknown_issues = issues.yaml\n")
    (pytester.path / "issues.yaml").write_text(KNOWN_ISSUES.replace("no such Node", "no route"))
    scenario(pytester, "scenarios/fail.yaml")
    pytester.runpytest("--controller=aws=1.37.1").assert_outcomes(failed=1)


def test_a_sandbox_that_cannot_be_opened_is_an_error_in_the_table(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sandbox, "open", fake_run.broken_sandbox)
    scenario(pytester, "scenarios/pass.yaml")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["a component can reach the internet", "N1 pass * error 0s"])


def test_a_feature_that_the_profile_lacks_is_unsupported_and_alone_no_success(pytester: pytest.Pytester) -> None:
    shipped = Path(fakeclouds.__file__).with_name("aws") / "controller.yaml"
    pytester.makefile(".yaml", poor=shipped.read_text().replace("routes, ", "", 1))
    pytester.makeini("[pytest]\naddopts = -p harness.plugin\ncontroller_profiles = aws=poor.yaml\n")
    scenario(pytester, "scenarios/a.yaml", SCENARIO.replace("  steps", "  features: [routes]\n  steps"))
    result = pytester.runpytest("-rs")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["*1 unsupported*"])
    result.stdout.fnmatch_lines(["N1 a * unsupported 0s"])
    assert "passed" not in result.stdout.lines[-1]

    scenario(pytester, "scenarios/pass.yaml")
    result = pytester.runpytest("-v")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["scenarios/a.yaml::aws UNSUPPORTED*", "*1 passed, *1 unsupported*"])


def test_a_load_balancer_scenario_without_a_variant_to_run_is_unsupported_and_not_lost(
    pytester: pytest.Pytester,
) -> None:
    scenario(pytester, "scenarios/a.yaml", LOAD_BALANCER.replace("  steps", "  variants: [gateway]\n  steps"))
    result = pytester.runpytest("-v")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["scenarios/a.yaml::aws UNSUPPORTED*"])


def test_retain_shows_the_failure_and_how_to_look_inside_until_ctrl_c(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "wait_for_change", ctrl_c)
    monkeypatch.setattr(Lab, "write_admin_kubeconfig", lambda lab: Path("admin.kubeconfig"))
    scenario(pytester, "scenarios/retained.yaml")
    scenario(pytester, "scenarios/error.yaml")
    result = pytester.runpytest("--retain")
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "  observed  no such Node",
            "the lab is kept; look inside with:",
            "  enter kubectl --kubeconfig=admin.kubeconfig get nodes,services",
            "press Ctrl-C to delete it",
            "deleting the lab",
        ]
    )
    assert result.stdout.str().count("the lab is kept") == 1, "a lab that never opened cannot be looked into"


def test_scenarios_run_in_parallel_with_one_seed_and_one_table(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    pytester.makeconftest(
        """
        from harness.tests import fake_run
        fake_run.install(setattr)
        """
    )
    for number in range(4):
        scenario(pytester, f"scenarios/pass-{number}.yaml")
    scenario(pytester, "scenarios/fail.yaml")
    result = pytester.runpytest_subprocess("-n2", "scenarios")
    result.assert_outcomes(passed=4, failed=1)
    text = result.stdout.str()
    assert text.count("= verdicts =") == 1
    assert len(re.findall(r"^N1 pass-\d +pass", text, re.MULTILINE)) == 4
    assert len(set(re.findall(r"(?:harness: seed|--seed|the seed is) (\d+)", text))) == 1
