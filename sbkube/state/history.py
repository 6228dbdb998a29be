"""Questions to the ledger. Each takes an open connection and returns values, never rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select

from sbkube.errors import DeploymentNotFound
from sbkube.models.deployment_state import (
    UNREAD,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    LockTarget,
    ResourceRecord,
)
from sbkube.models.outcome import OpState
from sbkube.models.plan import BESIDE
from sbkube.models.resource import ResourceKey
from sbkube.state import locks, rows
from sbkube.state.blobs import SEALED_NAME, BlobStore, object_identity
from sbkube.state.tables import (
    NOT_KEPT,
    app_deployments,
    deployed_resources,
    deployments,
    events,
    helm_releases,
)
from sbkube.state.undone import all_spans, resumed_by, undone_by

LATEST = re.compile(r"latest(?:~(\d{1,9}))?")
_TAKES_AWAY = frozenset({"delete", "rollback"})
_LOOKED_AT = 500  # so many rows at once
_TO_TELL = ("id", "created_at", "status", "project", "cluster_uid", "namespace", "counts")  # what was rolled back
RUNNING = (DeploymentStatus.PENDING.value, DeploymentStatus.IN_PROGRESS.value)


@dataclass(frozen=True, slots=True)
class Filters:
    """What `list_deployments` takes; None and empty mean: any. `cluster` is a name or a UID, `person` who
    deployed, `text` a part of an id, project, person, command or error; `before` is the place of a deployment in
    the list, as its time and key: only what comes behind it. `cut_off` are keys that count as interrupted,
    whatever is stored."""

    cluster: str | None = None
    namespace: str | None = None
    app_name: str | None = None
    status: str | None = None
    since: datetime | None = None
    limit: int | None = 50
    offset: int = 0
    project: str | None = None
    until: datetime | None = None
    person: str | None = None
    text: str | None = None
    before: tuple[datetime, int] | None = None
    cut_off: frozenset[int] = frozenset()


def find(conn: Connection, filters: Filters, store: BlobStore) -> tuple[DeploymentRecord, ...]:
    """Deployments that match, newest first."""
    table = deployments.c
    query = select(deployments)
    if filters.cluster:
        query = query.where(or_(table.cluster == filters.cluster, table.cluster_uid == filters.cluster))
    if filters.namespace:
        query = query.where(table.namespace == filters.namespace)
    if filters.project:
        query = query.where(table.project == filters.project)
    if filters.since:
        query = query.where(table.created_at >= filters.since)
    if filters.until:
        query = query.where(table.created_at < filters.until)
    query = query.where(*_of_person(filters))
    if filters.before:
        query = query.where(_behind(filters, *filters.before))
    if filters.app_name:
        own = app_deployments.c.deployment_id == table.id
        query = query.where(exists().where(own, _app_is(filters.app_name)))
    # Keys follow time within a project on a cluster; between them, after an import, only the time tells.
    query = query.order_by(*_newest_first(filters))
    if filters.status == DeploymentStatus.ROLLED_BACK:
        keys = _rolled_back(conn, query, filters)
        return _records(conn, query.where(table.id.in_(keys)), store)
    if filters.status:
        query = query.where(_status_is(DeploymentStatus(filters.status), filters.cut_off))
    return _records(conn, query.offset(filters.offset or None).limit(filters.limit), store)


def _status_is(status: DeploymentStatus, cut_off: Collection[int]) -> ColumnElement[bool]:
    table = deployments.c
    if status is DeploymentStatus.INTERRUPTED:
        return or_(table.status == status.value, table.id.in_(cut_off))
    return and_(table.status == status.value, table.id.not_in(cut_off))


def _of_person(filters: Filters) -> Iterator[ColumnElement[bool]]:
    table = deployments.c
    if filters.person:
        yield table.operator == filters.person
    if filters.text:
        columns = (table.deployment_id, table.project, table.operator, table.command, table.error_message)
        yield or_(*(column.icontains(filters.text, autoescape=True) for column in columns))


def _behind(filters: Filters, moment: datetime, key: int) -> ColumnElement[bool]:
    """What comes after a deployment in the order of `_newest_first`."""
    table = deployments.c
    if filters.project and filters.cluster:
        return table.id < key
    return or_(table.created_at < moment, and_(table.created_at == moment, table.id < key))


def _app_is(name: str) -> ColumnElement[bool]:
    """An app, or with `PHASE/` any app of a phase."""
    column = app_deployments.c.app_name
    return column.startswith(name, autoescape=True) if name.endswith("/") else column == name


def _rolled_back(conn: Connection, query: Select[Any], filters: Filters) -> list[int]:
    """Keys of the wanted part of what was rolled back. All other statuses are stored; this one is derived, so rows
    are looked through, newest first, until there are enough."""
    c, spans = deployments.c, all_spans(conn)
    stored = c.status == DeploymentStatus.ROLLED_BACK.value  # by the earlier tool
    query = query.with_only_columns(*(c[name] for name in _TO_TELL)).limit(_LOOKED_AT)
    query = query if spans else query.where(stored)
    end = None if filters.limit is None else filters.offset + filters.limit
    found: list[int] = []
    part = conn.execute(query).all()
    while part:
        undone = undone_by(conn, part, spans)
        found += [row.id for row in part if row.id in undone or row.status == DeploymentStatus.ROLLED_BACK.value]
        if len(part) < _LOOKED_AT or (end is not None and len(found) >= end):
            break
        part = conn.execute(query.where(_behind(filters, part[-1].created_at, part[-1].id))).all()
    return found[filters.offset : end]


def _newest_first(filters: Filters) -> tuple[Any, ...]:
    table = deployments.c
    if filters.project and filters.cluster:
        return (table.id.desc(),)
    return (table.created_at.desc(), table.id.desc())


def keyed(conn: Connection, keys: Sequence[int], store: BlobStore) -> tuple[DeploymentRecord, ...]:
    """The deployments with these keys, newest first; at most as many as a page shows."""
    return _records(
        conn, select(deployments).where(deployments.c.id.in_(keys)).order_by(*_newest_first(Filters())), store
    )


def one(conn: Connection, key: int, store: BlobStore) -> DeploymentRecord:
    """The deployment with an integer key."""
    found = _records(conn, select(deployments).where(deployments.c.id == key), store)
    if not found:
        raise DeploymentNotFound(f"there is no deployment with the key {key}")
    return found[0]


def _records(conn: Connection, query: Select[Any], store: BlobStore) -> tuple[DeploymentRecord, ...]:
    found = conn.execute(query).all()
    names = {name for row in found for name in (row.config_blob, row.sources_blob) if name}
    values = store.load(conn, dict.fromkeys(names, ""))
    undone = undone_by(conn, found)
    resumed = resumed_by(conn, found)
    return tuple(
        rows.deployment_record(row, values, undone.get(row.id, ""), resumed.get(row.deployment_id, ""))
        for row in found
    )


def of_target(target: LockTarget | None) -> list[Any]:
    """Conditions for the deployments of a target; what is empty in it is not asked for."""
    if target is None:
        return []
    pairs = (
        (deployments.c.project, target.project),
        (deployments.c.cluster_uid, target.cluster_uid),
        (deployments.c.namespace, target.namespace),
    )
    return [column == value for column, value in pairs if value]


def resolve(conn: Connection, reference: str | int, target: LockTarget | None = None) -> int:
    """The integer key for an id, an unambiguous prefix, `latest` or `latest~N`, of the target if there is one.

    Raises DeploymentNotFound: unknown, ambiguous, or of another project, cluster or namespace.
    """
    if isinstance(reference, int):
        return _known_key(conn, reference)
    if match := LATEST.fullmatch(reference):
        return _latest(conn, int(match[1] or 0), reference, target)
    c = deployments.c
    start = func.substr(c.deployment_id, 1, len(reference)) == reference
    query = select(c.id, c.deployment_id, c.project, c.cluster_uid, c.namespace, c.cluster).where(start)
    found = conn.execute(query.order_by(c.id.desc()).limit(20)).all() if reference else []
    exact = [row for row in found if row.deployment_id == reference]
    found = exact or found
    own = [row for row in found if _belongs(row, target)]
    if len(own) == 1:
        return int(own[0].id)
    if own:
        names = ", ".join(row.deployment_id for row in own[:3])
        raise DeploymentNotFound(
            "several deployments begin so", subject=reference, hint=f"say more of it: {names} …"
        )
    if found:
        row = found[0]
        where = f"project {row.project or '(none)'} in namespace {row.namespace} on cluster {row.cluster}"
        raise DeploymentNotFound(f"it belongs to {where}", subject=reference, hint="look at it with `sbkube show`")
    raise DeploymentNotFound("no deployment has this id", subject=reference, hint="see `sbkube history`")


def _known_key(conn: Connection, key: int) -> int:
    if conn.execute(select(deployments.c.id).where(deployments.c.id == key)).first() is None:
        raise DeploymentNotFound(f"there is no deployment with the key {key}")
    return key


def _belongs(row: Any, target: LockTarget | None) -> bool:
    if target is None:
        return True
    wanted = (target.project, target.cluster_uid, target.namespace)
    have = (row.project, row.cluster_uid, row.namespace)
    return all(not want or want == got for want, got in zip(wanted, have, strict=True))


def _latest(conn: Connection, back: int, reference: str, target: LockTarget | None) -> int:
    query = select(deployments.c.id).where(*of_target(target)).order_by(deployments.c.id.desc())
    found = conn.execute(query.offset(back).limit(1)).scalar()
    if found is None:
        raise DeploymentNotFound(
            "there are not so many deployments" if back else "nothing was deployed yet",
            subject=reference,
            hint="see `sbkube history`",
        )
    return int(found)


def detail(
    conn: Connection, key: int, store: BlobStore, resources: Sequence[Any] | None = None, *, images: bool = True
) -> DeploymentDetail:
    """A deployment with everything below it, images included as far as they can be decrypted here; `resources` are
    the only rows of objects that are wanted. Without `images` those that need no key stay `UNREAD`."""
    apps = _below(conn, app_deployments, key)
    resources = _below(conn, deployed_resources, key) if resources is None else resources
    releases = _below(conn, helm_releases, key)
    happened = _below(conn, events, key)
    wanted = {row.spec_blob: "" for row in apps if row.spec_blob}
    wanted |= {row.detail_blob: "" for row in happened if row.detail_blob}
    pictures: dict[str, str] = {}
    for row in resources:
        identity = object_identity(rows.resource_key(row))
        pictures |= {name: identity for name in (row.intent_blob, row.before_blob, row.after_blob) if name}
    unread = set() if images else {n for n in pictures if n != NOT_KEPT and not n.startswith(SEALED_NAME)}
    wanted |= {name: identity for name, identity in pictures.items() if name not in unread}
    values = dict.fromkeys(unread, UNREAD) | store.load(conn, wanted)
    names = {row.id: row.app_name for row in apps}
    return DeploymentDetail(
        deployment=one(conn, key, store),
        apps=tuple(rows.app_record(row, values) for row in apps),
        resources=tuple(rows.resource_record(row, names[row.app_deployment_id], values) for row in resources),
        releases=tuple(rows.release_record(row, names[row.app_deployment_id]) for row in releases),
        events=tuple(rows.event_record(row, values) for row in happened),
    )


def _below(conn: Connection, table: Any, key: int) -> Sequence[Any]:
    return conn.execute(select(table).where(table.c.deployment_id == key).order_by(table.c.id)).all()


def since(conn: Connection, key: int, target: LockTarget) -> list[int]:
    """Keys of a deployment and all newer ones of the target, oldest first."""
    query = select(deployments.c.id).where(deployments.c.id >= key, *of_target(target))
    return list(conn.execute(query.order_by(deployments.c.id)).scalars())


def left_by(
    conn: Connection, key: int, target: LockTarget, store: BlobStore, *, beside: Collection[str] = BESIDE
) -> list[ResourceRecord]:
    """The newest record up to a deployment of each object that we applied ourselves, with its images; records with
    verbs in `beside` do not count."""
    newest = newest_of_each(key, target, beside).subquery()
    return loaded(conn, store, deployed_resources.c.id.in_(select(newest.c.id)))


def newest_of_each(key: int, target: LockTarget, beside: Collection[str] = BESIDE) -> Select[Any]:
    """Keys (`id`) of the rows that `left_by` gives."""
    c = deployed_resources.c
    return (
        select(func.max(c.id).label("id"))
        .join(deployments, deployments.c.id == c.deployment_id)
        .where(c.deployment_id <= key, c.state == OpState.APPLIED.value, c.verb.not_in(sorted(beside)))
        .where(*of_target(target))
        .group_by(c.api_group, c.kind, c.namespace, c.name)
    )


def of_object(key: ResourceKey) -> list[ColumnElement[bool]]:
    """Conditions for the rows of one object, whatever its version."""
    c = deployed_resources.c
    return [c.kind == key.kind, c.name == key.name, c.namespace == key.namespace, c.api_group == key.group]


def loaded(conn: Connection, store: BlobStore, *which: ColumnElement[bool]) -> list[ResourceRecord]:
    """Records of objects, oldest first, with their images."""
    c = deployed_resources.c
    query = select(deployed_resources, app_deployments.c.app_name).where(*which).order_by(c.id)
    found = conn.execute(query.join(app_deployments, app_deployments.c.id == c.app_deployment_id)).all()
    wanted = {
        name: object_identity(rows.resource_key(row))
        for row in found
        for name in (row.intent_blob, row.before_blob, row.after_blob)
        if name
    }
    values = store.load(conn, wanted)
    return [rows.resource_record(row, row.app_name, values) for row in found]


def app_status(conn: Connection, target: LockTarget, app: str) -> DeploymentStatus | None:
    """How the newest deployment of a target that began an app ended for it; None where that took it away, or the
    whole project was deleted since."""
    c, d = app_deployments.c, deployments.c
    query = (
        select(c.status, d.id, d.purpose)
        .join(deployments, d.id == c.deployment_id)
        .where(c.app_name == app, c.status != DeploymentStatus.PENDING.value, *of_target(target))
        .order_by(c.id.desc())
    )
    found = conn.execute(query.limit(1)).first()
    if found is None or found.purpose in _TAKES_AWAY:
        return None
    later = select(d.command_args).where(d.purpose == "delete", d.id > found.id, *of_target(target))
    if any(not (args or {}).get("apps") for args in conn.execute(later).scalars()):
        return None
    return DeploymentStatus(found.status)


def running(conn: Connection, target: LockTarget) -> list[tuple[int, int]]:
    """(key, lock token) of the deployments of a target that did not end, oldest first.

    Nor has one ended that gave up with intents still open, because nobody answered any more.
    """
    c = deployments.c
    left = or_(
        *(
            exists().where(table.c.deployment_id == c.id, table.c.state == OpState.INTENDED.value)
            for table in (deployed_resources, helm_releases)
        )
    )
    unfinished = or_(c.status.in_(RUNNING), and_(c.status == DeploymentStatus.INTERRUPTED.value, left))
    query = select(c.id, c.lock_token).where(unfinished, *of_target(target)).order_by(c.id)
    return [(row.id, row.lock_token) for row in conn.execute(query)]


def interrupted(conn: Connection, project: str) -> tuple[str, ...]:
    """Public ids of a project's deployments that did not end and whose lock is gone, oldest first."""
    c = deployments.c
    query = select(c.deployment_id, c.project, c.cluster_uid, c.namespace, c.lock_token)
    found = conn.execute(query.where(c.status.in_(RUNNING), c.project == project).order_by(c.id)).all()
    return tuple(row.deployment_id for row in found if not _lives(conn, row))


def _lives(conn: Connection, row: Any) -> bool:
    held = locks.held_by(conn, LockTarget(row.project, row.cluster_uid, row.namespace))
    return held is not None and bool(row.lock_token) and held[0] == row.lock_token
