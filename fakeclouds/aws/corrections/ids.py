"""Ids that are no ids: AWS tells a malformed id from an unknown one, moto does not."""

from __future__ import annotations

import re
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response

FORMS = {
    "InstanceId": ("i", "InvalidInstanceID.Malformed"),
    "InstanceIds": ("i", "InvalidInstanceID.Malformed"),
    "GroupId": ("sg", "InvalidGroupId.Malformed"),
    "GroupIds": ("sg", "InvalidGroupId.Malformed"),
    "RouteTableId": ("rtb", "InvalidRouteTableId.Malformed"),
    "RouteTableIds": ("rtb", "InvalidRouteTableId.Malformed"),
    "NetworkInterfaceId": ("eni", "InvalidNetworkInterfaceId.Malformed"),
    "NetworkInterfaceIds": ("eni", "InvalidNetworkInterfaceId.Malformed"),
}
"""Parameter → prefix of its ids, and the code for those that do not look like one.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""


class MalformedIds(EC2Response):
    """Refuses ids that do not consist of a prefix and 8 or 17 hexadecimal digits.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
    """

    def parse_parameters(self, request: Any) -> None:
        """Parse, then look at the ids."""
        super().parse_parameters(request)
        self.malformed = malformed(dict(self.params))

    def call_action(self) -> Any:
        """Answer, or refuse the malformed id that was found."""
        if self.malformed is not None:
            return self.serialized(ActionResult(self.malformed))
        return super().call_action()


def malformed(parameters: dict[str, Any]) -> EC2ClientError | None:
    """The error for the first malformed id in a request's parameters; None when all are well formed."""
    for name, (prefix, code) in FORMS.items():
        value = parameters.get(name, [])
        for identifier in value if isinstance(value, list) else [value]:
            if not re.fullmatch(rf"{prefix}-([0-9a-f]{{8}}|[0-9a-f]{{17}})", identifier):
                return EC2ClientError(code, f'Invalid id: "{identifier}"')
    return None
