"""How long things may take: what no flag of a controller changes, with its source, and the bounds that follow."""

from __future__ import annotations

SERVICE_RETRY_S_MIN = 5.0
"""First pause of the service controller after a failed sync; it doubles up to 300 s.

k8s.io/cloud-provider, controllers/service/controller.go: minRetryDelay, maxRetryDelay.
"""

SECURITY_GROUP_DELETION_POLL_S = 5.0
"""Pause between two attempts of aws-cloud-controller-manager to delete a load balancer's security group.

cloud-provider-aws, pkg/providers/v1/aws.go: EnsureLoadBalancerDeleted.
"""

CONVERGENCE_S = SERVICE_RETRY_S_MIN * (1 + 2 + 4) + 5 * SECURITY_GROUP_DELETION_POLL_S
"""Bound for what the oracles wait for, 60 s: three pauses of the service controller, and five of a deletion."""

QUIET_PERIODS = 2
"""Reconcile periods without a change after which a controller counts as settled."""
