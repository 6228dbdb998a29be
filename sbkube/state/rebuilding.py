"""Recording what was found in a cluster: a deployment that changed nothing, from which everything else goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert

from sbkube.models.deployment_state import (
    AppDeploymentCreate,
    DeploymentCreate,
    DeploymentRecord,
    DeploymentStatus,
)
from sbkube.models.found import FoundApp, FoundObject
from sbkube.models.outcome import OpState
from sbkube.models.plan import HELM, Verb
from sbkube.state import history
from sbkube.state.blobs import fingerprint, image, object_identity, release_identity
from sbkube.state.records import insert_app, insert_deployment, meta, sensitive_digest
from sbkube.state.tables import app_deployments, deployed_resources, helm_releases
from sbkube.state.writing import database_now

if TYPE_CHECKING:
    from sbkube.state.database import DeploymentDatabase

PURPOSE = "rebuild"


def record(database: DeploymentDatabase, data: DeploymentCreate, apps: Sequence[FoundApp]) -> DeploymentRecord:
    """One deployment with all apps, objects and releases as they are now, in one transaction. Before and after are
    the same, so that a rollback of it has nothing to do."""
    with database.writing() as conn:
        extra = {"purpose": PURPOSE, "status": DeploymentStatus.IN_PROGRESS.value}
        key = insert_deployment(conn, database.store, data, extra)
        position = 0
        for app in apps:
            create = AppDeploymentCreate(app.name, app.type, app.namespace, {"type": app.type})
            row = insert_app(conn, database.store, key, create)
            for found in app.objects:
                position += 1
                _object(conn, database, (key, row), app, found, position)
            if app.release is not None:
                _release(conn, database, (key, row), app)
            ended = {"status": DeploymentStatus.SUCCESS.value, "ended_at": database_now(conn)}
            conn.execute(app_deployments.update().where(app_deployments.c.id == row).values(**ended))
        database.set_status(conn, key, DeploymentStatus.SUCCESS)
        return history.one(conn, key, database.store)


def _object(
    conn: Connection,
    database: DeploymentDatabase,
    keys: tuple[int, int],
    app: FoundApp,
    found: FoundObject,
    position: int,
) -> None:
    store, name, live = database.store, found.key, image(found.body)
    sensitive = store.is_sensitive(found.body)
    batch = store.batch()
    identity = object_identity(name)
    kept = batch.add(live, identity, sensitive=sensitive)
    wanted = batch.add(found.desired, identity, sensitive=sensitive)
    batch.save(conn)
    verb = HELM if found.helm else Verb.APPLY.value
    version, now = meta(found.body, "resourceVersion"), database_now(conn)
    values: dict[str, Any] = {
        "deployment_id": keys[0],
        "app_deployment_id": keys[1],
        "position": position,
        "operation": f"{app.name}/{verb}/{name.kind}/{name.namespace}/{name.name}",
        "api_group": name.group,
        "api_version": name.version,
        "kind": name.kind,
        "namespace": name.namespace,
        "name": name.name,
        "verb": verb,
        "state": OpState.APPLIED.value,
        "sensitive": sensitive,
        "intent_blob": wanted,
        "before_blob": kept,
        "after_blob": kept,
        "intent_digest": fingerprint(found.desired, store.key, sensitive=sensitive),
        "image_digest": fingerprint(live, store.key, sensitive=sensitive),
        "uid": meta(found.body, "uid"),
        "resource_version_before": version,
        "resource_version_after": version,
        "started_at": now,
        "ended_at": now,
    }
    conn.execute(insert(deployed_resources).values(**values))


def _release(conn: Connection, database: DeploymentDatabase, keys: tuple[int, int], app: FoundApp) -> None:
    found, now = app.release, database_now(conn)
    assert found is not None
    batch = database.store.batch()
    identity = release_identity(found.namespace, found.name)
    raw = batch.add(found.raw or None, identity, sensitive=True)
    given = batch.add(dict(found.values), identity, sensitive=True)
    batch.save(conn)
    values: dict[str, Any] = {
        "deployment_id": keys[0],
        "app_deployment_id": keys[1],
        "operation": f"{app.name}/{Verb.HELM_UPGRADE.value}/Release/{found.namespace}/{found.name}",
        "release_name": found.name,
        "namespace": found.namespace,
        "verb": Verb.HELM_UPGRADE.value,
        "state": OpState.APPLIED.value,
        "status": found.status,
        "chart": found.chart_name,
        "chart_version": found.chart_version,
        "app_version": found.app_version,
        "values_blob": given,
        "values_digest": sensitive_digest(dict(found.values), database.key),
        "manifest_digest": sensitive_digest(found.manifest, database.key),
        "before_blob": raw,
        "after_blob": raw,
        "revision_before": found.revision,
        "revision_after": found.revision,
        "started_at": now,
        "ended_at": now,
    }
    conn.execute(insert(helm_releases).values(**values))
