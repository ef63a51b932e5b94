"""Every module keeps to the rules of `tidy`, and each rule finds what it bans."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakeclouds import CLOUDS
from harness.actions import ACTIONS
from harness.checks import CHECKS
from harness.components.registry import COMPONENTS

from .tidy import findings

REPOSITORY = Path(__file__).parents[2]
MODULES = [path for package in ("harness", "fakeclouds") for path in sorted((REPOSITORY / package).rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_module_keeps_to_the_rules(path: Path) -> None:
    found = findings(path.relative_to(REPOSITORY).as_posix(), path.read_text())
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "names",
    [
        [check.__name__ for check in CHECKS],
        [key for key, _ in ACTIONS],
        list(CLOUDS),
        [each.name for each in COMPONENTS],
    ],
    ids=["CHECKS", "ACTIONS", "CLOUDS", "COMPONENTS"],
)
def test_registries_are_sorted_and_hold_nothing_twice(names: list[str]) -> None:
    assert names == sorted(set(names))


@pytest.mark.parametrize(
    ("path", "line", "finding"),
    [
        ("fakeclouds/aws/x.py", "from harness import errors", "import of harness.errors"),
        ("fakeclouds/aws/x.py", "import harness.lab", "import of harness.lab"),
        ("harness/processes/x.py", "from ..cluster.kube import Kube", "import of harness.cluster.kube.Kube"),
        ("harness/processes/x.py", "import lightkube", "import of lightkube"),
        ("harness/processes/x.py", "from fakeclouds.base import Call", "import of fakeclouds.base.Call"),
        ("harness/engine/x.py", "def f() -> None:\n    import pytest", "import of pytest"),
        ("harness/engine/x.py", "from ruamel.yaml import YAML", "import of ruamel.yaml.YAML"),
        ("harness/engine/x.py", "import time\ntime.sleep(1)", "time.sleep()"),
        ("harness/engine/x.py", "from time import sleep\nsleep(1)", "time.sleep()"),
        ("harness/engine/x.py", "print(1)", "print()"),
        ("fakeclouds/x.py", "print(1)", "print()"),
        ("fakeclouds/x.py", "# TO" + "DO: later", "TO" + "DO"),
        ("harness/tests/x.py", "x = 1  # FIX" + "ME", "FIX" + "ME"),
        ("harness/x.py", "x = cloud == 'aws'", "comparing with 'aws'"),
        ("harness/x.py", "x = cloud not in ('gce', cloud)", "comparing with 'gce'"),
        ("harness/x.py", "match cloud:\n    case 'hetzner': pass", "comparing with 'hetzner'"),
        ("harness/checks/x.py", "class Forgotten(Check): pass", "unregistered Forgotten"),
        ("harness/actions/x.py", "class Forgotten(NodeSpec, Action): pass", "unregistered Forgotten"),
    ],
)
def test_each_rule_finds_what_it_bans(path: str, line: str, finding: str) -> None:
    found = findings(path, f'"""Docstring."""\n{line}\n')
    number = 2 + line.count("\n")
    assert found
    assert all(text.startswith(f"{path}:{number}: {finding} is banned here, use ") for text in found)


def test_a_module_without_docstring_is_found() -> None:
    assert findings("harness/x.py", "") == [
        "harness/x.py:1: a module without docstring is banned here, use one that says what it is responsible for"
    ]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("harness/wait.py", "import time\ntime.sleep(1)"),
        ("harness/plugin/items.py", "import pytest"),
        ("harness/__main__.py", "print(1)"),
        ("harness/tests/x.py", "import pytest\nprint(1)"),
        ("harness/x.py", "console.print(default_cloud('aws'))"),
        ("fakeclouds/aws/x.py", "x = name == 'aws'"),
        ("harness/checks/x.py", "class NodeAbsent(Check): pass"),
        ("harness/processes/x.py", "from ..errors import HarnessError\nfrom .client import Supervisor"),
    ],
)
def test_what_is_allowed_is_not_found(path: str, line: str) -> None:
    assert findings(path, f'"""Docstring."""\n{line}\n') == []
