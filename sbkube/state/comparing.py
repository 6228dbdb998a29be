"""What a project had in its cluster when a deployment ended: objects with their images, and releases."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from sbkube.errors import UsageError
from sbkube.models.comparison import ReleaseThen, Then
from sbkube.models.deployment_state import LockTarget
from sbkube.models.outcome import OpState
from sbkube.models.plan import BESIDE, HELM
from sbkube.state import history
from sbkube.state.blobs import BlobStore, release_identity
from sbkube.state.history import of_target
from sbkube.state.tables import deployments, helm_releases


def both(conn: Connection, store: BlobStore, first: str, second: str) -> tuple[Then, Then]:
    """The states that two deployments of one target left; raises UsageError where they are not of one."""
    found = [history.one(conn, history.resolve(conn, name), store) for name in (first, second)]
    targets = [LockTarget(r.project, r.cluster_uid, r.namespace) for r in found]
    if targets[0] != targets[1]:
        names = " and ".join(f"{t.project} in {t.namespace}" for t in targets)
        raise UsageError(f"these are deployments of {names}", hint="compare two of one project on one cluster")
    left, right = (_then(conn, store, r.id, r.deployment_id, targets[0]) for r in found)
    return left, right


def _then(conn: Connection, store: BlobStore, key: int, name: str, target: LockTarget) -> Then:
    rows = history.left_by(conn, key, target, store, beside=BESIDE - {HELM})
    objects = {row.key: row.after for row in rows if row.after is not None}
    hidden = frozenset(row.key for row in rows if row.missing_key)
    return Then(name, objects, _releases(conn, store, key, target), hidden)


def _releases(conn: Connection, store: BlobStore, key: int, target: LockTarget) -> dict[str, ReleaseThen]:
    c = helm_releases.c
    newest = (
        select(func.max(c.id).label("id"))
        .join(deployments, deployments.c.id == c.deployment_id)
        .where(c.deployment_id <= key, c.state == OpState.APPLIED.value, *of_target(target))
        .group_by(c.namespace, c.release_name)
        .subquery()
    )
    rows = conn.execute(select(helm_releases).join(newest, newest.c.id == c.id).order_by(c.id)).all()
    names = {r.values_blob: release_identity(r.namespace, r.release_name) for r in rows if r.values_blob}
    values = store.load(conn, names)
    return {
        f"{r.namespace}/{r.release_name}": ReleaseThen(
            r.chart, r.chart_version, r.revision_after, values.get(r.values_blob)
        )
        for r in rows
        if r.revision_after
    }
