"""What a project had in its cluster when a deployment ended: objects with their images, and releases."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from sbkube.errors import UsageError
from sbkube.models.comparison import ReleaseThen, Then
from sbkube.models.deployment_state import DeploymentRecord, LockTarget, ResourceRecord
from sbkube.models.outcome import OpState
from sbkube.models.plan import BESIDE, HELM, Verb
from sbkube.state import history
from sbkube.state.blobs import BlobStore, release_identity
from sbkube.state.history import of_target
from sbkube.state.tables import deployed_resources, deployments, helm_releases

_BESIDE = BESIDE - {HELM, Verb.LABEL.value}  # what we add to an object of a release is a part of it


def both(conn: Connection, store: BlobStore, first: str, second: str) -> tuple[Then, Then]:
    """The states that two deployments of one target left; raises UsageError where they are not of one."""
    found = [history.one(conn, history.resolve(conn, name), store) for name in (first, second)]
    target = _target_of(found)
    left, right = (
        _then(conn, store, r, target, history.left_by(conn, r.id, target, store, beside=_BESIDE)) for r in found
    )
    return left, right


def part(
    conn: Connection, store: BlobStore, found: Sequence[DeploymentRecord], *, skip: int = 0, limit: int = 50
) -> tuple[Then, Then, bool]:
    """The same, but of the objects only some of those that may differ, because something was done to them in
    between: `limit` of them after the first `skip`, by kind and name. And whether there are more."""
    target = _target_of(found)
    c, (low, high) = deployed_resources.c, sorted(record.id for record in found)
    touched = history.newest_of_each(high, target, _BESIDE).where(c.deployment_id > low)
    touched = touched.order_by(c.kind, c.namespace, c.name, c.api_group).offset(skip).limit(limit + 1)
    keys = list(conn.execute(touched).scalars())
    later = history.loaded(conn, store, c.id.in_(keys[:limit]))
    before = history.newest_of_each(low, target, _BESIDE)
    older = [conn.execute(before.where(*history.of_object(row.key))).scalar() for row in later]
    earlier = history.loaded(conn, store, c.id.in_([key for key in older if key]))
    left, right = (_then(conn, store, r, target, later if r.id == high else earlier) for r in found)
    return left, right, len(keys) > limit


def _target_of(found: Sequence[DeploymentRecord]) -> LockTarget:
    """The one that both deployments are of."""
    targets = [LockTarget(r.project, r.cluster_uid, r.namespace) for r in found]
    if targets[0] != targets[1]:
        names = " and ".join(f"{t.project} in {t.namespace}" for t in targets)
        raise UsageError(f"these are deployments of {names}", hint="compare two of one project on one cluster")
    return targets[0]


def _then(
    conn: Connection,
    store: BlobStore,
    record: DeploymentRecord,
    target: LockTarget,
    rows: Sequence[ResourceRecord],
) -> Then:
    objects = {row.key: row.after for row in rows if row.after is not None}
    hidden = frozenset(row.key for row in rows if row.missing_key)
    return Then(record.deployment_id, objects, _releases(conn, store, record.id, target), hidden)


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
