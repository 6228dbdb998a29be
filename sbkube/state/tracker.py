"""The tracker: the only writer of the ledger, and the port `Ledger` that the engine cannot work without.

It runs no command, asks no cluster and swallows no error: what cannot be recorded stops the work.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from sbkube.errors import StateLocked
from sbkube.models.comparison import Then
from sbkube.models.deployment_state import (
    AppDeploymentCreate,
    AppDeploymentRecord,
    DeploymentCreate,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    HelmReleaseCreate,
    HelmReleaseRecord,
    LockInfo,
    LockTarget,
    ResourceCreate,
    ResourceRecord,
    Together,
)
from sbkube.models.outcome import OpState, Outcome
from sbkube.models.plan import Plan
from sbkube.models.resource import ResourceKey
from sbkube.ports import Recorded, ReleaseAction
from sbkube.state import closings, history, inventory, locks, rows
from sbkube.state.blobs import fingerprint
from sbkube.state.database import DeploymentDatabase
from sbkube.state.intents import IntentWriter, last_action, raw_before
from sbkube.state.journal import RunningDeployment, TrackedDeployment, keep_event, warning
from sbkube.state.tables import app_deployments, deployments
from sbkube.state.upkeep import Upkeep
from sbkube.state.writing import database_now

if TYPE_CHECKING:
    from sbkube.state import unrecorded

LEASE_SECONDS = 30
POLL_SECONDS = 0.25
NO_KEY = "images of Secrets and other sensitive content are not kept: there is no state key (SBKUBE_STATE_KEY)"


class DeploymentTracker(Upkeep):
    """Records deployments. `database`: None is the default database; a path, a URL or a database is accepted.

    `active_deployments` has the deployments that this tracker began and that have not ended, by integer key. Safe
    with several deployments at once, in several threads. `lease_seconds` is how long a lock lives without a
    heartbeat.
    """

    def __init__(
        self, database: DeploymentDatabase | str | Path | None = None, *, lease_seconds: int = LEASE_SECONDS
    ) -> None:
        if database is None:
            database = DeploymentDatabase()
        elif isinstance(database, str | Path):
            database = DeploymentDatabase(database)
        self.database = database
        self.lease_seconds = lease_seconds
        self.active_deployments: dict[int, dict[str, Any]] = {}
        self._guard = threading.Lock()
        self._no_key_secret = secrets.token_bytes(32)

    def track_deployment(
        self, data: DeploymentCreate | Mapping[str, Any] | None = None, **fields: Any
    ) -> TrackedDeployment | None:
        """Record a deployment that follows no plan; returns its handle, or None for a dry run, which is not
        recorded. Give a DeploymentCreate, a mapping or the fields; unknown or missing ones raise ValueError."""
        if data is not None and fields:
            raise ValueError("give a deployment or its fields, not both")
        given = fields if data is None else data
        create = given if isinstance(given, DeploymentCreate) else DeploymentCreate.from_mapping(given)
        if create.dry_run:
            return None
        record = self.database.create_deployment(create)
        self._remember(record)
        return TrackedDeployment(self.database, record, self._forget)

    def track_app_deployment(
        self, handle: TrackedDeployment, data: AppDeploymentCreate | Mapping[str, Any] | None = None, **fields: Any
    ) -> AppDeploymentRecord:
        """Record an app below a handle, running unless `status` says otherwise."""
        return self.database.add_app_deployment(handle.id, fields if data is None else data)

    def track_resource(
        self, app: AppDeploymentRecord, data: ResourceCreate | Mapping[str, Any] | None = None, **fields: Any
    ) -> int:
        """Record an object that an app acted on; returns the key of the row."""
        return self.database.add_deployed_resource(app.id, fields if data is None else data)

    def track_helm_release(
        self, app: AppDeploymentRecord, data: HelmReleaseCreate | Mapping[str, Any] | None = None, **fields: Any
    ) -> int:
        """Record a release that an app acted on; returns the key of the row."""
        return self.database.add_helm_release(app.id, fields if data is None else data)

    def _remember(self, record: DeploymentRecord) -> None:
        entry = {"deployment_id": record.deployment_id, "created_at": record.created_at, "status": "active"}
        with self._guard:
            self.active_deployments[record.id] = entry

    def _forget(self, key: int) -> None:
        with self._guard:
            self.active_deployments.pop(key, None)

    def acquire(self, target: LockTarget, command: str, *, wait: float = 0) -> LockInfo:
        """Take the lock row; raises StateLocked naming the holder after `wait` seconds."""
        deadline = time.monotonic() + wait
        while True:
            try:
                with self.database.writing() as conn:
                    return locks.acquire(conn, target, command, self.lease_seconds)
            except StateLocked:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                time.sleep(min(POLL_SECONDS, left))

    def renew(self, lock: LockInfo) -> LockInfo:
        """Heartbeat of the row; raises LockLost when it expired or was taken."""
        with self.database.writing() as conn:
            return locks.renew(conn, lock, self.lease_seconds)

    def release(self, lock: LockInfo) -> None:
        """Give the row up if it is still ours."""
        with self.database.writing() as conn:
            locks.release(conn, lock)

    def holder(self, target: LockTarget) -> LockInfo | None:
        """Who holds a lock that is alive, or None."""
        with self.database.reading() as conn:
            held = locks.held_by(conn, target)
            return held[1] if held else None

    def check_free(self, target: LockTarget) -> None:
        """Raise StateLocked, naming the holder, while somebody holds the lock."""
        with self.database.reading() as conn:
            locks.check_free(conn, target)

    def interrupted(self, project: str) -> tuple[str, ...]:
        """Ids of a project's deployments that did not end and whose run no longer lives, on any cluster."""
        with self.database.reading() as conn:
            return history.interrupted(conn, project)

    def break_lock(self, target: LockTarget) -> None:
        """Take the lock from whoever has it; its token is worthless from now on."""
        with self.database.writing() as conn:
            locks.break_lock(conn, target)

    def announce(self, parts: Sequence[tuple[DeploymentCreate, Plan, LockInfo]]) -> tuple[DeploymentRecord, ...]:
        """Record, as `pending` and in one go, deployments of one run that come one after the other; raises
        LockLost."""
        with self.database.writing() as conn:
            keys = [self._record(conn, *part, begun=False) for part in parts]
            return tuple(history.one(conn, key, self.database.store) for key in keys)

    def begin(self, data: DeploymentCreate, plan: Plan, lock: LockInfo) -> RunningDeployment:
        """Record the deployment with its whole plan, before anything is done; raises LockLost.

        One that was announced under its id and with this lock is taken over.
        """
        with self.database.writing() as conn:
            key = self._record(conn, data, plan, lock, begun=True)
            apps = _app_keys(conn, key)
            if not self.keeps_secrets:
                keep_event(conn, self.database, key, warning(NO_KEY, database_now(conn)))
            record = history.one(conn, key, self.database.store)
        self._remember(record)
        return RunningDeployment(self.database, record, apps, lock, self._forget)

    def _record(self, conn: Any, data: DeploymentCreate, plan: Plan, lock: LockInfo, *, begun: bool) -> int:
        from sbkube.state import beginnings

        locks.check(conn, lock)
        data = replace(
            data,
            project=data.project or plan.project,
            cluster_uid=data.cluster_uid or plan.cluster_uid,
            parent=data.parent or plan.parent or None,
        )
        return beginnings.record(conn, self.database.store, data, plan, lock, begun=begun)

    def unsettled(self, target: LockTarget) -> tuple[DeploymentDetail, ...]:
        """Deployments of this target that did not end and whose run no longer lives, with their open intents."""
        with self.database.reading() as conn:
            held = locks.held_by(conn, target)
            live = held[0] if held else None
            keys = [key for key, token in history.running(conn, target) if not (token and token == live)]
            return tuple(history.detail(conn, key, self.database.store) for key in keys)

    def settle(self, deployment_id: str, outcomes: Sequence[Outcome]) -> DeploymentRecord:
        """Close the open intents of an interrupted deployment and mark it so. What no outcome names is abandoned.

        Raises StateLocked if that deployment is still running. One that has ended takes the outcomes as late ones.
        """
        with self.database.writing() as conn:
            key = history.resolve(conn, deployment_id)
            record = history.one(conn, key, self.database.store)
            self._refuse_running(conn, record)
            writer = IntentWriter(self.database.store, key, _app_keys(conn, key))
            late = writer.settle(conn, outcomes)
            now = database_now(conn)
            left = [
                Outcome(
                    op, OpState.ABANDONED, now, now, reason="Interrupted", message="nobody knows what came of it"
                )
                for op in writer.open_operations(conn)
            ]
            writer.settle(conn, left)
            if record.status.ended:
                if late or outcomes or left:
                    closings.close(conn, key, self.database.key)
                return record
            running = app_deployments.c.status == DeploymentStatus.IN_PROGRESS.value
            ended = {"status": DeploymentStatus.INTERRUPTED.value, "ended_at": now}
            conn.execute(
                update(app_deployments).where(app_deployments.c.deployment_id == key, running).values(**ended)
            )
            self.database.set_status(conn, key, DeploymentStatus.INTERRUPTED)
            record = history.one(conn, key, self.database.store)
        self._forget(key)
        return record

    def _refuse_running(self, conn: Any, record: DeploymentRecord) -> None:
        if record.status.ended:
            return
        target = LockTarget(record.project, record.cluster_uid, record.namespace)
        held = locks.held_by(conn, target)
        token = conn.execute(select(deployments.c.lock_token).where(deployments.c.id == record.id)).scalar()
        if held and token and held[0] == token:
            raise StateLocked(
                f"it is still being run by {held[1].holder} on {held[1].host} (pid {held[1].pid})",
                subject=record.deployment_id,
                hint="wait for it, or take its lock with `sbkube recover --break-lock`",
            )

    def detail(self, reference: str, target: LockTarget | None = None, *, images: bool = True) -> DeploymentDetail:
        """By id, prefix, `latest` or `latest~N`; raises DeploymentNotFound. Without `images` they are `UNREAD`."""
        with self.database.reading() as conn:
            key = history.resolve(conn, reference, target)
            return history.detail(conn, key, self.database.store, images=images)

    def since(self, deployment_id: str, target: LockTarget) -> tuple[DeploymentDetail, ...]:
        """This deployment and all newer ones of the target, oldest first."""
        with self.database.reading() as conn:
            first = history.resolve(conn, deployment_id, target)
            keys = history.since(conn, first, target)
            return tuple(history.detail(conn, key, self.database.store) for key in keys)

    def plan(self, reference: str, target: LockTarget | None = None) -> Plan:
        """The plan that a deployment was recorded with; raises StateError if parts cannot be decrypted here."""
        from sbkube.state import plans

        with self.database.reading() as conn:
            key = history.resolve(conn, reference, target)
            name = conn.execute(select(deployments.c.plan_blob).where(deployments.c.id == key)).scalar()
            return plans.load_plan(conn, self.database.store, name)

    def left_by(self, deployment_id: str, target: LockTarget) -> Mapping[ResourceKey, ResourceRecord]:
        """The newest record, up to a deployment, of each object that was not Helm's: what it left behind."""
        with self.database.reading() as conn:
            key = history.resolve(conn, deployment_id, target)
            return {row.key: row for row in history.left_by(conn, key, target, self.database.store)}

    def compared(self, first: str, second: str) -> tuple[Then, Then]:
        """What was there when each of two deployments of one project had ended."""
        from sbkube.state import comparing

        with self.database.reading() as conn:
            return comparing.both(conn, self.database.store, first, second)

    def inventory(self, target: LockTarget) -> Mapping[ResourceKey, Recorded]:
        """Objects that this project created or changed and has not deleted since, release objects included."""
        with self.database.reading() as conn:
            return inventory.inventory(conn, target)

    def together(self, target: LockTarget) -> tuple[Together, ...]:
        """Where other projects, or apps in other contexts, were deployed as parts of this project."""
        with self.database.reading() as conn:
            return inventory.together(conn, target)

    def images(self, target: LockTarget, keys: Collection[ResourceKey]) -> Mapping[ResourceKey, ResourceRecord]:
        """The newest record, with its images, of those of the objects that the inventory has."""
        with self.database.reading() as conn:
            return inventory.images(conn, target, keys, self.database.store)

    def releases(self, target: LockTarget) -> tuple[HelmReleaseRecord, ...]:
        """The newest record of each release that this project left in place."""
        with self.database.reading() as conn:
            return inventory.releases(conn, target)

    def list_deployments(self, **filters: Any) -> list[DeploymentRecord]:
        """Deployments, newest first; the filters of `DeploymentDatabase.list_deployments`."""
        return self.database.list_deployments(**filters)

    def fingerprint(self, body: Mapping[str, Any]) -> str:
        """Digest of an object without status and server-managed metadata; an HMAC when there is a state key."""
        return fingerprint(body, self.database.key)

    def release_record(self, deployment_id: str, operation: str) -> str:
        """`raw` of the release as it was before a Helm operation, "" when there was none or no key for it."""
        with self.database.reading() as conn:
            key = history.resolve(conn, deployment_id)
            return raw_before(conn, self.database.store, key, operation)

    def app_status(self, target: LockTarget, app: str) -> DeploymentStatus | None:
        """How the newest deployment that began an app ended for it, None where there is none."""
        with self.database.reading() as conn:
            return history.app_status(conn, target, app)

    def knows(self, deployment_id: str) -> bool:
        """A deployment of exactly this id is recorded."""
        with self.database.reading() as conn:
            query = select(deployments.c.id).where(deployments.c.deployment_id == deployment_id)
            return conn.execute(query).first() is not None

    def last_action(self, target: LockTarget, namespace: str, name: str) -> ReleaseAction | None:
        """The newest Helm action of the target's deployments on a release, repairs left out."""
        with self.database.reading() as conn:
            found = last_action(conn, target, namespace, name)
            if found is None:
                return None
            row, app, public_id, status, token = found
            held = locks.held_by(conn, target)
            live = not DeploymentStatus(status).ended and bool(token) and held is not None and held[0] == token
            return ReleaseAction(rows.release_record(row, app), public_id, live)

    def forgotten_since(self, deployment_id: str, target: LockTarget) -> bool:
        """Deployments that ended after this one have been forgotten (`prune`)."""
        with self.database.reading() as conn:
            return closings.forgotten_since(conn, (target.cluster_uid, target.project), deployment_id)

    def closing_hash(self, deployment_id: str) -> str:
        """The hash that ends the chain with this deployment, "" before it has ended."""
        with self.database.reading() as conn:
            return closings.newest_hash(conn, deployment_id)

    def import_outcomes(self, data: bytes) -> unrecorded.Recovered:
        """Record what `dump_outcomes` made. The deployment is ended as interrupted when nothing of it is open any
        more. Raises StateError for another file or a deployment that is not here, StateLocked while it runs."""
        from sbkube.state import unrecorded

        deployment, outcomes, plain = unrecorded.read(data, self.database.key)
        with self.database.writing() as conn:
            key = history.resolve(conn, deployment)
            record = history.one(conn, key, self.database.store)
            self._refuse_running(conn, record)
            done = unrecorded.settle(conn, self.database, key, outcomes, plain)
        if not done.left and not record.status.ended:
            self.settle(deployment, ())
        return done

    @property
    def keeps_secrets(self) -> bool:
        """There is a state key, so images of Secrets are kept (encrypted)."""
        return self.database.key is not None

    @property
    def key_id(self) -> str:
        """Names the state key without telling anything about it, "" without one."""
        return self.database.key.key_id if self.database.key else ""

    def redaction_key(self) -> bytes:
        """The key that masks are made with: of the state key, or, without one, of this process only."""
        key = self.database.key
        return bytes.fromhex(key.digest(b"masks")) if key else self._no_key_secret

    def folder(self) -> Path | None:
        """The folder of a SQLite database."""
        file = self.database.location.file
        return file.parent if file else None

    def describe(self) -> str:
        """One line: where the state is and whether Secrets can be restored from it."""
        secret = "images of Secrets are kept encrypted" if self.keeps_secrets else "images of Secrets are not kept"
        return f"{self.database.location}, {secret}"

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def _app_keys(conn: Any, deployment: int) -> dict[str, int]:
    query = select(app_deployments.c.app_name, app_deployments.c.id)
    found = conn.execute(query.where(app_deployments.c.deployment_id == deployment))
    return {row.app_name: row.id for row in found}
