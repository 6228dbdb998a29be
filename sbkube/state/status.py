"""The status of a deployment, computed from what was recorded below it, never set by wish."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.outcome import OpState
from sbkube.models.plan import BESIDE, Verb
from sbkube.state.tables import app_deployments, deployed_resources, deployments, helm_releases

# What changes no object of ours, or one that another row tells of.
_BESIDE = tuple(sorted((BESIDE - {"helm"}) | {Verb.MIGRATE.value, Verb.GIVE_BACK.value, Verb.HANDOVER.value}))
_BAD = frozenset({OpState.FAILED, OpState.ABANDONED})
_BAD_APPS = frozenset({DeploymentStatus.FAILED, DeploymentStatus.PARTIALLY_FAILED})


@dataclass(frozen=True, slots=True)
class Facts:
    """Operations by state and apps by status; operations of one app only when it was asked for one."""

    operations: dict[OpState, int]
    apps: dict[DeploymentStatus, int]

    @property
    def settled(self) -> bool:
        """There are operations, and none of them is open."""
        return bool(self.operations) and not self.operations.get(OpState.INTENDED)


def facts(conn: Connection, deployment: int, app: int | None = None) -> Facts:
    """What is recorded of a deployment, or of one app of it."""
    operations: dict[OpState, int] = {}
    for table in (deployed_resources, helm_releases):
        query = select(table.c.state, func.count()).where(table.c.deployment_id == deployment)
        if app is not None:
            query = query.where(table.c.app_deployment_id == app)
        for state, number in conn.execute(query.group_by(table.c.state)):
            operations[OpState(state)] = operations.get(OpState(state), 0) + number
    query = select(app_deployments.c.status, func.count()).where(app_deployments.c.deployment_id == deployment)
    apps = {DeploymentStatus(s): n for s, n in conn.execute(query.group_by(app_deployments.c.status))}
    return Facts(operations, apps)


def compute(found: Facts, *, error: bool = False, interrupted: bool = False) -> DeploymentStatus:
    """Interrupted if it was cut off or intents are open; else failed if anything failed or was abandoned or an
    error ended it (partially, if another app succeeded, or without apps another operation); else success."""
    if interrupted or found.operations.get(OpState.INTENDED):
        return DeploymentStatus.INTERRUPTED
    bad = error or _any(found.operations, _BAD) or _any(found.apps, _BAD_APPS)
    if not bad:
        return DeploymentStatus.SUCCESS
    if found.apps:
        good = bool(found.apps.get(DeploymentStatus.SUCCESS))
    else:
        good = bool(found.operations.get(OpState.APPLIED))
    return DeploymentStatus.PARTIALLY_FAILED if good else DeploymentStatus.FAILED


def effects(conn: Connection, deployment: int) -> dict[str, int]:
    """Objects by what really became of them: `create`, `change`, `delete`, `recreate`; and how many `releases`
    were acted on and `commands` run."""
    c, r = deployed_resources.c, helm_releases.c
    query = select(
        c.verb,
        c.before_blob.is_(None),
        c.after_blob.is_(None),
        c.resource_version_before,
        c.resource_version_after,
    ).where(c.deployment_id == deployment, c.state == OpState.APPLIED.value, c.verb.not_in(_BESIDE))
    counts = dict.fromkeys(("create", "change", "delete", "recreate"), 0)
    for verb, new, gone, before, after in conn.execute(query):
        if verb == Verb.DELETE or (gone and not new):
            counts["delete"] += 1
        elif verb == Verb.RECREATE:
            counts["recreate"] += 1
        elif new:
            counts["create"] += not gone
        elif not before or before != after:
            counts["change"] += 1
    acted = select(func.count()).where(r.deployment_id == deployment, r.state == OpState.APPLIED.value)
    ran = select(func.count()).where(
        c.deployment_id == deployment, c.state == OpState.APPLIED.value, c.verb == Verb.RUN.value
    )
    return {**counts, "releases": conn.execute(acted).scalar() or 0, "commands": conn.execute(ran).scalar() or 0}


def _any(counts: dict[OpState, int] | dict[DeploymentStatus, int], wanted: Iterable[object]) -> bool:
    return any(counts.get(word) for word in wanted)  # type: ignore[call-overload]


def rolled_back_since(conn: Connection, deployment: int) -> bool:
    """A newer deployment of the same target rolled back with success."""
    own = conn.execute(select(deployments).where(deployments.c.id == deployment)).one()
    c = deployments.c
    query = select(c.id).where(
        c.id > deployment,
        c.purpose == "rollback",
        c.status == DeploymentStatus.SUCCESS.value,
        c.cluster_uid == own.cluster_uid,
        c.project == own.project,
    )
    return conn.execute(query.limit(1)).first() is not None
