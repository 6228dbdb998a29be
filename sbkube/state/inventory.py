"""What a project has in a cluster, as far as the ledger knows: the newest record of each object and release."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Subquery, Text, and_, func, or_, select, type_coerce

from sbkube.models.deployment_state import PART_OF, HelmReleaseRecord, LockTarget, ResourceRecord, Together
from sbkube.models.outcome import OpState
from sbkube.models.plan import GIVEN_BACK, HELM, Verb
from sbkube.models.release import RELEASE_STORAGE
from sbkube.models.resource import ResourceKey
from sbkube.ports import KEPT, Recorded
from sbkube.state import rows
from sbkube.state.blobs import BlobStore, object_identity
from sbkube.state.history import of_target
from sbkube.state.tables import app_deployments, deployed_resources, deployments, helm_releases

_GONE = frozenset({Verb.DELETE.value, Verb.CLEAR.value, Verb.FORGET.value, Verb.GIVE_BACK.value, GIVEN_BACK})


def inventory(conn: Connection, target: LockTarget) -> Mapping[ResourceKey, Recorded]:
    """The newest record of each object of a target that exists as far as the ledger knows."""
    newest = _newest(target)
    query = (
        select(deployed_resources, app_deployments.c.app_name, deployments.c.deployment_id.label("public_id"))
        .join(newest, newest.c.id == deployed_resources.c.id)
        .join(app_deployments, app_deployments.c.id == deployed_resources.c.app_deployment_id)
        .join(deployments, deployments.c.id == deployed_resources.c.deployment_id)
        .order_by(deployed_resources.c.id)
    )
    found = {rows.resource_key(row): _recorded(row) for row in conn.execute(query) if _exists(row)}
    if any(key.kind == "Namespace" for key in found):
        foreign = _found_namespaces(conn, target)
        found |= {k: replace(v, verb=KEPT) for k, v in found.items() if (k.kind, k.name, v.uid) in foreign}
    return found


def together(conn: Connection, target: LockTarget) -> tuple[Together, ...]:
    """Where other projects, or apps in other contexts, were deployed as parts of this project; newest last."""
    c = deployments.c
    columns = (c.project, c.cluster_uid, c.namespace, c.context, c.config_file_path, c.origin)
    query = select(*columns).where(type_coerce(c.origin, Text).contains(f'"{PART_OF}":')).order_by(c.id)
    parts = conn.execute(query).all()
    if not parts:
        return ()
    own = set(conn.scalars(select(c.deployment_id).where(*of_target(target))))
    found = (
        Together(LockTarget(row.project, row.cluster_uid, row.namespace), row.context or "", row.config_file_path)
        for row in parts
        if row.origin.get(PART_OF) in own
    )
    return tuple({one.target: one for one in found if one.target != target}.values())


def images(
    conn: Connection, target: LockTarget, names: Collection[ResourceKey], store: BlobStore
) -> Mapping[ResourceKey, ResourceRecord]:
    """The newest record of these objects with what was wanted and what was left, as far as it can be decrypted."""
    newest, wanted = _newest(target), {key.identity for key in names}
    query = (
        select(deployed_resources, app_deployments.c.app_name)
        .join(newest, newest.c.id == deployed_resources.c.id)
        .join(app_deployments, app_deployments.c.id == deployed_resources.c.app_deployment_id)
        .order_by(deployed_resources.c.id)
    )
    found = [row for row in conn.execute(query) if _exists(row) and rows.resource_key(row).identity in wanted]
    blobs = {
        name: object_identity(rows.resource_key(row))
        for row in found
        for name in (row.intent_blob, row.before_blob, row.after_blob)
        if name
    }
    values = store.load(conn, blobs)
    records = (rows.resource_record(row, row.app_name, values) for row in found)
    return {record.key: record for record in records}


def releases(conn: Connection, target: LockTarget) -> tuple[HelmReleaseRecord, ...]:
    """The newest record of each release of a target that we left in place."""
    c = helm_releases.c
    newest = (
        select(func.max(c.id).label("id"))
        .join(deployments, deployments.c.id == c.deployment_id)
        .where(c.state.in_((OpState.APPLIED.value, OpState.FAILED.value)), *of_target(target))
        .group_by(c.namespace, c.release_name)
        .subquery()
    )
    query = (
        select(helm_releases, app_deployments.c.app_name)
        .join(newest, newest.c.id == c.id)
        .join(app_deployments, app_deployments.c.id == c.app_deployment_id)
        .order_by(c.id)
    )
    apart = _taken_apart(conn, target)
    found = [
        row for row in conn.execute(query) if row.deployment_id > apart.get((row.namespace, row.release_name), 0)
    ]
    records = (rows.release_record(row, row.app_name) for row in found)
    return tuple(record for record in records if record.revision_after)


def _taken_apart(conn: Connection, target: LockTarget) -> dict[tuple[str, str], int]:
    """Releases (namespace, name) whose records we deleted one by one, and not put back → the deployment's key."""
    c = deployed_resources.c
    query = (
        select(c.namespace, c.name, c.verb, c.deployment_id)
        .join(deployments, deployments.c.id == c.deployment_id)
        .where(
            c.kind == "Secret",
            c.name.startswith(RELEASE_STORAGE, autoescape=True),
            c.state == OpState.APPLIED.value,
            *of_target(target),
        )
        .order_by(c.id)
    )
    found: dict[tuple[str, str], int] = {}
    for row in conn.execute(query):
        release = (row.namespace, row.name.removeprefix(RELEASE_STORAGE).rpartition(".v")[0])
        if row.verb == Verb.DELETE.value:
            found[release] = row.deployment_id
        elif row.verb != Verb.LABEL.value:
            found.pop(release, None)
    return found


def _newest(target: LockTarget) -> Subquery:
    c = deployed_resources.c
    observed = or_(c.state == OpState.APPLIED.value, c.after_blob.is_not(None))
    known = and_(c.kind != "", or_(observed, c.verb == HELM), c.state != OpState.INTENDED.value)
    return (
        select(func.max(c.id).label("id"))
        .join(deployments, deployments.c.id == c.deployment_id)
        .where(known, *of_target(target))
        .group_by(c.api_group, c.kind, c.namespace, c.name)
        .subquery()
    )


def _found_namespaces(conn: Connection, target: LockTarget) -> set[tuple[str, str, str]]:
    """(kind, name, uid) of namespaces that were there before we first wrote to them: never ours to delete."""
    c = deployed_resources.c
    first = (
        select(func.min(c.id).label("id"))
        .join(deployments, deployments.c.id == c.deployment_id)
        .where(c.kind == "Namespace", c.state == OpState.APPLIED.value, *of_target(target))
        .group_by(c.name, c.uid)
        .subquery()
    )
    query = select(c.kind, c.name, c.uid).join(first, first.c.id == c.id).where(c.before_blob.is_not(None))
    return {(row.kind, row.name, row.uid) for row in conn.execute(query)}


def _exists(row: Any) -> bool:
    return row.verb not in _GONE and row.after_blob is not None


def _recorded(row: Any) -> Recorded:
    return Recorded(
        app=row.app_name,
        verb=KEPT if row.verb == Verb.PATCH else row.verb,
        uid=row.uid,
        resource_version=row.resource_version_after,
        intent=row.intent_digest,
        image=row.image_digest,
        deployment_id=row.public_id,
    )
