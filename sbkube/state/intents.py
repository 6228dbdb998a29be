"""Intents and outcomes as rows: what is committed before a request is sent, and what is committed after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from sbkube.errors import StateError
from sbkube.models.deployment_state import LockTarget
from sbkube.models.outcome import OpState, Outcome
from sbkube.models.plan import GIVEN_BACK, HELM, Operation, Verb
from sbkube.state.blobs import (
    BlobBatch,
    BlobStore,
    batches,
    fingerprint,
    image,
    object_identity,
    release_identity,
)
from sbkube.state.records import meta, sensitive_digest
from sbkube.state.tables import app_deployments, deployed_resources, deployments, events, helm_releases
from sbkube.state.writing import database_now

LATE = "late_outcome"


class IntentWriter:
    """Writes intents and outcomes of one deployment; `apps` maps names to keys of `app_deployments`."""

    def __init__(self, store: BlobStore, deployment: int, apps: Mapping[str, int]) -> None:
        self.store = store
        self.deployment = deployment
        self.apps = apps

    def intend(self, conn: Connection, operations: Sequence[Operation], position: int) -> None:
        """Insert one open row for each operation; `position` is the number of the first."""
        now, batch = database_now(conn), self.store.batch()
        objects: list[dict[str, Any]] = []
        releases: list[dict[str, Any]] = []
        for number, op in enumerate(operations, position):
            shared = {
                "deployment_id": self.deployment,
                "app_deployment_id": self._app(op.app),
                "position": number,
                "operation": op.id,
                "verb": op.verb.value,
                "state": OpState.INTENDED.value,
                "started_at": now,
            }
            if op.verb.helm:
                releases.append(shared | self._release(op, batch))
            else:
                objects.append(shared | self._object(op, batch))
        batch.save(conn)
        if objects:
            conn.execute(insert(deployed_resources), objects)
        if releases:
            conn.execute(insert(helm_releases), releases)

    def _app(self, name: str) -> int:
        try:
            return self.apps[name]
        except KeyError as error:
            raise StateError("the app is not part of this deployment's plan", subject=name) from error

    def _object(self, op: Operation, batch: BlobBatch) -> dict[str, Any]:
        key = op.key
        if key is None:
            raise StateError("an operation that writes must name its object", subject=op.id)
        before = image(next((change.before for change in op.changes), None))
        sensitive = op.sensitive or self.store.is_sensitive(op.desired) or self.store.is_sensitive(before)
        identity = object_identity(key)
        return {
            "api_group": key.group,
            "api_version": key.version,
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "sensitive": sensitive,
            "intent_blob": batch.add(op.desired, identity, sensitive=sensitive),
            "before_blob": batch.add(before, identity, sensitive=sensitive),
            "intent_digest": fingerprint(op.desired, self.store.key, sensitive=sensitive),
            "uid": op.uid,
            "resource_version_before": op.resource_version,
            "source_file": op.source.file if op.source else "",
            "source_line": op.source.line if op.source else 0,
        }

    def _release(self, op: Operation, batch: BlobBatch) -> dict[str, Any]:
        spec, key = op.release, op.key
        if spec is None and key is None:
            raise StateError("a Helm operation must name its release", subject=op.id)
        name = spec.name if spec else key.name if key else ""
        namespace = spec.namespace if spec else key.namespace if key else ""
        identity = release_identity(namespace, name)
        values = dict(spec.values) if spec else None
        return {
            "release_name": name,
            "namespace": namespace,
            "chart": spec.chart_name or spec.chart if spec else "",
            "chart_version": spec.chart_version if spec else "",
            "app_version": spec.app_version if spec else "",
            "chart_digest": spec.chart_digest if spec else "",
            "values_blob": batch.add(values, identity, sensitive=True),
            "values_digest": sensitive_digest(values, self.store.key),
            "revision_before": op.revision,
        }

    def settle(self, conn: Connection, outcomes: Sequence[Outcome]) -> list[str]:
        """Write what came of open intents. An outcome whose intent is not open any more is kept as an event,
        never dropped; the names of those operations are returned."""
        objects = self._open(conn, deployed_resources, outcomes)
        releases = self._open(conn, helm_releases, outcomes)
        batch = self.store.batch()
        updates = [self._settled(objects[o.operation], o, batch) for o in outcomes if o.operation in objects]
        below: list[dict[str, Any]] = []
        for outcome in outcomes:
            if row := releases.get(outcome.operation):
                self._settle_release(conn, row, outcome, batch)
                below += self._release_objects(row, outcome, batch)
        batch.save(conn)
        _update_each(conn, updates)
        if below:
            conn.execute(insert(deployed_resources), below)
        late = [o for o in outcomes if o.operation not in objects and o.operation not in releases]
        self._keep_late(conn, late)
        return [outcome.operation for outcome in late]

    def open_operations(self, conn: Connection) -> list[str]:
        """Operations whose outcome nobody knows."""
        found: list[str] = []
        for table in (deployed_resources, helm_releases):
            query = select(table.c.operation).where(
                table.c.deployment_id == self.deployment, table.c.state == OpState.INTENDED.value
            )
            found += conn.execute(query).scalars()
        return found

    def _open(self, conn: Connection, table: Any, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part in batches(outcome.operation for outcome in outcomes):
            query = select(table).where(
                table.c.deployment_id == self.deployment,
                table.c.operation.in_(part),
                table.c.state == OpState.INTENDED.value,
            )
            found |= {row.operation: row for row in conn.execute(query)}
        return found

    def _settled(self, row: Any, outcome: Outcome, batch: BlobBatch) -> dict[str, Any]:
        before, after = image(outcome.before), image(outcome.after)
        sensitive = row.sensitive or self.store.is_sensitive(before) or self.store.is_sensitive(after)
        identity = "object:" + "/".join((row.api_group, row.kind, row.namespace, row.name))
        before_blob = batch.add(before, identity, sensitive=sensitive)
        return {
            "row": row.id,
            "state": outcome.state.value,
            "sensitive": sensitive,
            "before_blob": before_blob or row.before_blob,
            "after_blob": batch.add(after, identity, sensitive=sensitive),
            "image_digest": fingerprint(after, self.store.key, sensitive=sensitive),
            "uid": meta(after, "uid") or row.uid or meta(before, "uid"),
            "resource_version_before": meta(before, "resourceVersion") or row.resource_version_before,
            "resource_version_after": meta(after, "resourceVersion"),
            "reason": outcome.reason,
            "message": outcome.message,
            "started_at": outcome.started,
            "ended_at": outcome.ended,
        }

    def _settle_release(self, conn: Connection, row: Any, outcome: Outcome, batch: BlobBatch) -> None:
        identity = release_identity(row.namespace, row.release_name)
        before, after = outcome.previous, outcome.release
        values: dict[str, Any] = {
            "state": outcome.state.value,
            "reason": outcome.reason,
            "message": outcome.message,
            "started_at": outcome.started,
            "ended_at": outcome.ended,
        }
        if before is not None:
            values["revision_before"] = before.revision
            values["before_blob"] = batch.add(before.raw or None, identity, sensitive=True)
        if after is not None:
            values |= {
                "revision_after": after.revision,
                "status": after.status,
                "chart": after.chart_name or row.chart,
                "chart_version": after.chart_version or row.chart_version,
                "app_version": after.app_version or row.app_version,
                "manifest_digest": sensitive_digest(after.manifest, self.store.key),
                "after_blob": batch.add(after.raw or None, identity, sensitive=True),
            }
        conn.execute(update(helm_releases).where(helm_releases.c.id == row.id).values(**values))

    def _release_objects(self, row: Any, outcome: Outcome, batch: BlobBatch) -> list[dict[str, Any]]:
        """One row for each object of the release, with what was seen before and after."""
        verb = GIVEN_BACK if row.verb == Verb.HELM_GIVE_BACK else HELM
        below = []
        for item in outcome.objects:
            key, before, after = item.key, image(item.before), image(item.after)
            sensitive = key.kind == "Secret" or any(map(self.store.is_sensitive, (before, after)))
            identity = object_identity(key)
            below.append(
                {
                    "deployment_id": self.deployment,
                    "app_deployment_id": row.app_deployment_id,
                    "position": row.position,
                    "operation": outcome.operation,
                    "api_group": key.group,
                    "api_version": key.version,
                    "kind": key.kind,
                    "namespace": key.namespace,
                    "name": key.name,
                    "verb": verb,
                    "state": outcome.state.value,
                    "sensitive": sensitive,
                    "before_blob": batch.add(before, identity, sensitive=sensitive),
                    "after_blob": batch.add(after, identity, sensitive=sensitive),
                    "image_digest": fingerprint(after, self.store.key, sensitive=sensitive),
                    "uid": meta(after or before, "uid"),
                    "resource_version_before": meta(before, "resourceVersion"),
                    "resource_version_after": meta(after, "resourceVersion"),
                    "started_at": outcome.started,
                    "ended_at": outcome.ended,
                }
            )
        return below

    def _keep_late(self, conn: Connection, late: Sequence[Outcome]) -> None:
        """Outcomes that came after somebody else had settled their intent: truth that is added, not changed."""
        batch, now = self.store.batch(), database_now(conn)
        rows = []
        for outcome in late:
            kept = {
                "state": outcome.state.value,
                "started": outcome.started,
                "ended": outcome.ended,
                "reason": outcome.reason,
                "after": image(outcome.after),
            }
            rows.append(
                {
                    "deployment_id": self.deployment,
                    "created_at": now,
                    "kind": LATE,
                    "subject": outcome.operation,
                    "message": f"{outcome.state.value}: {outcome.message}".rstrip(": "),
                    "detail_blob": batch.add(kept, sensitive=True),
                }
            )
        batch.save(conn)
        if rows:
            conn.execute(insert(events), rows)


def _update_each(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        statement = update(deployed_resources).where(deployed_resources.c.id == bindparam("row"))
        names: dict[str, Any] = {name: bindparam(name) for name in rows[0] if name != "row"}
        conn.execute(statement.values(**names), list(rows))


def raw_before(conn: Connection, store: BlobStore, deployment: int, operation: str) -> str:
    """Helm's stored record of a release as it was before an operation, "" when there was none or no key for it."""
    c = helm_releases.c
    query = select(c.id, c.before_blob, c.namespace, c.release_name, c.revision_before)
    row = conn.execute(query.where(c.deployment_id == deployment, c.operation == operation)).first()
    if row is None:
        return ""
    identity = release_identity(row.namespace, row.release_name)
    name = row.before_blob
    if name is None and row.revision_before:
        name = _raw_of_revision(conn, row)
    return store.load(conn, {name: identity}).get(name, "") if name else ""


