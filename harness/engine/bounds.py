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

CONVERGENCE_S = 60.0
"""Bound for what the oracles wait for: an attempt, three retries (5 + 10 + 20 s) and the attempt after them."""

QUIET_PERIODS = 2
"""Reconcile periods without a change after which a controller counts as settled."""
