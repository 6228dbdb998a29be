"""Documents for programs. Each names its schema, `sbkube/<command>/v1`; keys stay, new ones may come.

Times are RFC 3339 in UTC, durations seconds. Values of Secrets are masked.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sbkube.errors import ClusterError, Place, ProjectError, SbkubeError
from sbkube.models.command import Command
from sbkube.models.deployment_state import (
    AppDeploymentRecord,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    HelmReleaseRecord,
    ResourceRecord,
)
from sbkube.models.health import Health
from sbkube.models.outcome import Event
from sbkube.models.plan import AppPlan, Change, Operation, Plan, Verb
from sbkube.report.detail import did
from sbkube.report.masking import masked_field
from sbkube.report.shapes import CheckLike, StatusLike

Document = dict[str, Any]
FORMATS = ("json", "yaml", "llm")


def document(command: str, content: Mapping[str, Any]) -> Document:
    """The content under its schema's name."""
    return {"schema": f"sbkube/{command}/v1", **content}


def encode(doc: Mapping[str, Any], form: str) -> str:
    """One document as text in one of `FORMATS`, ending in a newline."""
    if form == "yaml":
        from sbkube.report.yaml_text import dump

        return dump(doc)
    if form == "llm":
        from sbkube.report import compact

        return compact.text(doc)
    return json.dumps(doc, indent=2, ensure_ascii=False, default=str) + "\n"


