"""What pages ask: the newest of each project, parts of a deployment, one object through time, whether it moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus, ResourceRecord
from sbkube.models.outcome import OpState
from sbkube.models.outline import Outline
from sbkube.models.plan import HELM
from sbkube.models.resource import ResourceKey
from sbkube.state import history, locks, rows
from sbkube.state.blobs import BlobStore, batches, object_identity
from sbkube.state.tables import app_deployments, deployed_resources, deployments, events
from sbkube.state.tables import locks as held
from sbkube.state.writing import database_now

TARGETS = 500  # so many projects on clusters are listed, the newest first


def cut_off(conn: Connection) -> frozenset[int]:
    """Keys of the deployments that have not ended and whose run no longer lives."""
    d, h = deployments.c, held.c
    same = and_(h.project == d.project, h.cluster_uid == d.cluster_uid, h.namespace == d.namespace)
    lease = (h.holder, h.host, h.host_id, h.pid, h.pid_started, h.expires_at)
    query = select(d.id.label("key"), *lease).outerjoin(held, and_(same, h.token == d.lock_token))
    found = conn.execute(query.where(d.status.in_(history.RUNNING))).all()
    now = database_now(conn)
    return frozenset(row.key for row in found if not locks.alive(row, now))


def truly(conn: Connection, records: Iterable[DeploymentRecord]) -> tuple[DeploymentRecord, ...]:
    """The records, where what was cut off is interrupted, though nobody has settled it yet."""
    dead = cut_off(conn)
    return tuple(replace(r, status=DeploymentStatus.INTERRUPTED) if r.id in dead else r for r in records)


def newest(conn: Connection, store: BlobStore) -> tuple[DeploymentRecord, ...]:
    """The newest deployment of each project in each namespace of each cluster, newest first."""
    c = deployments.c
    key = func.max(c.id).label("key")
    query = select(key).group_by(c.cluster_uid, c.project, c.namespace).order_by(key.desc()).limit(TARGETS)
    return truly(conn, history.keyed(conn, list(conn.execute(query).scalars()), store))


def totals(conn: Connection) -> list[tuple[str, str, str, int, datetime]]:
    """(cluster, project, status, how many, newest) of all deployments."""
    c = deployments.c
    status = case((c.id.in_(cut_off(conn)), DeploymentStatus.INTERRUPTED.value), else_=c.status).label("fate")
    query = select(c.cluster, c.project, status, func.count(), func.max(c.created_at, type_=c.created_at.type))
    found = conn.execute(query.group_by(c.cluster, c.project, "fate").order_by(c.cluster, c.project, "fate"))
    return [(row[0], row[1], row[2], int(row[3]), row[4]) for row in found]


def through_time(
    conn: Connection, store: BlobStore, cluster: str, key: ResourceKey, *, before: int = 0, limit: int = 50
) -> list[tuple[DeploymentRecord, ResourceRecord]]:
    """What was done to one object on one cluster (by its UID), newest first, with images; `before` is the key of
    the row that the page before ended with."""
    c, d = deployed_resources.c, deployments.c
    query = (
        select(deployed_resources, app_deployments.c.app_name)
        .join(app_deployments, app_deployments.c.id == c.app_deployment_id)
        .join(deployments, d.id == c.deployment_id)
        .where(*history.of_object(key), d.cluster_uid == cluster)
        .order_by(c.id.desc())
        .limit(limit)
    )
    found = conn.execute(query.where(c.id < before) if before else query).all()
    values = store.load(conn, _images(found))
    known = {record.id: record for record in history.keyed(conn, sorted({r.deployment_id for r in found}), store)}
    return [(known[row.deployment_id], rows.resource_record(row, row.app_name, values)) for row in found]


def outline(conn: Connection, store: BlobStore, key: int, *, most: int, drawn: int) -> Outline:
    """A deployment with at most so many of its objects, and the times of at most so many."""
    c = deployed_resources.c
    own = select(deployed_resources).where(c.deployment_id == key)
    shown = conn.execute(own.order_by(c.state == OpState.APPLIED.value, c.id).limit(most)).all()
    detail = history.detail(conn, key, store, sorted(shown, key=lambda row: int(row.id)))
    begun = and_(c.started_at.is_not(None), c.verb != HELM)
    timed = conn.execute(own.where(begun).order_by(c.app_deployment_id, c.started_at, c.id).limit(drawn)).all()
    detail = replace(detail, deployment=truly(conn, [detail.deployment])[0])
    names = {app.id: app.app_name for app in detail.apps}
    query = select(c.app_deployment_id, func.count(), func.sum(case((begun, 1), else_=0)))
    counts = conn.execute(query.where(c.deployment_id == key).group_by(c.app_deployment_id)).all()
    return Outline(
        detail,
        {names[row[0]]: int(row[1]) for row in counts},
        tuple(rows.resource_record(row, names[row.app_deployment_id], {}) for row in timed),
        sum(int(row[2]) for row in counts) - len(timed),
    )


def objects(
    conn: Connection, store: BlobStore, key: int, app: str, *, after: int = 0, limit: int = 50
) -> list[ResourceRecord]:
    """What one app of a deployment did to objects, in order and with images; `after` is the key of the row that
    the page before ended with."""
    c, a = deployed_resources.c, app_deployments.c
    query = select(c.id).join(app_deployments, a.id == c.app_deployment_id)
    query = query.where(a.deployment_id == key, a.app_name == app, c.id > after).order_by(c.id).limit(limit)
    return history.loaded(conn, store, c.id.in_(conn.execute(query).scalars().all()))


def _images(found: Sequence[Any]) -> Mapping[str, str]:
    return {
        name: object_identity(rows.resource_key(row))
        for row in found
        for name in (row.intent_blob, row.before_blob, row.after_blob)
        if name
    }


def pulse(conn: Connection, name: str) -> str:
    """A text that is another one as soon as something has moved: in one deployment, or ("") in any that runs."""
    d, r = deployments.c, deployed_resources.c
    if name:
        chosen = list(conn.execute(select(d.id).where(d.deployment_id == name)).scalars())
    else:
        chosen = list(conn.execute(select(d.id).where(d.status.in_(history.RUNNING))).scalars())
    parts: list[Any] = [conn.execute(select(func.max(d.id))).scalar()] if not name else []
    parts.append(sorted(cut_off(conn).intersection(chosen)))
    for some in batches(map(str, chosen)):
        keys = [int(key) for key in some]
        parts += map(tuple, conn.execute(select(d.id, d.status).where(d.id.in_(keys)).order_by(d.id)))
        apps = select(app_deployments.c.status, func.count()).where(app_deployments.c.deployment_id.in_(keys))
        parts += map(tuple, conn.execute(apps.group_by(app_deployments.c.status).order_by("status")))
        done = r.state != OpState.INTENDED.value
        parts.append(conn.execute(select(func.count()).where(r.deployment_id.in_(keys), done)).scalar())
        parts.append(conn.execute(select(func.max(events.c.id)).where(events.c.deployment_id.in_(keys))).scalar())
    return repr(parts)