def _raw_of_revision(conn: Connection, row: Any) -> str | None:
    """The record that an earlier operation left as its own result."""
    c = helm_releases.c
    query = select(c.after_blob).where(
        c.id < row.id,
        c.namespace == row.namespace,
        c.release_name == row.release_name,
        c.revision_after == row.revision_before,
        c.after_blob.is_not(None),
    )
    return conn.execute(query.order_by(c.id.desc()).limit(1)).scalar()


def last_action(conn: Connection, target: LockTarget, namespace: str, name: str) -> tuple[Any, ...] | None:
    """(row, app, deployment's id, its status, its lock token) of a release's newest action, repairs left out."""
    c, d = helm_releases.c, deployments.c
    query = (
        select(helm_releases, app_deployments.c.app_name, d.deployment_id.label("public_id"))
        .add_columns(d.status.label("run_status"), d.lock_token)
        .join(deployments, d.id == c.deployment_id)
        .join(app_deployments, app_deployments.c.id == c.app_deployment_id)
        .where(c.namespace == namespace, c.release_name == name, c.verb != Verb.HELM_REPAIR.value)
        .where(c.state != OpState.ABANDONED.value)
        .where(d.project == target.project, d.cluster_uid == target.cluster_uid)
    )
    row = conn.execute(query.order_by(c.id.desc()).limit(1)).first()
    return None if row is None else (row, row.app_name, row.public_id, row.run_status, row.lock_token)
