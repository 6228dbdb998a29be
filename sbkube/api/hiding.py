"""Which values of what was recorded may not be shown, as the project sees it now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sbkube.models.deployment_state import DeploymentRecord
from sbkube.plan.sensitive import sensitive_paths

if TYPE_CHECKING:
    from sbkube.state.tracker import DeploymentTracker


def hidden_paths(ledger: DeploymentTracker, records: Iterable[DeploymentRecord]) -> tuple[str, ...]:
    """Globs of paths that these deployments, or the newest ones of their projects there, call sensitive.

    What became a secret later is hidden in what was recorded before, too.
    """
    found = {record.id: record for record in records}
    for target in {(r.cluster_uid, r.project, r.namespace) for r in found.values()}:
        names = dict(zip(("cluster", "project", "namespace"), target, strict=True))
        found |= {record.id: record for record in ledger.list_deployments(limit=1, **names)}
    return tuple(sorted({path for r in found.values() for path in sensitive_paths(r.config_snapshot)}))