def stamp(value: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if value else None


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """How long something took."""
    return round((end - start).total_seconds(), 3) if start and end else None


def place(value: Place | None) -> Document | None:
    """Where in a file."""
    return {"file": value.file, "line": value.line, "column": value.column} if value else None


def left_out(name: str, error: SbkubeError) -> Document:
    """A project of several of which nothing can be said."""
    return {"project": name, "error": error.slug, "message": error.message, "hint": error.hint or None}


def error(value: SbkubeError) -> Document:
    """An error with all its problems."""
    content: Document = {
        "error": value.slug,
        "message": value.message,
        "subject": value.subject,
        "hint": value.hint,
        "exit_code": value.exit_code,
        "place": place(value.place),
    }
    if isinstance(value, ProjectError):
        content["problems"] = [
            {"message": p.message, "place": place(p.place), "hint": p.hint} for p in value.problems
        ]
    if isinstance(value, ClusterError):
        content["code"], content["reason"] = value.code, value.reason
    return document("error", content)


def plan(value: Plan) -> Document:
    """A plan without bodies: objects, effects and the fields that change."""
    return {
        "project": value.project,
        "namespace": value.namespace,
        "cluster": value.cluster,
        "cluster_uid": value.cluster_uid,
        "purpose": value.purpose,
        "parent": value.parent or None,
        "changes_pending": value.pending,
        "summary": value.counts(),
        "apps": [_app_plan(app) for app in value.apps],
        "warnings": list(value.warnings),
    }


def _app_plan(app: AppPlan) -> Document:
    helm = [op for op in app.operations if op.verb.helm]
    commands = [op for op in app.operations if op.verb is Verb.RUN]
    return {
        "name": app.name,
        "type": app.type,
        "namespace": app.namespace,
        "depends_on": list(app.depends_on),
        "release": app.release or None,
        "helm": [
            {"verb": o.verb.value, "revision": o.revision, "target_revision": o.target_revision} for o in helm
        ],
        "commands": [_command(op) for op in commands],
        "changes": [_change(change) for change in app.changes],
    }


def _command(operation: Operation) -> Document:
    command = Command.from_json(operation.desired or {})
    return {
        "name": command.name,
        "kind": command.kind.value,
        "hook": command.hook,
        "text": command.text,
        "only_after_failure": operation.on_failure,
    }


def _change(change: Change) -> Document:
    fields = [masked_field(change.key, f) for f in change.fields]
    return {
        **change.key.to_json(),
        "effect": change.effect.value,
        "note": change.note or None,
        "source": str(change.source) if change.source else None,
        "fields": [
            {
                "path": f.path,
                "before": f.before,
                "after": f.after,
                "cause": f.cause.value,
                "manager": f.manager or None,
                "operation": f.operation or None,
                "time": f.time or None,
            }
            for f in fields
        ],
    }


def deployment(record: DeploymentRecord) -> Document:
    """One deployment as `history` lists it."""
    return {
        "deployment_id": record.deployment_id,
        "status": record.status.value,
        "command": record.command,
        "project": record.project,
        "namespace": record.namespace,
        "cluster": record.cluster,
        "created_at": stamp(record.created_at),
        "ended_at": stamp(record.ended_at),
        "seconds": seconds(record.created_at, record.ended_at),
        "counts": dict(record.counts),
        "parent": record.parent,
        "rolled_back_by": record.rolled_back_by or None,
        "resumed_by": record.resumed_by or None,
        "dry_run": record.dry_run,
        "operator": record.operator,
        "host": record.host,
        "kubernetes_user": record.kubernetes_user or None,
        "cluster_uid": record.cluster_uid or None,
        "version": record.sbkube_version,
        "commit": record.origin.get("commit"),
        "branch": record.origin.get("branch"),
        "dirty": record.origin.get("dirty"),
        "job": record.origin.get("job"),
        "line": (record.command_args or {}).get("line"),
        "error": record.error_message,
    }


def detail(value: DeploymentDetail) -> Document:
    """One deployment with everything below it, without images."""
    record = value.deployment
    return {
        **deployment(record),
        "context": record.context,
        "config_file": record.config_file_path,
        "origin": dict(record.origin),
        "args": dict(record.command_args or {}),
        "apps": [_app(app) for app in value.apps],
        "resources": [_resource(item) for item in value.resources],
        "releases": [_release(item) for item in value.releases],
        "events": [
            {
                "time": stamp(event.created_at),
                "kind": event.kind,
                "app": event.app_name,
                "subject": event.subject,
                "message": event.message,
                "detail": event.detail,
            }
            for event in value.events
        ],
    }


def event(value: Event) -> Document:
    """A message while something runs, as one line of JSON holds it."""
    content: Document = {"kind": value.kind, "time": stamp(value.time), "app": value.app, "subject": value.subject}
    content |= {"status": value.status, "message": value.message, "data": dict(value.data)}
    return document("event", content)


def rollback(value: DeploymentDetail | None, reason: str) -> Document:
    """What became of an automatic rollback; `reason` says why there was none."""
    if value is None:
        return {"deployment_id": None, "status": "refused", "error": reason}
    record = value.deployment
    return {"deployment_id": record.deployment_id, "status": record.status.value, "error": record.error_message}


def _app(app: AppDeploymentRecord) -> Document:
    return {
        "name": app.app_name,
        "type": app.app_type,
        "namespace": app.namespace,
        "status": app.status.value,
        "started_at": stamp(app.started_at),
        "ended_at": stamp(app.ended_at),
        "seconds": seconds(app.started_at, app.ended_at),
        "error": app.error_message,
    }


def _resource(item: ResourceRecord) -> Document:
    return {
        "app": item.app_name,
        **item.key.to_json(),
        "verb": item.verb,
        "state": item.state.value,
        "result": did(item),
        "reason": item.reason or None,
        "message": item.message or None,
        "seconds": seconds(item.started_at, item.ended_at),
        "source": f"{item.source_file}:{item.source_line}" if item.source_file else None,
    }


def _release(item: HelmReleaseRecord) -> Document:
    return {
        "app": item.app_name,
        "release": item.release_name,
        "namespace": item.namespace,
        "chart": item.chart,
        "chart_version": item.chart_version,
        "app_version": item.app_version,
        "verb": item.verb,
        "state": item.state.value,
        "revision_before": item.revision_before,
        "revision_after": item.revision_after,
        "reason": item.reason or None,
        "message": item.message or None,
        "seconds": seconds(item.started_at, item.ended_at),
    }


def health(value: Health) -> Document:
    """A readiness verdict."""
    return {"status": value.status.value, "reason": value.reason, "message": value.message}


def status(report: StatusLike) -> Document:
    """How a project is now."""
    info = report.cluster
    return {
        "project": report.project,
        "namespace": report.namespace,
        "cluster": {
            "name": info.name,
            "server": info.server,
            "context": info.context,
            "version": info.version,
            "uid": info.uid,
            "sandbox": info.sandbox,
        },
        "last": deployment(report.last) if report.last else None,
        "healthy": all(app.health.ready for app in report.apps),
        "apps": [
            {
                "name": app.name,
                "type": app.type,
                "namespace": app.namespace,
                "release": app.release or None,
                "health": health(app.health),
                "objects": [{**key.to_json(), **health(state)} for key, state in app.objects],
            }
            for app in report.apps
        ],
    }


def checks(found: Sequence[CheckLike]) -> Document:
    """What the doctor found."""
    items = [{"name": c.name, "ok": c.ok, "text": c.text, "hint": c.hint or None} for c in found]
    return {"ok": all(check.ok for check in found), "checks": items}


_EFFECTS = ("create", "change", "recreate", "delete", "unchanged")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of a formula


def history_csv(records: Sequence[DeploymentRecord]) -> str:
    """Deployments as CSV (RFC 4180) with a header line; counts become columns of their own. Text that a
    spreadsheet would run as a formula is preceded by an apostrophe."""
    out = io.StringIO()
    names = [name for name in deployment(_NOBODY) if name != "counts"]
    writer = csv.DictWriter(out, [*names, *_EFFECTS], extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for record in records:
        row = deployment(record)
        counts = {name: record.counts.get(name, 0) for name in _EFFECTS}
        writer.writerow({name: _cell(value) for name, value in (row | counts).items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


_NOBODY = DeploymentRecord(0, "", DeploymentStatus.PENDING, datetime.fromtimestamp(0, UTC), "", "", "", "", "", {})
