"""Routes to instances: they turn into black holes when the instance ends, and cannot be made to one that has ended."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance
from moto.ec2.models.route_tables import Route
from moto.ec2.responses import EC2Response

from fakeclouds.aws.corrections.models import corrects, retype


@corrects(Route)
class RouteToTarget(Route):
    """A route whose state is that of its target; moto's is always active.

    AWS: "The blackhole state indicates that the route's target isn't available (for example, the specified gateway
    isn't attached to the VPC, or the specified NAT instance has been terminated)."
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html

    Which ids a black hole keeps is not documented. We drop the instance's and keep the interface's: with the instance's
    id kept, the route controller would ask for an instance that is gone and fail for good, which AWS users do not see.
    """

    @property
    def target_gone(self) -> bool:
        """Whether the instance behind the route has ended."""
        return self.instance is not None and self.instance.state == "terminated"

    @property
    def state(self) -> str:
        """`active` or `blackhole`."""
        return "blackhole" if self.target_gone else "active"

    @property
    def instance_id(self) -> str | None:
        """The instance that takes the packets, as long as there is one."""
        return None if self.target_gone else super().instance_id

    @property
    def network_interface_id(self) -> str | None:
        """The interface that the route was made for."""
        return super().network_interface_id or getattr(self, "made_for_interface", None)


class Routes(EC2Response):
    """CreateRoute and ReplaceRoute that look at the instance, and routes that follow it."""

    def create_route(self) -> ActionResult:
        """Create, and let the route follow its target. EC2ClientError: the instance takes no route."""
        check_target(self._target())
        done = super().create_route()
        self._follow_targets()
        return done

    def replace_route(self) -> ActionResult:
        """Replace, and let the route follow its target. EC2ClientError: the instance takes no route."""
        check_target(self._target())
        done = super().replace_route()
        self._follow_targets()
        return done

    def _target(self) -> Instance | None:
        instance_id = self._get_param("InstanceId")
        return self.ec2_backend.get_instance(instance_id) if instance_id else None

    def _follow_targets(self) -> None:
        table = self.ec2_backend.get_route_table(self._get_param("RouteTableId"))
        for route in table.routes:
            retype(route, RouteToTarget)
            if route.instance is not None and not route.target_gone:
                route.made_for_interface = route.instance.nics[0].id


def check_target(instance: Instance | None) -> None:
    """Refuse an instance that cannot be the target of a route. EC2ClientError.

    Ended: that it is refused follows from its having no interface; the code is not documented for it.
    Several interfaces: "InvalidInstanceID: This error can occur when trying to perform an operation on an instance
    that has multiple network interfaces." https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    if instance is None:
        return
    if instance.state in ("shutting-down", "terminated"):
        text = f"The instance '{instance.id}' is not in a valid state for this operation."
        raise EC2ClientError("IncorrectInstanceState", text)
    if len(instance.nics) > 1:
        text = (
            f"There are multiple interfaces attached to instance '{instance.id}'. "
            "Please specify an interface ID for the operation instead."
        )
        raise EC2ClientError("InvalidInstanceID", text)
