"""The state database: rows in, frozen values out. No row and no session is ever returned by its methods."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, update

from sbkube.errors import StateError
from sbkube.models.deployment_state import (
    AppDeploymentCreate,
    AppDeploymentRecord,
    DeploymentCreate,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    HelmReleaseCreate,
    ResourceCreate,
)
from sbkube.state import closings, connecting, history, records, schema, status
from sbkube.state.blobs import BlobStore, fingerprint
from sbkube.state.failures import translated
from sbkube.state.rows import app_record
from sbkube.state.schema import Migrations
from sbkube.state.secrets import StateKey, key_file, load_key
from sbkube.state.tables import app_deployments, blobs, deployments
from sbkube.state.tables import closings as closings_table
from sbkube.state.writing import database_now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class DeploymentDatabase:
    """One state database, safe to use from several threads; several processes may share it.

    `path_or_url`: None is `SBKUBE_STATE_URL`, else `~/.sbkube/deployments.db`; a path is SQLite; a SQLAlchemy URL
    is what it says. Opening creates folders (0700), file (0600) and tables, and upgrades an older SQLite database
    after a backup copy. Raises StateNotWritable, StateSchemaError (newer, or PostgreSQL not yet upgraded) and
    StateError (a key that cannot be used). All methods raise StateError or a subclass for whatever the database
    says, and ValueError for unknown or missing fields.
    """

    def __init__(
        self,
        path_or_url: str | Path | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        migrations: Migrations | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        self._migrations = migrations or Migrations()
        self.location = connecting.locate(path_or_url, environ)
        self._engine = connecting.connect(self.location)
        self._guard = connecting.FileGuard(self.location.file)
        self.key = self._open(environ)
        self.store = BlobStore(self.key)

    def _open(self, environ: Mapping[str, str]) -> StateKey | None:
        file = self.location.file
        with self.reading() as conn:
            current = schema.is_current(conn, self._migrations, self.location)
            version = schema.read_version(conn)
            if not current and file is None:
                schema.refuse_upgrade(conn, self.location)
            used = current and _key_was_used(conn)
        with translated(str(self.location)):
            key = load_key(environ, key_file(file) if file else None, create=not used)
            if not current and file is not None and version != "":
                schema.backup_copy(file, version)
        if not current:
            with self.writing() as conn:
                schema.bring_up(conn, self._migrations, key)
        return key

    @classmethod
    def upgrade(cls, path_or_url: str | Path | None = None, environ: Mapping[str, str] | None = None) -> None:
        """Bring the schema of any database to the newest version: what `state upgrade` does. Newer ones raise."""
        environ = os.environ if environ is None else environ
        location = connecting.locate(path_or_url, environ)
        if location.file is not None:
            cls(location.file, environ=environ).close()
            return
        engine = connecting.connect(location)
        try:
            with translated(str(location)), engine.begin() as conn:
                if not schema.is_current(conn, Migrations(), location):
                    schema.bring_up(conn, Migrations(), load_key(environ, None, create=False))
        finally:
            engine.dispose()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def give_space_back(self) -> None:
        """After much was deleted: shrink a SQLite file, so that what was deleted is not in it any more either. A
        file that somebody else is using stays as it is until the next time."""
        if self.location.file is None:
            return
        with closing(sqlite3.connect(self.location.file)) as conn, suppress(sqlite3.OperationalError):
            conn.execute("VACUUM")
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one consistent state and must not write."""
        with translated(str(self.location)), self._engine.connect() as conn:
            yield connecting.read_only(conn)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction with the write lock: committed on success, rolled back on any exception."""
        with translated(str(self.location)), self._engine.begin() as conn:
            yield conn
            self._guard.check()

    @contextmanager
    def get_session(self) -> Iterator[Session]:
        """A session in a transaction: commits on success, rolls back on any exception, always closes."""
        from sqlalchemy.orm import Session

        with self.writing() as conn, Session(bind=conn) as session:
            yield session
            session.commit()

    def create_deployment(self, data: DeploymentCreate | Mapping[str, Any]) -> DeploymentRecord:
        """Record a new deployment, `pending`. What is returned is complete and needs no session."""
        create = data if isinstance(data, DeploymentCreate) else DeploymentCreate.from_mapping(data)
        with self.writing() as conn:
            key = records.insert_deployment(conn, self.store, create)
            return history.one(conn, key, self.store)

    def create_deployment_and_get_id(self, data: DeploymentCreate | Mapping[str, Any]) -> tuple[int, str]:
        """Record a new deployment; returns the integer key and the public id."""
        record = self.create_deployment(data)
        return record.id, record.deployment_id

    def add_app_deployment(
        self, deployment_id: int | str, data: AppDeploymentCreate | Mapping[str, Any]
    ) -> AppDeploymentRecord:
        """Record an app of a deployment."""
        create = data if isinstance(data, AppDeploymentCreate) else AppDeploymentCreate.from_mapping(data)
        with self.writing() as conn:
            deployment = history.resolve(conn, deployment_id)
            key = records.insert_app(conn, self.store, deployment, create)
            return self._app(conn, key)

    def add_deployed_resource(self, app_deployment_id: int, data: ResourceCreate | Mapping[str, Any]) -> int:
        """Record an object that an app acted on; returns its key."""
        create = data if isinstance(data, ResourceCreate) else ResourceCreate.from_mapping(data)
        with self.writing() as conn:
            return records.insert_resource(conn, self.store, _app_row(conn, app_deployment_id), create)

    def add_helm_release(self, app_deployment_id: int, data: HelmReleaseCreate | Mapping[str, Any]) -> int:
        """Record a release that an app acted on; returns its key."""
        create = data if isinstance(data, HelmReleaseCreate) else HelmReleaseCreate.from_mapping(data)
        with self.writing() as conn:
            return records.insert_release(conn, self.store, _app_row(conn, app_deployment_id), create)

    def update_deployment_status(
        self, deployment_id: int | str, new: DeploymentStatus | str, error_message: str | None = None
    ) -> DeploymentRecord:
        """Set a status. With operations recorded, one that contradicts them raises StateError, as does changing
        a deployment that has ended (except to `rolled_back` after a rollback that succeeded)."""
        wanted = DeploymentStatus(new)
        with self.writing() as conn:
            key = history.resolve(conn, deployment_id)
            self._refuse_contradiction(conn, key, wanted, error_message)
            if wanted is DeploymentStatus.ROLLED_BACK:
                conn.execute(update(deployments).where(deployments.c.id == key).values(status=wanted.value))
                closings.close(conn, key, self.key)
            else:
                self.set_status(conn, key, wanted, error_message)
            return history.one(conn, key, self.store)

    def set_status(
        self, conn: Connection, key: int, new: DeploymentStatus, error_message: str | None = None
    ) -> None:
        """Write a status that was computed; one that ends the deployment also appends its closing."""
        values: dict[str, Any] = {"status": new.value}
        if error_message is not None:
            values["error_message"] = error_message
        if new.ended:
            values["ended_at"] = database_now(conn)
            planned = conn.execute(select(deployments.c.counts).where(deployments.c.id == key)).scalar()
            if planned:
                values["counts"] = {**planned, **status.effects(conn, key)}
        conn.execute(update(deployments).where(deployments.c.id == key).values(**values))
        if new.ended:
            closings.close(conn, key, self.key)

    def _refuse_contradiction(
        self, conn: Connection, key: int, wanted: DeploymentStatus, error: str | None
    ) -> None:
        now = history.one(conn, key, self.store)
        facts = status.facts(conn, key)
        if wanted is DeploymentStatus.ROLLED_BACK:
            allowed = not facts.operations or status.rolled_back_since(conn, key)
            reason = "no rollback of it has succeeded"
        elif now.status.ended:
            allowed, reason = wanted is now.status, f"it has ended as {now.status}"
        elif wanted.ended and facts.operations:
            computed = status.compute(facts, error=error is not None)
            allowed, reason = wanted is computed, f"its operations say {computed}"
        else:
            allowed, reason = True, ""
        if not allowed:
            raise StateError(f"the deployment cannot become {wanted}: {reason}", subject=now.deployment_id)

    def update_app_deployment_status(
        self,
        app_deployment_id: int,
        new: DeploymentStatus | str,
        error_message: str | None = None,
        rollback_info: Mapping[str, Any] | None = None,
    ) -> AppDeploymentRecord:
        """Set the status of an app of a running deployment."""
        wanted = DeploymentStatus(new)
        with self.writing() as conn:
            row = _app_row(conn, app_deployment_id)
            parent = history.one(conn, row.deployment_id, self.store)
            if parent.status.ended:
                raise StateError(f"the deployment has ended as {parent.status}", subject=parent.deployment_id)
            values: dict[str, Any] = {"status": wanted.value}
            if error_message is not None:
                values["error_message"] = error_message
            if rollback_info is not None:
                values["rollback_info"] = dict(rollback_info)
            if wanted.ended:
                values["ended_at"] = database_now(conn)
            elif wanted is DeploymentStatus.IN_PROGRESS and row.started_at is None:
                values["started_at"] = database_now(conn)
            conn.execute(update(app_deployments).where(app_deployments.c.id == row.id).values(**values))
            return self._app(conn, row.id)

    def finish_deployment(self, key: int, error: str | None = None) -> DeploymentRecord:
        """End a deployment that was recorded without a plan: apps that still run get the status of their
        operations, then the deployment gets its own."""
        with self.writing() as conn:
            open_apps = select(app_deployments.c.id).where(
                app_deployments.c.deployment_id == key, app_deployments.c.status.in_(history.RUNNING)
            )
            for app in conn.execute(open_apps).scalars().all():
                own = status.Facts(status.facts(conn, key, app).operations, {})
                values = {"status": status.compute(own).value, "ended_at": database_now(conn)}
                conn.execute(update(app_deployments).where(app_deployments.c.id == app).values(**values))
            computed = status.compute(status.facts(conn, key), error=error is not None)
            self.set_status(conn, key, computed, error)
            return history.one(conn, key, self.store)

    def get_deployment(self, reference: int | str) -> DeploymentRecord:
        """By key, id, unambiguous prefix, `latest` or `latest~N`; raises DeploymentNotFound."""
        with self.reading() as conn:
            return history.one(conn, history.resolve(conn, reference), self.store)

    def get_detail(self, reference: int | str) -> DeploymentDetail:
        """The same with everything below it."""
        with self.reading() as conn:
            return history.detail(conn, history.resolve(conn, reference), self.store)

    def list_deployments(
        self,
        cluster: str | None = None,
        namespace: str | None = None,
        app_name: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        limit: int | None = 50,
        offset: int = 0,
        **more: Any,
    ) -> list[DeploymentRecord]:
        """Deployments that match, newest first. `cluster` is a name or UID, `since` an aware time, a `limit` of
        None means all; `more` may have `project`, `until` (an aware time, itself left out), `person`, `text` and
        `before`, as `history.Filters` says. Raises ValueError for an unknown status."""
        filters = history.Filters(cluster, namespace, app_name, status, since, limit, offset, **more)
        with self.reading() as conn:
            return list(history.find(conn, filters, self.store))

    def compute_resource_checksum(self, manifest: Mapping[str, Any]) -> str:
        """64 hex digits that ignore server-managed metadata and status: an HMAC under the state key, else
        SHA-256, and "" for a Secret without a key."""
        return fingerprint(manifest, self.key)

    def _app(self, conn: Connection, key: int) -> AppDeploymentRecord:
        row = _app_row(conn, key)
        wanted = {row.spec_blob: ""} if row.spec_blob else {}
        return app_record(row, self.store.load(conn, wanted))


def _app_row(conn: Connection, key: int) -> Any:
    row = conn.execute(select(app_deployments).where(app_deployments.c.id == key)).first()
    if row is None:
        raise StateError(f"there is no app deployment with the key {key}")
    return row


def _key_was_used(conn: Connection) -> bool:
    """Something is encrypted or closed under a key: a new one would only hide that it is missing."""
    sealed = select(func.count()).select_from(blobs).where(blobs.c.key_id != "").limit(1)
    chained = select(closings_table.c.id).where(closings_table.c.key_id != "").limit(1)
    return conn.execute(chained).first() is not None or bool(conn.execute(sealed).scalar())
