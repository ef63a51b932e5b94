"""The rules of this repository that no linter knows: who imports and calls what, and that extensions are registered."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch

from fakeclouds import CLOUDS
from harness.actions import ACTIONS
from harness.checks import CHECKS

CLOUD_NAMES = {*CLOUDS, "alibaba", "azure", "digitalocean", "gce", "gcp", "hetzner", "linode", "openstack", "vsphere"}
REGISTERED = {operation.__name__ for operation in (*CHECKS, *(action for _, action in ACTIONS))}
REGISTRIES = {"CHECKS": "checks", "ACTIONS": "actions"}
CLOUD_LIBRARIES = ("boto3", "botocore", "fakeclouds", "moto")
KUBE_LIBRARIES = ("httpx2", "lightkube")

IMPORTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str], ...] = (
    # where, except in, what is banned, what to use
    ("fakeclouds/*", (), ("harness",), "an argument: a cloud does not know who drives it"),
    ("harness/processes/*", (), CLOUD_LIBRARIES, "an argument: processes know no cloud"),
    ("harness/processes/*", (), (*KUBE_LIBRARIES, "harness.cluster"), "an argument: processes know no Kubernetes"),
    ("harness/*", ("harness/plugin/*",), ("_pytest", "pytest"), "harness/plugin"),
    (
        "harness/*",
        ("harness/scenario/load.py", "harness/actions/objects.py", "harness/report.py"),
        ("ruamel", "yaml"),
        "read_document of harness/scenario/load.py",
    ),
)
CALLS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("harness/*", ("harness/wait.py",), "time.sleep", "until or pause of harness/wait.py"),
    ("*", ("*/__main__.py", "*/command_line*.py"), "print", "the journal, a report, or a raised error"),
)
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def findings(path: str, source: str) -> list[str]:
    """Return everything in a module that a rule bans, as `path:line: what is banned here, use what`."""
    tree = ast.parse(source)
    found = [*_unfinished(source), *_docstring(tree)]
    if "/tests/" not in path:
        found += [*_imports(path, tree), *_calls(path, tree), *_cloud_names(path, tree), *_registered(path, tree)]
    return [f"{path}:{line}: {banned} is banned here, use {instead}" for line, banned, instead in sorted(found)]


def _applies(path: str, where: str, exceptions: Sequence[str]) -> bool:
    return fnmatch(path, where) and not any(fnmatch(path, exception) for exception in exceptions)


def _imported(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the absolute name of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.removesuffix(".py").split("/")[: -node.level] if node.level else []
            base = ".".join([*package, *filter(None, [node.module])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _imports(path: str, tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    for where, exceptions, packages, instead in IMPORTS:
        for line, name in _imported(path, tree) if _applies(path, where, exceptions) else ():
            if any(f"{name}.".startswith(f"{package}.") for package in packages):
                yield line, f"import of {name}", instead


def _calls(path: str, tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    full_names = {name.rpartition(".")[2]: name for _, name in _imported(path, tree)}
    for where, exceptions, function, instead in CALLS:
        for node in ast.walk(tree) if _applies(path, where, exceptions) else ():
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if function in (name, full_names.get(name)):
                    yield node.lineno, f"{function}()", instead


def _cloud_names(path: str, tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    for node in ast.walk(tree) if path.startswith("harness/") else ():
        if isinstance(node, ast.Compare | ast.MatchValue):
            names = {item.value for item in ast.walk(node) if isinstance(item, ast.Constant)} & CLOUD_NAMES
            yield from (
                (node.lineno, f"comparing with {name!r}", "a feature that the cloud declares") for name in names
            )


def _registered(path: str, tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    for registry, folder in REGISTRIES.items():
        for node in ast.walk(tree) if path.startswith(f"harness/{folder}/") else ():
            bases = {ast.unparse(base) for base in node.bases} if isinstance(node, ast.ClassDef) else set()
            if isinstance(node, ast.ClassDef) and bases & {"Check", "Action"} and node.name not in REGISTERED:
                yield node.lineno, f"unregistered {node.name}", f"a line in {registry}"


def _unfinished(source: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(source.splitlines(), start=1):
        if match := UNFINISHED.search(line):
            yield number, match[0], "an issue, or finish it"


def _docstring(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    if not ast.get_docstring(tree):
        yield 1, "a module without docstring", "one that says what it is responsible for"
