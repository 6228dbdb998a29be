"""Taking over a `deployments.db` of the earlier tool: the same history in our tables, in one transaction.

Its snapshots, app configurations and values were stored as they were, so all of them count as sensitive here: they
are encrypted, or left out where there is no state key. What had not ended is marked interrupted.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, text, update

from sbkube.models.deployment_state import (
    AppDeploymentCreate,
    DeploymentStatus,
    HelmReleaseCreate,
    ResourceCreate,
)
from sbkube.state import closings, schema
from sbkube.state.blobs import BlobStore
from sbkube.state.records import insert_app, insert_release, insert_resource
from sbkube.state.secrets import StateKey
from sbkube.state.tables import app_deployments, deployments

EARLIER = ("helm_releases", "deployed_resources", "app_deployments", "deployments")  # children first
PREFIX = "earlier_"
Row = Mapping[str, Any]

_WORDS = {
    "completed": DeploymentStatus.SUCCESS,
    "succeeded": DeploymentStatus.SUCCESS,
    "deployed": DeploymentStatus.SUCCESS,
    "partial": DeploymentStatus.PARTIALLY_FAILED,
    "pending": DeploymentStatus.INTERRUPTED,
    "in_progress": DeploymentStatus.INTERRUPTED,
}


def import_earlier(conn: Connection, key: StateKey | None) -> int:
    """Replace the earlier tool's tables by ours with the same content; returns how many deployments there were."""
    conn.exec_driver_sql("PRAGMA secure_delete=ON")
    _set_aside(conn)
    schema.create_current(conn)
    imported = _Import(conn, BlobStore(key), key).run()
    for table in EARLIER:
        conn.exec_driver_sql(f'DROP TABLE IF EXISTS "{PREFIX}{table}"')
    return imported


def _set_aside(conn: Connection) -> None:
    """Rename the old tables and drop their indexes, whose names could be ours."""
    query = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    for name in conn.execute(text(query)).scalars().all():
        conn.exec_driver_sql(f'DROP INDEX "{name}"')
    there = set(conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())
    for table in EARLIER:
        if table in there:
            conn.exec_driver_sql(f'ALTER TABLE "{table}" RENAME TO "{PREFIX}{table}"')


class _Import:
    def __init__(self, conn: Connection, store: BlobStore, key: StateKey | None) -> None:
        self.conn = conn
        self.store = store
        self.key = key

    def run(self) -> int:
        """All deployments in their old order, with everything below them."""
        keys: dict[int, int] = {}
        for row in self._rows("deployments"):
            keys[row["id"]] = self._deployment(row)
        rows = [row for row in self._rows("app_deployments") if row["deployment_id"] in keys]
        apps = {row["id"]: self._app(row, keys) for row in rows}
        self._resources(self._below(apps, "deployed_resources"), apps)
        self._releases(self._below(apps, "helm_releases"), apps)
        for key in keys.values():
            closings.close(self.conn, key, self.key)
        return len(keys)

    def _below(self, apps: Mapping[int, Any], table: str) -> list[Row]:
        """Rows whose app is there: the earlier tool left orphans when it removed a deployment."""
        return [row for row in self._rows(table) if row["app_deployment_id"] in apps]

    def _rows(self, table: str) -> Iterator[Row]:
        there = text("SELECT name FROM sqlite_master WHERE name = :name")
        if self.conn.execute(there, {"name": PREFIX + table}).first() is None:
            return
        rows = self.conn.execute(text(f'SELECT * FROM "{PREFIX}{table}" ORDER BY id'))
        yield from (dict(row) for row in rows.mappings().all())

    def _deployment(self, row: Row) -> int:
        batch = self.store.batch()
        config = batch.add(_json(row.get("config_snapshot")), sensitive=True)
        sources = batch.add(_json(row.get("sources_snapshot")), sensitive=True)
        batch.save(self.conn)
        when = _time(row.get("timestamp"))
        names = ("cluster", "namespace", "app_config_dir", "config_file_path", "command")
        values = {name: row.get(name) or "" for name in names} | {
            "deployment_id": row["deployment_id"],
            "created_at": when,
            "ended_at": when,
            "status": _status(row.get("status")).value,
            "error_message": row.get("error_message"),
            "dry_run": bool(row.get("dry_run")),
            "sbkube_version": row.get("sbkube_version"),
            "operator": row.get("operator"),
            "config_blob": config,
            "sources_blob": sources,
            "origin": {"imported": True},
        }
        key = self.conn.execute(insert(deployments).values(**values)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def _app(self, row: Row, keys: Mapping[int, int]) -> Any:
        deployment = keys[row["deployment_id"]]
        app = AppDeploymentCreate(
            row.get("app_name") or "",
            row.get("app_type") or "",
            row.get("namespace") or "",
            status=DeploymentStatus.PENDING,
        )
        key = insert_app(self.conn, self.store, deployment, app)
        batch = self.store.batch()
        spec = batch.add(_json(row.get("app_config")), sensitive=True)
        batch.save(self.conn)
        values = {
            "spec_blob": spec,
            "status": _status(row.get("status")).value,
            "error_message": row.get("error_message"),
            "rollback_info": _json(row.get("rollback_info")),
        }
        conn = self.conn
        conn.execute(update(app_deployments).where(app_deployments.c.id == key).values(**values))
        return conn.execute(app_deployments.select().where(app_deployments.c.id == key)).one()

    def _resources(self, found: list[Row], apps: Mapping[int, Any]) -> None:
        for row in found:
            data = ResourceCreate(
                api_version=row.get("api_version") or "",
                kind=row.get("kind") or "",
                name=row.get("name") or "",
                namespace=row.get("namespace") or "",
                action=row.get("action") or "apply",
                previous_state=_object(row.get("previous_state")),
                current_state=_object(row.get("current_state")),
                source_file=row.get("source_file") or "",
            )
            insert_resource(self.conn, self.store, apps[row["app_deployment_id"]], data)

    def _releases(self, found: list[Row], apps: Mapping[int, Any]) -> None:
        for row in found:
            data = HelmReleaseCreate(
                release_name=row.get("release_name") or "",
                namespace=row.get("namespace") or "",
                chart=row.get("chart") or "",
                chart_version=row.get("chart_version") or "",
                app_version=row.get("app_version") or "",
                revision=row.get("revision") or 0,
                values=_object(row.get("values")),
                status=row.get("status") or "",
            )
            insert_release(self.conn, self.store, apps[row["app_deployment_id"]], data)


def _status(word: Any) -> DeploymentStatus:
    """The word in our vocabulary; an unknown one counts as failed."""
    plain = str(word or "").lower()
    if plain in _WORDS:
        return _WORDS[plain]
    with contextlib.suppress(ValueError):
        return DeploymentStatus(plain)
    return DeploymentStatus.FAILED


def _time(value: Any) -> datetime:
    """A naive UTC time as SQLAlchemy wrote it; an unreadable one is the beginning of time."""
    try:
        return datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _json(value: Any) -> Any:
    """A JSON column; text that is no JSON is kept as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _object(value: Any) -> Mapping[str, Any] | None:
    """A JSON column that holds an object; anything else is kept below `text`."""
    found = _json(value)
    return found if found is None or isinstance(found, Mapping) else {"text": found}
