"""Known issues: whom they concern, what they explain, and that their files are strict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.known_issues import KnownIssue, load_known_issues, repeated_operations
from harness.scenario.load import DocumentError


def issue(**facts: Any) -> KnownIssue:
    given = {
        "name": "a",
        "component": "ccm",
        "versions": [">=1.34.0,<1.34.4"],
        "scenarios": ["route-*"],
        "reference": "r",
    }
    return KnownIssue.model_validate({**given, **facts})


@pytest.mark.parametrize(
    ("version", "concerned"),
    [("1.33.4", False), ("1.34.0", True), ("1.34.3", True), ("1.34.4", False), (None, False), ("1.34-dirty", False)],
)
def test_an_issue_concerns_the_releases_of_its_ranges(version: str | None, concerned: bool) -> None:
    assert issue().concerns("ccm", version, None) is concerned


def test_any_of_several_ranges_is_enough() -> None:
    several = issue(versions=["==1.36.0", ">=1.34.0,<1.34.4"])
    assert several.concerns("ccm", "1.36.0", None)
    assert several.concerns("ccm", "1.34.1", None)
    assert not several.concerns("ccm", "1.35.0", None)


def test_a_build_without_a_release_number_may_have_an_issue_that_is_still_open() -> None:
    assert issue(versions=[">=1.20"]).concerns("ccm", None, None)


def test_an_issue_of_one_kind_of_load_balancer_concerns_no_other() -> None:
    classic = issue(variants=["classic"])
    assert classic.concerns("ccm", "1.34.0", "classic")
    assert not classic.concerns("ccm", "1.34.0", "nlb")
    assert not classic.concerns("another", "1.34.0", "classic")


def test_an_issue_fails_the_scenarios_that_it_names_and_explains_its_own_failure_alone() -> None:
    known = issue(shows="no route")
    assert known.fails("route-per-node")
    assert not known.fails("node-initialised")
    assert known.explains("observed  no route")
    assert not known.explains("observed  two load balancers")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("versions: [new]", "'new' is no range of versions"),
        ("versions: ['>=1'], repeats: [a:B]", "give scenarios (that fail) or repeats (operations), one of them"),
        ("verions: []", "did you mean 'versions'?"),
    ],
)
def test_a_wrong_file_says_what_is_wrong_with_its_line(change: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(
        "apiVersion: harness/v1alpha1\nkind: KnownIssues\nspec:\n  issues:\n"
        f"    - {{name: a, component: c, reference: r, scenarios: [x],\n       {change}}}\n"
    )
    with pytest.raises(DocumentError) as raised:
        load_known_issues("aws", [path])
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"{path}:")


def test_shipped_issues_have_references_and_a_users_files_add_to_them(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(
        "apiVersion: harness/v1alpha1\nkind: KnownIssues\nspec:\n  issues:\n"
        "    - {name: mine, component: c, versions: ['>=1'], reference: r, repeats: [elb:X]}\n"
    )
    shipped, both = load_known_issues("aws"), load_known_issues("aws", [path])
    assert all(one.reference for one in shipped)
    assert [one.name for one in both] == [*(one.name for one in shipped), "mine"]
    assert repeated_operations(both)["elb:X"].name == "mine"
