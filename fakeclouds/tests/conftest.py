"""Fixtures of the fake clouds' tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

DIFFERS = pytest.mark.xfail(
    strict=True,
    raises=(AssertionError, ClientError, KeyError, pytest.fail.Exception),
    reason="plain moto differs from AWS here: this is what the correction is for",
)


@pytest.fixture(params=["corrected", pytest.param("plain-moto", marks=DIFFERS)])
def aws(request: pytest.FixtureRequest) -> Iterator[Any]:
    """An AWS endpoint: every test that uses it must hold with our corrections and fail without."""
    from fakeclouds.aws.services import CORRECTED, PLAIN
    from fakeclouds.tests.aws_endpoints import endpoint

    with endpoint(CORRECTED if request.param == "corrected" else PLAIN) as found:
        yield found


@pytest.fixture
def corrected() -> Iterator[Any]:
    """An AWS endpoint with our corrections, for behaviour that moto has as well."""
    from fakeclouds.aws.services import CORRECTED
    from fakeclouds.tests.aws_endpoints import endpoint

    with endpoint(CORRECTED) as found:
        yield found
