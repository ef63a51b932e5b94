"""Which response class answers which service: moto's own, or moto's with our corrections before it.

The corrections themselves are in `corrections`; this is where they are listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.responses import BaseResponse
from moto.ec2.responses import EC2Response
from moto.elb.responses import ELBResponse
from moto.elbv2.responses import ELBV2Response
from moto.sts.responses import TokenResponse

from fakeclouds.aws.corrections.classic_listeners import ClassicListeners
from fakeclouds.aws.corrections.classic_load_balancers import ClassicLoadBalancers
from fakeclouds.aws.corrections.ids import MalformedIds
from fakeclouds.aws.corrections.listeners import Listeners
from fakeclouds.aws.corrections.network_load_balancers import NetworkLoadBalancers
from fakeclouds.aws.corrections.repeated_ids import RepeatedInstanceIds
from fakeclouds.aws.corrections.routes import Routes
from fakeclouds.aws.corrections.security_groups import SecurityGroupDependencies
from fakeclouds.aws.corrections.target_groups import TargetGroups
from fakeclouds.aws.corrections.termination import Termination
from fakeclouds.aws.corrections.topology import InstanceTopology
from fakeclouds.aws.parameters import Recorded


class Reading(BaseResponse):
    """Parses into parameters that remember who read them."""

    PROTOCOL_PARSER_MAP_TYPE: Any = Recorded

    def parse_parameters(self, request: Any) -> None:
        """Parse, and begin to watch."""
        super().parse_parameters(request)
        if isinstance(self.params, Recorded):
            self.params.begin()


class Ec2(
    MalformedIds,
    RepeatedInstanceIds,
    Termination,
    Routes,
    SecurityGroupDependencies,
    InstanceTopology,
    Reading,
    EC2Response,
):
    """EC2, corrected."""


class Elb(ClassicListeners, ClassicLoadBalancers, Reading, ELBResponse):
    """Classic load balancers, corrected."""


class Elbv2(TargetGroups, Listeners, NetworkLoadBalancers, Reading, ELBV2Response):
    """Network load balancers, corrected."""


class Sts(Reading, TokenResponse):
    """Security tokens, as moto has them."""


CORRECTED: Mapping[str, type[BaseResponse]] = {"ec2": Ec2, "elb": Elb, "elbv2": Elbv2, "sts": Sts}
"""What a fake AWS answers with."""

PLAIN: Mapping[str, type[BaseResponse]] = {
    "ec2": EC2Response,
    "elb": ELBResponse,
    "elbv2": ELBV2Response,
    "sts": TokenResponse,
}
"""moto as it is: what the conformance tests prove the corrections against."""
