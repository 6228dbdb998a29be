"""The handles of running deployments: what work is recorded through while it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, update

from sbkube.errors import StateError
from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus, LockInfo
from sbkube.models.outcome import Event, Outcome
from sbkube.models.plan import Operation
from sbkube.state import closings, history, locks, status
from sbkube.state.intents import IntentWriter
from sbkube.state.tables import app_deployments, events
from sbkube.state.writing import database_now

if TYPE_CHECKING:
    from sbkube.state.database import DeploymentDatabase

Forget = Callable[[int], None]


class TrackedDeployment:
    """A deployment that was recorded without a plan. As a context manager it finishes itself: with the status of
    its operations, or, when an exception leaves, as failed with its text; the exception propagates."""

    def __init__(self, database: DeploymentDatabase, record: DeploymentRecord, forget: Forget) -> None:
        self.database = database
        self.record = record
        self._forget = forget
        self._ended = False

    @property
    def id(self) -> int:
        """The integer key."""
        return self.record.id

    @property
    def deployment_id(self) -> str:
        """The public id."""
        return self.record.deployment_id

    def finish(self, error: str | None = None) -> DeploymentRecord:
        """End the deployment; its status is computed from its operations. A second call changes nothing."""
        if not self._ended:
            key = self.record.id
            self.record = self.database.finish_deployment(key, error)
            self._ended = True
            self._forget(key)
        return self.record

    def __enter__(self) -> TrackedDeployment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(None if error is None else f"{type(error).__name__}: {error}".rstrip(": "))


class RunningDeployment:
    """The journal of a deployment that follows a plan, under a lock: the port `Journal`.

    What starts something or changes a status raises LockLost once the lock has expired or was taken; outcomes are
    always taken. Every method raises StateNotWritable when the database cannot be written.
    """

    def __init__(
        self,
        database: DeploymentDatabase,
        record: DeploymentRecord,
        apps: Mapping[str, int],
        lock: LockInfo,
        forget: Forget,
    ) -> None:
        self.database = database
        self.record = record
        self.lock = lock
        self._apps = dict(apps)
        self._writer = IntentWriter(database.store, record.id, self._apps)
        self._forget = forget
        self._position = 1

    def app_started(self, app: str) -> None:
        """Mark an app as running."""
        with self.database.writing() as conn:
            locks.check(conn, self.lock)
            values = {"status": DeploymentStatus.IN_PROGRESS.value, "started_at": database_now(conn)}
            self._change_app(conn, app, values)

    def app_ended(self, app: str, status: DeploymentStatus, error: str | None = None) -> None:
        """Mark an app as ended."""
        with self.database.writing() as conn:
            locks.check(conn, self.lock)
            values = {"status": status.value, "error_message": error, "ended_at": database_now(conn)}
            self._change_app(conn, app, values)

    def _change_app(self, conn: Connection, app: str, values: Mapping[str, Any]) -> None:
        if app not in self._apps:
            raise StateError("the app is not part of this deployment's plan", subject=app)
        conn.execute(update(app_deployments).where(app_deployments.c.id == self._apps[app]).values(**values))

    def intend(self, operations: Sequence[Operation]) -> None:
        """Commit the intents of a batch in one transaction; on return they have reached the disk."""
        with self.database.writing() as conn:
            locks.check(conn, self.lock)
            self._writer.intend(conn, operations, self._position)
        self._position += len(operations)

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes in one transaction, whatever became of the lock."""
        with self.database.writing() as conn:
            late = self._writer.settle(conn, outcomes)
            record = history.one(conn, self.record.id, self.database.store) if late else self.record
            if late and record.status.ended:
                closings.close(conn, record.id, self.database.key)

    def event(self, event: Event) -> None:
        """Keep a message; `data["detail"]`, or else all of `data`, goes along as text."""
        with self.database.writing() as conn:
            keep_event(conn, self.database, self.record.id, event)
            if history.one(conn, self.record.id, self.database.store).status.ended:  # by whoever took our lock
                closings.close(conn, self.record.id, self.database.key)

    def finish(self, error: str | None = None, *, interrupted: bool = False) -> DeploymentRecord:
        """End the deployment with the status of its operations and apps; open intents mean `interrupted`."""
        with self.database.writing() as conn:
            locks.check(conn, self.lock)
            facts = status.facts(conn, self.record.id)
            computed = status.compute(facts, error=error is not None, interrupted=interrupted)
            self.database.set_status(conn, self.record.id, computed, error)
            self.record = history.one(conn, self.record.id, self.database.store)
        self._forget(self.record.id)
        return self.record


def keep_event(conn: Connection, database: DeploymentDatabase, deployment: int, event: Event) -> None:
    """A row of `events`."""
    detail: Any = event.data.get("detail", dict(event.data) or None)
    if detail is not None and not isinstance(detail, str):
        detail = str(detail)
    batch = database.store.batch()
    values = {
        "deployment_id": deployment,
        "created_at": event.time.astimezone(UTC) if event.time.tzinfo else event.time.replace(tzinfo=UTC),
        "kind": event.kind,
        "app_name": event.app,
        "subject": event.subject,
        "message": event.message,
        "detail_blob": batch.add(detail),
    }
    batch.save(conn)
    conn.execute(insert(events).values(**values))


def warning(message: str, when: datetime) -> Event:
    """A warning worth keeping."""
    return Event("warning", when, message=message)
