"""Listeners of network load balancers: no TLS policy without TLS, every protocol modifiable, no port twice."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import DuplicateListenerError
from moto.elbv2.models import FakeAction
from moto.elbv2.responses import ELBV2Response

TLS_PROTOCOLS = frozenset({"HTTPS", "TLS"})
"""Protocols with a policy: "[HTTPS and TLS listeners] The security policy that defines which protocols and ciphers are
supported." https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html"""


class Listeners(ELBV2Response):
    """CreateListener and ModifyListener of network load balancers."""

    def create_listener(self) -> ActionResult:
        """Create. DuplicateListenerError: the port is taken.

        "DuplicateListener: A listener with the specified port already exists" (API_CreateListener.html); we let TCP and
        UDP share a port, as cloud-provider-aws expects (inferred).
        """
        balancer = self.elbv2_backend.load_balancers.get(self._get_param("LoadBalancerArn"))
        asked = (int(self._get_param("Port")), self._get_param("Protocol"))
        if balancer is not None and asked in {(int(one.port), one.protocol) for one in balancer.listeners.values()}:
            raise DuplicateListenerError()
        done = super().create_listener()
        if balancer is not None:
            for listener in balancer.listeners.values():
                forget_policy(listener)
        return done

    def modify_listener(self) -> ActionResult:
        """Modify; moto lets a listener become HTTP, HTTPS or TCP only."""
        listeners = self.elbv2_backend.describe_listeners(None, [self._get_param("ListenerArn")])
        listener: Any = listeners[0]
        if self._get_param("Protocol", listener.protocol) not in {"TCP", "UDP", "TCP_UDP", "TLS"}:
            return super().modify_listener()
        listener.protocol = self._get_param("Protocol", listener.protocol)
        listener.port = self._get_param("Port", listener.port)
        listener.ssl_policy = self._get_param("SslPolicy", listener.ssl_policy)
        if certificates := self._get_param("Certificates", []):
            listener.certificates = [one["CertificateArn"] for one in certificates]
            listener.certificate = listener.certificates[0]
        if actions := [FakeAction(action) for action in self._get_param("DefaultActions", [])]:
            listener.default_actions = actions
            listener._default_rule[0].actions = actions
        forget_policy(listener)
        return ActionResult({"Listeners": [listener]})


def forget_policy(listener: Any) -> None:
    """Leave a listener without TLS neither policy nor certificates.

    cloud-provider-aws takes a policy on a TCP listener for drift and modifies the listener at every sync.
    """
    if listener.protocol not in TLS_PROTOCOLS:
        listener.ssl_policy = None
        listener.certificate = None
        listener.certificates = []
