"""The first record of a deployment: everything that is planned, before anything of it is done.

One whose turn comes later (others of its run are executed first) is announced: recorded as `pending` under its
lock, so that a run that is killed before that turn has left a record of all that it wanted. It is taken over when
it begins, with the plan as it was made then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select, update

from sbkube.errors import StateError
from sbkube.models.deployment_state import DeploymentCreate, DeploymentStatus, LockInfo
from sbkube.models.plan import Plan
from sbkube.state import plans
from sbkube.state.records import insert_deployment
from sbkube.state.tables import app_deployments, deployments

if TYPE_CHECKING:
    from sbkube.state.blobs import BlobStore


def record(
    conn: Connection, store: BlobStore, data: DeploymentCreate, plan: Plan, lock: LockInfo, *, begun: bool
) -> int:
    """Record a deployment with its plan and give its key.

    `begun`: it begins now, and takes over what was announced under its id. Raises StateError for an id that has
    begun.
    """
    batch = store.batch()
    plan_blob = plans.store_plan(plan, batch)
    specs = [batch.add(dict(app.spec)) for app in plan.apps]
    sources = batch.add(dict(data.sources_snapshot)) if data.sources_snapshot is not None else None
    batch.save(conn)
    status = DeploymentStatus.IN_PROGRESS if begun else DeploymentStatus.PENDING
    values = {
        "status": status.value,
        "purpose": plan.purpose,
        "plan_blob": plan_blob,
        "counts": plan.counts(),
        "lock_token": lock.token,
    }
    key = _announced(conn, data, lock) if begun else None
    if key is None:
        key = insert_deployment(conn, store, data, values)
    else:
        conn.execute(update(deployments).where(deployments.c.id == key).values(**values, sources_blob=sources))
        conn.execute(delete(app_deployments).where(app_deployments.c.deployment_id == key))
    _insert_apps(conn, key, plan, specs)
    return key


def _announced(conn: Connection, data: DeploymentCreate, lock: LockInfo) -> int | None:
    c = deployments.c
    query = select(c.id, c.status, c.lock_token).where(c.deployment_id == data.deployment_id)
    row = conn.execute(query).first() if data.deployment_id else None
    if row is None:
        return None
    if (row.status, row.lock_token) != (DeploymentStatus.PENDING.value, lock.token):
        raise StateError("a deployment with this id is recorded already", subject=data.deployment_id)
    return int(row.id)


def _insert_apps(conn: Connection, key: int, plan: Plan, specs: list[Any]) -> None:
    rows = [
        {
            "deployment_id": key,
            "app_name": app.name,
            "app_type": app.type,
            "namespace": app.namespace,
            "status": DeploymentStatus.PENDING.value,
            "spec_blob": spec,
            "sources": dict(app.sources),
        }
        for app, spec in zip(plan.apps, specs, strict=True)
    ]
    if rows:
        conn.execute(insert(app_deployments), rows)
