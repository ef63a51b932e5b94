"""One AWS account inside moto: where its state lives, where its random ids come from, and how it ends.

Knows neither HTTP nor any correction; whoever uses an account from several threads holds the front door's lock.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from moto.core import model_instances
from moto.core.base_backend import BackendDict
from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.ec2.models import EC2Backend, ec2_backends
from moto.elb.models import ELBBackend, elb_backends
from moto.elbv2.models import ELBv2Backend, elbv2_backends
from moto.moto_api._internal import mock_random

ACCOUNT_HEADER = "x-moto-account-id"
"""Header by which moto's response classes choose the account."""

_account_numbers = itertools.count(100_000_000_001)
_moto = threading.RLock()
"""moto keeps every account of a process in the same dictionaries and draws from one random source."""


class Reply(NamedTuple):
    """What moto's response classes return."""

    status: int
    headers: Mapping[str, Any]
    body: str | bytes


class Ec2Backend(EC2Backend):
    """moto's EC2 without Amazon's public images: loading some hundred of them is most of the cost of an account."""

    def _load_amis(self) -> None:
        """Load none."""


class Account:
    """One account in one region. The same seed and the same calls in the same order give the same ids."""

    def __init__(self, *, seed: int, region: str, services: Mapping[str, type[BaseResponse]]) -> None:
        """`services`: response class per service (`ec2`, `elb`, `elbv2`, `sts`). ValueError: unknown region."""
        self.id = str(next(_account_numbers))
        self.region = region
        self.services = services
        self._random_state = type(mock_random)(seed).getstate()
        with self.moto():
            regions = ec2_backends[self.id]
            if region not in regions.regions:
                raise ValueError(f"no AWS region {region!r}; there are: {', '.join(sorted(regions.regions))}")
            dict.__setitem__(regions, region, Ec2Backend(region, account_id=self.id))

    @property
    def ec2(self) -> EC2Backend:
        """Instances, networks, security groups and their tags."""
        return ec2_backends[self.id][self.region]

    @property
    def elb(self) -> ELBBackend:
        """Classic load balancers."""
        return elb_backends[self.id][self.region]

    @property
    def elbv2(self) -> ELBv2Backend:
        """Network load balancers and target groups."""
        return elbv2_backends[self.id][self.region]

    @contextmanager
    def moto(self) -> Iterator[None]:
        """Use moto as this account: alone in the process, with this account's own random numbers."""
        with _moto:
            before = mock_random.getstate()
            mock_random.setstate(self._random_state)
            try:
                yield
            finally:
                self._random_state = mock_random.getstate()
                mock_random.setstate(before)

    def handle(self, service: str, request: Request) -> tuple[Reply, BaseResponse]:
        """Answer one request; the handler comes back too. NotImplementedError: moto has no such operation."""
        request.environ["HTTP_" + ACCOUNT_HEADER.upper().replace("-", "_")] = self.id
        handler = self.services[service]()
        with self.moto():
            return Reply(*handler._dispatch(request)), handler

    def close(self) -> None:
        """Forget the account; a second call does nothing."""
        with _moto:
            for backends in tuple(BackendDict._instances):  # type: ignore[misc]
                backends.pop(self.id, None)
            # moto's dashboard holds every model that was ever made; nobody looks at it here.
            model_instances.reset_model_data()
