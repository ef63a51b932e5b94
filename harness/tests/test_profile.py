"""Controller profiles: the shipped one, what a user's file changes, and what is wrong in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fakeclouds import CLOUDS
from harness.controllers.profile import ControllerProfile, fill, load_profile, merge
from harness.errors import UsageError
from harness.scenario.load import DocumentError

WORDS = {"zone": "us-east-1a", "endpoint": "http://127.0.0.1:1"}


@pytest.fixture(scope="module")
def shipped() -> ControllerProfile:
    return load_profile("aws")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.yaml"


def override(file: Path, *spec: str, extends: str = "aws") -> Path:
    lines = ["apiVersion: harness/v1alpha1", "kind: ControllerProfile", "metadata: {name: mine}", "spec:"]
    file.write_text("\n".join([*lines, f"  extends: {extends}", *(f"  {line}" for line in spec)]) + "\n")
    return file


def problems(file: Path) -> list[str]:
    with pytest.raises(DocumentError) as refused:
        load_profile("aws", file)
    return str(refused.value).replace(f"{file.parent}/", "").splitlines()


@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_every_cloud_ships_a_profile_of_its_own(cloud: str) -> None:
    profile = load_profile(cloud)
    assert (profile.metadata.name, profile.spec.cloud) == (cloud, cloud)
    assert profile.spec.reconcile_period.seconds > 0
    assert profile.spec.cluster_role


def test_the_aws_controller_listens_on_loopback_alone(shipped: ControllerProfile) -> None:
    arguments = shipped.spec.arguments
    assert {"--bind-address=127.0.0.1", "--webhook-bind-address=127.0.0.1", "--leader-elect=false"} <= {*arguments}


def test_the_aws_controller_reads_no_credentials_of_the_users(shipped: ControllerProfile) -> None:
    environment = shipped.spec.environment
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_facts_come_from_the_cloud_config_or_from_the_metadata_service(shipped: ControllerProfile) -> None:
    told = ("Zone", "VPC", "SubnetID")
    assert all(f"{word} =" in shipped.spec.cloud_config.config for word in told)
    assert not any(f"{word} =" in shipped.spec.cloud_config.metadata for word in told)


def test_a_controller_acts_as_its_service_account_and_its_further_identities(shipped: ControllerProfile) -> None:
    assert shipped.users == {
        f"system:serviceaccount:kube-system:{name}"
        for name in ("cloud-controller-manager", "node-controller", "route-controller", "service-controller")
    }


def test_an_override_appends_arguments_and_leaves_the_rest(file: Path, shipped: ControllerProfile) -> None:
    changed = load_profile("aws", override(file, "arguments: [--v=5]"))
    assert changed.spec.arguments == [*shipped.spec.arguments, "--v=5"]
    assert changed.metadata.name == "mine"
    assert changed.spec.cluster_role == shipped.spec.cluster_role


def test_an_override_merges_the_environment(file: Path, shipped: ControllerProfile) -> None:
    changed = load_profile("aws", override(file, "environment: {AWS_REGION: eu-west-1, MINE: '1'}"))
    assert changed.spec.environment == {**shipped.spec.environment, "AWS_REGION": "eu-west-1", "MINE": "1"}


def test_an_override_replaces_what_is_neither_list_nor_mapping(file: Path, shipped: ControllerProfile) -> None:
    changed = load_profile("aws", override(file, "component: my-ccm", "readiness: {within: 5s}"))
    assert changed.spec.component == "my-ccm"
    assert (changed.spec.readiness.within.seconds, changed.spec.readiness.path) == (5, shipped.spec.readiness.path)


def test_an_override_for_another_cloud_is_told_with_its_line(file: Path) -> None:
    override(file, extends="gcp")
    assert problems(file) == ["mine.yaml:5: extends 'gcp', but is given for 'aws'"]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (("enviroment: {A: b}",), "mine.yaml:6: unknown key 'enviroment' (did you mean 'environment'?)"),
        (("readiness:", "  pth: /livez"), "mine.yaml:7: unknown key 'pth' (did you mean 'path'?)"),
        (("readiness: {within: soon}",), "mine.yaml:6: spec.readiness.within: 'soon' is no duration"),
        (("environment: {A: 1}",), "mine.yaml:6: spec.environment.A: Input should be a valid string, got 1"),
        (("arguments: --v=5",), "mine.yaml:6: spec.arguments: Input should be a valid list, got '--v=5'"),
        (("reconcilePeriod: 2s", "reconcilePeriod: 3s"), "mine.yaml:7: not valid YAML: while constructing a mapping"),
    ],
)
def test_what_is_wrong_in_an_override_is_told_with_its_line(spec: tuple[str, ...], problem: str, file: Path) -> None:
    (told,) = problems(override(file, *spec))
    assert told.startswith(problem)


def test_a_profile_that_extends_nothing_stands_alone(file: Path) -> None:
    file.write_text(
        "apiVersion: harness/v1alpha1\nkind: ControllerProfile\nmetadata: {name: mine}\nspec: {cloud: aws}\n"
    )
    assert "mine.yaml:4: spec.component is required" in problems(file)


@pytest.mark.parametrize("text", ["", "text\n", "- a\n", "spec: text\n", "spec: [a]\n", "spec:\n"])
def test_what_is_no_profile_is_told_by_its_file(text: str, file: Path) -> None:
    file.write_text(text)
    assert problems(file)[0].startswith("mine.yaml:1: ")


def test_a_profile_that_cannot_be_read_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*absent\.yaml: No such file or directory"):
        load_profile("aws", tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("base", "change", "merged"),
    [
        ([1], [2], [1, 2]),
        ({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}),
        ({"a": [1]}, {"a": [1], "b": [2]}, {"a": [1, 1], "b": [2]}),
        ("old", "new", "new"),
        ([1], "new", "new"),
        ({"a": 1}, None, None),
    ],
)
def test_lists_are_appended_mappings_merged_and_the_rest_replaced(base: Any, change: Any, merged: Any) -> None:
    assert merge(base, change) == merged


def test_words_are_filled_in() -> None:
    assert fill("Zone = {zone}\nURL = {endpoint}/", WORDS) == "Zone = us-east-1a\nURL = http://127.0.0.1:1/"


def test_doubled_braces_are_braces_themselves() -> None:
    assert fill('{{"zone": "{zone}"}}', WORDS) == '{"zone": "us-east-1a"}'


@pytest.mark.parametrize("template", ["{zon}", "{}", "{0}", '{"zone": 1}'])
def test_an_unknown_word_is_told_with_those_there_are(template: str) -> None:
    with pytest.raises(UsageError, match="which is none of: endpoint, zone"):
        fill(template, WORDS)


@pytest.mark.parametrize("template", ["{", "a }", "{zone.name}", "{zone!x}"])
def test_a_brace_that_opens_no_word_is_told_with_how_to_write_one(template: str) -> None:
    with pytest.raises(UsageError, match=re.escape("(a brace itself is {{ or }})")):
        fill(template, WORDS)
