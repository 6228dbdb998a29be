"""Rows as they are written. Each function works in the caller's transaction and returns keys, never rows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from sbkube.errors import StateError
from sbkube.models.deployment_state import (
    AppDeploymentCreate,
    DeploymentCreate,
    DeploymentStatus,
    HelmReleaseCreate,
    ResourceCreate,
)
from sbkube.models.outcome import OpState
from sbkube.state.blobs import (
    BlobStore,
    canonical,
    fingerprint,
    image,
    object_identity,
    release_identity,
)
from sbkube.state.secrets import StateKey
from sbkube.state.tables import app_deployments, deployed_resources, deployments, helm_releases
from sbkube.state.writing import database_now

ID_LENGTH = 64
_DEPLOYMENT_FIELDS = (
    "command",
    "command_args",
    "project",
    "cluster",
    "cluster_uid",
    "context",
    "namespace",
    "app_config_dir",
    "config_file_path",
    "dry_run",
    "sbkube_version",
    "operator",
    "host",
    "kubernetes_user",
    "parent",
)
_RELEASE_FIELDS = (
    "release_name",
    "namespace",
    "chart",
    "chart_version",
    "app_version",
    "status",
    "revision_before",
    "reason",
    "message",
)


def generated_id(now: datetime) -> str:
    """`dep-YYYYmmddHHMMSS-xxxxxxxx`, UTC."""
    return f"dep-{now:%Y%m%d%H%M%S}-{secrets.token_hex(4)}"


def insert_deployment(
    conn: Connection, store: BlobStore, data: DeploymentCreate, extra: Mapping[str, Any] | None = None
) -> int:
    """A new deployment, `pending` unless `extra` says otherwise. A known id raises StateError."""
    now = database_now(conn)
    public_id = data.deployment_id if data.deployment_id is not None else generated_id(now)
    if not public_id or len(public_id) > ID_LENGTH:
        raise ValueError(f"a deployment id has 1 to {ID_LENGTH} characters")
    if conn.execute(select(deployments.c.id).where(deployments.c.deployment_id == public_id)).first():
        raise StateError("a deployment with this id is recorded already", subject=public_id)
    batch = store.batch()
    config = batch.add(dict(data.config_snapshot))
    sources = batch.add(dict(data.sources_snapshot)) if data.sources_snapshot is not None else None
    batch.save(conn)
    values = {name: getattr(data, name) for name in _DEPLOYMENT_FIELDS}
    values |= {
        "deployment_id": public_id,
        "created_at": now,
        "status": DeploymentStatus.PENDING.value,
        "config_blob": config,
        "sources_blob": sources,
        "origin": dict(data.origin),
    }
    return _insert(conn, deployments, values | dict(extra or {}))


def insert_app(conn: Connection, store: BlobStore, deployment: int, data: AppDeploymentCreate) -> int:
    """An app of a deployment."""
    batch = store.batch()
    spec = batch.add(dict(data.spec))
    batch.save(conn)
    status = DeploymentStatus(data.status)
    values = {
        "deployment_id": deployment,
        "app_name": data.app_name,
        "app_type": data.app_type,
        "namespace": data.namespace,
        "status": status.value,
        "spec_blob": spec,
        "sources": dict(data.sources),
        "started_at": None if status is DeploymentStatus.PENDING else database_now(conn),
    }
    return _insert(conn, app_deployments, values)


def insert_resource(conn: Connection, store: BlobStore, app: Any, data: ResourceCreate) -> int:
    """An object that was acted on; `app` is the row of its app."""
    key, now = data.key, database_now(conn)
    before, after = image(data.previous_state), image(data.current_state)
    bodies = (data.desired, before, after)
    sensitive = data.sensitive or any(store.is_sensitive(body) for body in bodies)
    batch = store.batch()
    names = [batch.add(body, object_identity(key), sensitive=sensitive) for body in bodies]
    batch.save(conn)
    state = OpState(data.state)
    values = {
        "deployment_id": app.deployment_id,
        "app_deployment_id": app.id,
        "operation": data.operation or f"{app.app_name}/{data.action}/{key.kind}/{key.namespace}/{key.name}",
        "api_group": key.group,
        "api_version": key.version,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "verb": data.action,
        "state": state.value,
        "sensitive": sensitive,
        "intent_blob": names[0],
        "before_blob": names[1],
        "after_blob": names[2],
        "intent_digest": fingerprint(data.desired, store.key, sensitive=sensitive),
        "image_digest": fingerprint(after, store.key, sensitive=sensitive),
        "uid": meta(after or before, "uid"),
        "resource_version_before": meta(before, "resourceVersion"),
        "resource_version_after": meta(after, "resourceVersion"),
        "reason": data.reason,
        "message": data.message,
        "source_file": data.source_file,
        "source_line": data.source_line,
        "started_at": now,
        "ended_at": None if state.open else now,
    }
    return _insert(conn, deployed_resources, values)


def insert_release(conn: Connection, store: BlobStore, app: Any, data: HelmReleaseCreate) -> int:
    """A release that was acted on; `app` is the row of its app."""
    now, state = database_now(conn), OpState(data.state)
    batch = store.batch()
    values_blob = batch.add(data.values, release_identity(data.namespace, data.release_name), sensitive=True)
    batch.save(conn)
    values = {name: getattr(data, name) for name in _RELEASE_FIELDS} | {
        "deployment_id": app.deployment_id,
        "app_deployment_id": app.id,
        "operation": data.operation
        or f"{app.app_name}/{data.action}/Release/{data.namespace}/{data.release_name}",
        "verb": data.action,
        "state": state.value,
        "revision_after": data.revision,
        "values_blob": values_blob,
        "values_digest": sensitive_digest(data.values, store.key),
        "started_at": now,
        "ended_at": None if state.open else now,
    }
    return _insert(conn, helm_releases, values)


def sensitive_digest(value: Any, key: StateKey | None) -> str:
    """HMAC of something sensitive, "" for nothing or without a key."""
    return "" if value is None or key is None else key.digest(canonical(value))


def meta(body: Mapping[str, Any] | None, name: str) -> str:
    """A field of an object's metadata as text, "" where there is none."""
    return str(((body or {}).get("metadata") or {}).get(name) or "")


def _insert(conn: Connection, table: Table, values: Mapping[str, Any]) -> int:
    key = conn.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])
