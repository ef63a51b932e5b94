"""The fidelity ledger: one row for each test that plain moto fails, with a source, and no row without such a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import fakeclouds.aws

TESTS = Path(__file__).parent
LEDGER = Path(fakeclouds.aws.__file__).with_name("ledger.yaml")
ROWS: list[dict[str, str]] = YAML(typ="safe").load(LEDGER.read_text(encoding="utf-8"))
FIELDS = {"behaviour", "moto", "aws", "source", "quote", "status", "test"}


def conformance_tests() -> Iterator[str]:
    """Names of the tests that take the `aws` fixture of conftest, which runs them on plain moto too."""
    for path in sorted(TESTS.glob("test_aws_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        if "aws" in {function.name for function in functions}:
            continue  # the module has a fixture of its own under that name
        for function in functions:
            if function.name.startswith("test_") and "aws" in {argument.arg for argument in function.args.args}:
                yield function.name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["behaviour"])
def test_a_row_is_complete(row: dict[str, str]) -> None:
    assert set(row) == FIELDS
    assert all(isinstance(value, str) and value for value in row.values())
    assert row["source"].startswith("https://")
    assert row["status"] in {"documented", "inferred", "unknown"}
    assert row["status"] != "documented" or row["quote"] != "-", "what is documented can be quoted"


def test_every_row_is_proven_and_every_proof_has_its_row() -> None:
    assert {row["test"] for row in ROWS} == set(conformance_tests())


def test_no_behaviour_stands_twice() -> None:
    behaviours = [row["behaviour"] for row in ROWS]
    assert sorted(set(behaviours)) == sorted(behaviours)
