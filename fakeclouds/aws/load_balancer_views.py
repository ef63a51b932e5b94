"""The account's load balancers in neutral words, classic and network alike, read from moto's models.

Reads only; whoever calls holds the front door's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fakeclouds.aws.account import Account
from fakeclouds.aws.tags import SERVICE, as_mapping, cluster_tag
from fakeclouds.base import Backend, Frontend, LoadBalancer

CLASSIC, NETWORK = "classic", "nlb"

HEALTH_RULE = "kubernetes.io/rule/nlb/health"
"""How cloud-provider-aws describes a rule that lets only health checks in (pkg/providers/v1/aws.go)."""


def load_balancers(account: Account, *, cluster_name: str) -> tuple[LoadBalancer, ...]:
    """Every load balancer, sorted by id."""
    owner = cluster_tag(cluster_name)
    found = [classic(account, model, owner) for model in account.elb.load_balancers.values()]
    found += [network(account, model, owner) for model in account.elbv2.load_balancers.values()]
    return tuple(sorted(found, key=lambda balancer: balancer.id))


def classic(account: Account, model: Any, owner: str) -> LoadBalancer:
    """A classic load balancer; its id is its name. `owner`: key of the cluster's tag."""
    tags = as_mapping(model.tags)
    frontends = [
        Frontend(
            protocol=listener.protocol,
            port=int(listener.load_balancer_port),
            backend_protocol=listener.instance_protocol,
            backend_port=int(listener.instance_port),
        )
        for listener in model.listeners
    ]
    states = account.elb.describe_instance_health(model.name, [])
    backends = [
        Backend(instance_id=state["InstanceId"], port=port, state=state["State"])
        for state in states
        for port in {frontend.backend_port for frontend in frontends}
    ]
    ranges = allowed(group_rules(account, model.security_groups), {("tcp", one.port) for one in frontends})
    return LoadBalancer(
        id=model.name,
        name=model.name,
        variant=CLASSIC,
        addresses=(model.dns_name,),
        internal=model.scheme == "internal",
        service=tags.get(SERVICE),
        owned=owner in tags,
        frontends=in_order(frontends),
        backends=tuple(sorted(backends, key=lambda backend: (backend.instance_id, backend.port))),
        source_ranges=tuple(sorted(ranges)),
    )


def network(account: Account, model: Any, owner: str) -> LoadBalancer:
    """A network load balancer; its id is its ARN. `owner`: key of the cluster's tag.

    Who may reach it is said by its own security groups or, where it has none, by those of its targets: they see the
    clients' addresses.
    """
    tags = as_mapping(account.elbv2.tagging_service.get_tag_dict_for_resource(model.arn))
    groups = {listener.arn: group for listener in model.listeners.values() for group in groups_of(account, listener)}
    frontends = [
        Frontend(
            protocol=listener.protocol,
            port=int(listener.port),
            backend_protocol=groups[listener.arn].protocol if listener.arn in groups else "",
            backend_port=int(groups[listener.arn].port) if listener.arn in groups else 0,
        )
        for listener in model.listeners.values()
    ]
    backends = {backend for group in groups.values() for backend in targets(account, group)}
    return LoadBalancer(
        id=model.arn,
        name=model.name,
        variant=NETWORK if model.type == "network" else model.type,
        addresses=(model.dns_name,),
        internal=model.scheme == "internal",
        service=tags.get(SERVICE),
        owned=owner in tags,
        frontends=in_order(frontends),
        backends=tuple(sorted(backends, key=lambda backend: (backend.instance_id, backend.port))),
        source_ranges=tuple(sorted(network_ranges(account, model, frontends, backends))),
    )


def groups_of(account: Account, listener: Any) -> Iterator[Any]:
    """The target groups that a listener leads to."""
    for action in listener.default_actions:
        for arn in account.elbv2._get_target_group_arns_from(action_data=action.data):
            yield account.elbv2.target_groups[arn]


def targets(account: Account, group: Any) -> Iterator[Backend]:
    """The targets of a group."""
    for target in group.targets.values():
        state = group.health_for(target, account.ec2).status
        yield Backend(instance_id=target["Id"], port=int(target["Port"]), state=state)


def network_ranges(
    account: Account, model: Any, frontends: Iterable[Frontend], backends: Iterable[Backend]
) -> set[str]:
    """CIDRs from which clients get through a network load balancer."""
    if model.security_groups:
        wanted = {(transport(one.protocol), one.port) for one in frontends}
        return allowed(group_rules(account, model.security_groups), wanted)
    wanted = {(transport(one.backend_protocol), one.backend_port) for one in frontends}
    instances = [account.ec2.get_instance_by_id(backend.instance_id) for backend in backends]
    groups = {group.id for one in instances if one is not None for group in one.security_groups}
    return allowed(group_rules(account, sorted(groups)), wanted)


def transport(protocol: str) -> str:
    """The protocol that a security group rule speaks of."""
    return "udp" if protocol == "UDP" else "tcp"


def group_rules(account: Account, group_ids: Iterable[str]) -> Iterator[Any]:
    """The rules that let something into the groups."""
    for group_id in group_ids:
        group = account.ec2.get_security_group_from_id(group_id)
        yield from group.ingress_rules if group is not None else ()


def allowed(rules: Iterable[Any], wanted: set[tuple[str, int]]) -> set[str]:
    """CIDRs that the rules let through to any of the wanted (protocol, port), health checks left out."""
    return {
        cidr
        for rule in rules
        if any(covers(rule, protocol, port) for protocol, port in wanted)
        and not str(rule.ip_range.get("Description", "")).startswith(HEALTH_RULE)
        and (cidr := rule.ip_range.get("CidrIp") or rule.ip_range.get("CidrIpv6"))
    }


def covers(rule: Any, protocol: str, port: int) -> bool:
    """Whether a rule is about a protocol and port."""
    if rule.ip_protocol == "-1":
        return True
    return bool(rule.ip_protocol == protocol and rule.from_port <= port <= rule.to_port)


def in_order(frontends: Iterable[Frontend]) -> tuple[Frontend, ...]:
    """Frontends by port and protocol."""
    return tuple(sorted(frontends, key=lambda frontend: (frontend.port, frontend.protocol)))
