"""Listeners of classic load balancers: the protocol towards the instances, deletion, and the instance ports behind."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.elb.models import FakeBackend, FakeListener
from moto.elb.responses import ELBResponse

from fakeclouds.aws.corrections.models import corrects, retype


@corrects(FakeListener)
class ClassicListener(FakeListener):
    """A listener that speaks another protocol to the instances if it was told to; moto's never does."""

    towards_instances: str | None = None
    """What CreateLoadBalancer or CreateLoadBalancerListeners said, upper case."""

    @property
    def instance_protocol(self) -> str:
        """`InstanceProtocol` of the listener.

        "If the front-end protocol is HTTP or HTTPS, the back-end protocol must be HTTP or HTTPS": a field of its own.
        https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_Listener.html
        """
        return self.towards_instances or self.protocol


class ClassicListeners(ELBResponse):
    """The operations on listeners."""

    def create_load_balancer(self) -> ActionResult:
        """Create, and keep the listeners' instance protocols."""
        done = super().create_load_balancer()
        self._keep_instance_protocols()
        return done

    def create_load_balancer_listeners(self) -> ActionResult:
        """Create, keep the instance protocols, and know the new instance ports, so that policies can be set on them."""
        done = super().create_load_balancer_listeners()
        self._keep_instance_protocols()
        balancer = self._balancer()
        known = {int(backend.instance_port) for backend in balancer.backends}
        for port in sorted({int(listener.instance_port) for listener in balancer.listeners} - known):
            balancer.backends.append(FakeBackend(instance_port=str(port)))
        return done

    def delete_load_balancer_listeners(self) -> ActionResult:
        """Delete the listeners of all named ports; with two ports moto doubles the others and deletes none.

        https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeleteLoadBalancerListeners.html
        """
        ports = {int(port) for port in self._get_param("LoadBalancerPorts", [])}
        balancer = self._balancer()
        balancer.listeners = [kept for kept in balancer.listeners if int(kept.load_balancer_port) not in ports]
        return EmptyResult()

    def _balancer(self) -> Any:
        return self.elb_backend.get_load_balancer(self._get_param("LoadBalancerName"))

    def _keep_instance_protocols(self) -> None:
        told = {int(one["LoadBalancerPort"]): one.get("InstanceProtocol") for one in self._get_param("Listeners", [])}
        for listener in self._balancer().listeners:
            if int(listener.load_balancer_port) in told:
                protocol = told[int(listener.load_balancer_port)]
                retype(listener, ClassicListener).towards_instances = protocol.upper() if protocol else None
