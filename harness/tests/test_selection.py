"""What a session runs: clouds, controllers and profiles, and every way to ask for what cannot be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest

from harness.components import Binaries, Binary, Origin
from harness.components.registry import component_named
from harness.errors import UsageError
from harness.selection import CONTROL_PLANE, ControllerChoice, Selection, select

CCM = "aws-cloud-controller-manager"


def chosen(folder: Path = Path("/nonexistent"), **asked: Any) -> Selection:
    asked = {"clouds": (), "controllers": (), "profiles": (), "issues": (), **asked}
    return select(asked["clouds"], asked["controllers"], asked["profiles"], asked["issues"], folder)


def only(selection: Selection) -> ControllerChoice:
    (choice,) = selection.choices
    return choice


@pytest.mark.parametrize("clouds", [(), ("aws",), ("aws", "aws")], ids=["none named", "named", "named twice"])
def test_without_a_controller_the_default_release_runs(clouds: tuple[str, ...]) -> None:
    choice = only(chosen(clouds=clouds))
    assert (choice.cloud, choice.component, choice.path, choice.label) == ("aws", CCM, None, "")
    assert choice.version == component_named(CCM).releases[0].version


@pytest.mark.parametrize("value", ["1.34.3", "v1.34.3"])
def test_a_controller_by_release_is_wanted_as_a_binary(value: str) -> None:
    selection = chosen(controllers=(f"aws={value}",))
    assert (only(selection).version, only(selection).label) == ("1.34.3", "")
    assert only(selection).title == f"{CCM} 1.34.3"
    assert selection.wanted() == [*((name, None) for name in CONTROL_PLANE), (CCM, "1.34.3")]


@pytest.fixture
def ccm(tmp_path: Path) -> Path:
    """A build of the user's own, in a folder with an equals sign."""
    path = tmp_path / "a=b" / "ccm"
    path.parent.mkdir()
    path.touch(mode=0o755)
    return path


def test_a_controller_by_path_is_not_built(ccm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ccm.parent.parent)
    selection = chosen(controllers=("aws=./a=b/ccm",))
    assert (only(selection).version, only(selection).path) == (None, ccm)
    assert only(selection).title == f"{CCM} {ccm}"
    assert selection.wanted() == [(name, None) for name in CONTROL_PLANE]


def test_a_path_may_begin_with_the_home_folder(ccm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(ccm.parent))
    assert only(chosen(controllers=("aws=~/ccm",))).path == ccm


def test_several_controllers_of_a_cloud_are_told_apart_by_labels(ccm: Path) -> None:
    selection = chosen(controllers=("aws=1.33.4", "aws=v1.34.3", f"aws={ccm}"))
    assert [choice.label for choice in selection.choices] == ["1.33.4", "1.34.3", "ccm"]


def test_a_controller_chooses_its_cloud_too() -> None:
    assert only(chosen(clouds=("aws",), controllers=("aws=1.34.3",))) == only(chosen(controllers=("aws=1.34.3",)))


def test_a_profile_of_the_users_is_found_beside_the_project(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "apiVersion: harness/v1alpha1\nkind: ControllerProfile\nmetadata: {name: mine}\n"
        "spec: {extends: aws, component: my-ccm}\n"
    )
    selection = chosen(tmp_path, profiles=("aws=mine.yaml",))
    assert selection.profiles["aws"].metadata.name == "mine"
    assert (only(selection).component, only(selection).version) == ("my-ccm", None)


class Everywhere:
    """Binaries that are all there."""

    def get(self, name: str, version: str | None = None) -> Binary:
        path = Path("/found") / (name if version is None else f"{name}-{version}")
        return Binary(name=name, version=version or "1", path=path, origin=Origin.CACHE, digest="")


def test_a_lab_gets_the_control_planes_binaries_and_the_chosen_controller() -> None:
    selection = chosen(controllers=("aws=1.34.3",))
    paths = selection.paths(only(selection), cast(Binaries, Everywhere()))
    assert paths == {**{name: Path("/found") / name for name in CONTROL_PLANE}, CCM: Path(f"/found/{CCM}-1.34.3")}


def test_a_lab_gets_the_users_own_controller_as_it_is(ccm: Path) -> None:
    selection = chosen(controllers=(f"aws={ccm}",))
    assert selection.paths(only(selection), cast(Binaries, Everywhere()))[CCM] == ccm


def test_a_given_controller_that_cannot_run_is_told_before_anything_starts(ccm: Path) -> None:
    chosen(controllers=("aws=1.34.3",)).check_paths()
    ccm.chmod(0o644)
    with pytest.raises(UsageError, match=f"{ccm}"):
        chosen(controllers=(f"aws={ccm}",)).check_paths()


def test_a_controller_has_the_known_issues_of_its_release(tmp_path: Path) -> None:
    (tmp_path / "issues.yaml").write_text(
        "apiVersion: harness/v1alpha1\nkind: KnownIssues\nspec:\n  issues:\n"
        f"  - {{name: mine, component: {CCM}, versions: ['<1.34.4'], scenarios: ['*'], reference: here}}\n"
    )
    selection = chosen(tmp_path, controllers=("aws=1.34.3", "aws=1.34.4"), issues=("issues.yaml",))
    old, new = selection.choices
    assert "mine" in [issue.name for issue in selection.issues(old, None)]
    assert "mine" not in [issue.name for issue in selection.issues(new, None)]


NOT_A_PAIR = "write CLOUD=VALUE, such as aws=1.37.1 or aws=/path/to/binary"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"clouds": ("azwre",)}, "--cloud: no cloud 'azwre'; there are: aws"),
        ({"controllers": ("gcp=1.0.0",)}, "--controller: no cloud 'gcp'; there are: aws"),
        ({"controllers": ("=1.0.0",)}, "--controller: no cloud ''; there are: aws"),
        ({"controllers": ("1.34.3",)}, f"--controller '1.34.3': {NOT_A_PAIR}"),
        ({"controllers": ("aws=",)}, f"--controller 'aws=': {NOT_A_PAIR}"),
        (
            {"controllers": ("aws=image:registry/ccm:1",)},
            "--controller aws=image:registry/ccm:1: images run on the kind",
        ),
        ({"controllers": ("aws=1.34",)}, "1.34; write a release such as 1.37.1, or the path of a binary"),
        ({"controllers": ("aws=/nonexistent/ccm",)}, "--controller aws=/nonexistent/ccm: there is no file"),
        ({"profiles": ("mine.yaml",)}, f"controller_profiles 'mine.yaml': {NOT_A_PAIR}"),
        ({"profiles": ("gcp=mine.yaml",)}, "controller_profiles: no cloud 'gcp'; there are: aws"),
        ({"profiles": ("aws=absent.yaml",)}, "cannot read /nonexistent/absent.yaml: No such file or directory"),
        ({"issues": ("absent.yaml",)}, "cannot read /nonexistent/absent.yaml: No such file or directory"),
    ],
)
def test_what_cannot_be_is_told_with_what_can(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        chosen(**asked)


def test_a_controller_of_a_cloud_that_was_not_chosen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.selection.CLOUDS", {"aws": "", "other": ""})
    with pytest.raises(UsageError, match=r"--controller aws=1\.34\.3: aws is not among --cloud other"):
        chosen(clouds=("other",), controllers=("aws=1.34.3",))
