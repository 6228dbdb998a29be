"""Pieces of the JSON Schemas of the documents that `report.machine` writes, with words from the models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sbkube.models.command import CommandKind
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.drift import DriftState
from sbkube.models.health import HealthStatus
from sbkube.models.outcome import OpState
from sbkube.models.plan import Cause, Effect, Verb

Schema = dict[str, Any]

ANY: Schema = {}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
CODE: Schema = {"type": "integer", "minimum": 0, "maximum": 255}
MAP: Schema = {"type": "object", "additionalProperties": True}
NUMBERS: Schema = {"type": "object", "additionalProperties": COUNT}
TIME: Schema = {"type": "string", "format": "date-time"}
SECONDS: Schema = {"type": ["number", "null"]}


def words(values: Iterable[str]) -> Schema:
    """One of some words."""
    return {"enum": [str(value) for value in values]}


def maybe(schema: Schema) -> Schema:
    """This or null."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def many(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def ref(name: str) -> Schema:
    """One of `PARTS`."""
    return {"$ref": f"#/$defs/{name}"}


def counts(names: Iterable[str]) -> Schema:
    """Numbers under these names."""
    found = list(names)
    return {"type": "object", "properties": dict.fromkeys(found, COUNT), "required": found}


def record(fields: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these keys; more may come with later versions."""
    return {"type": "object", "properties": {**fields, **(optional or {})}, "required": list(fields)}


NOTE = maybe(TEXT)
WHEN = maybe(TIME)
STATUS = words(DeploymentStatus)
KEY = dict.fromkeys(("group", "version", "kind", "namespace", "name"), TEXT)
DEPLOYMENT = {
    "deployment_id": TEXT,
    "status": STATUS,
    "command": TEXT,
    "project": TEXT,
    "namespace": TEXT,
    "cluster": TEXT,
    "created_at": TIME,
    "ended_at": WHEN,
    "seconds": SECONDS,
    "counts": NUMBERS,
    "parent": NOTE,
    "rolled_back_by": NOTE,
    "resumed_by": NOTE,
    "dry_run": FLAG,
    "operator": NOTE,
    "host": TEXT,
    "kubernetes_user": NOTE,
    "cluster_uid": NOTE,
    "version": NOTE,
    "commit": NOTE,
    "branch": NOTE,
    "dirty": maybe(FLAG),
    "job": NOTE,
    "line": NOTE,
    "error": NOTE,
}
DETAIL = {
    **DEPLOYMENT,
    "context": TEXT,
    "config_file": TEXT,
    "origin": MAP,
    "args": MAP,
    "apps": many(ref("app")),
    "resources": many(ref("resource")),
    "releases": many(ref("release")),
    "events": many(ref("kept-event")),
}
PLAN = {
    "project": TEXT,
    "namespace": TEXT,
    "cluster": TEXT,
    "cluster_uid": TEXT,
    "purpose": TEXT,
    "parent": NOTE,
    "changes_pending": FLAG,
    "summary": counts(Effect),
    "apps": many(ref("app-plan")),
    "warnings": many(TEXT),
}
RUN = {
    "exit_code": CODE,
    "summary": counts(Effect),
    "deployment": ref("detail"),
    "warnings": many(TEXT),
    "rollback": maybe(ref("rollback")),
}
PROJECT_STATUS = {
    "project": TEXT,
    "namespace": TEXT,
    "cluster": record(dict.fromkeys(("name", "server", "context", "version", "uid"), TEXT) | {"sandbox": FLAG}),
    "last": maybe(ref("deployment")),
    "healthy": FLAG,
    "apps": many(ref("app-status")),
}
HEALTH = {"status": words(HealthStatus), "reason": TEXT, "message": TEXT}
_LAST = {"reason": NOTE, "message": NOTE, "seconds": SECONDS}
_FIELD = {"path": TEXT, "manager": NOTE, "operation": NOTE, "time": NOTE}
_RELEASE_THEN = maybe(record({"chart": TEXT, "version": TEXT, "revision": COUNT}))

PARTS: Mapping[str, Schema] = {
    "deployment": record(DEPLOYMENT),
    "detail": record(DETAIL),
    "plan": record(PLAN),
    "run": record(RUN),
    "rollback": record({"deployment_id": NOTE, "status": words((*DeploymentStatus, "refused")), "error": NOTE}),
    "app": record(
        {
            "name": TEXT,
            "type": TEXT,
            "namespace": TEXT,
            "status": STATUS,
            "started_at": WHEN,
            "ended_at": WHEN,
            "seconds": SECONDS,
            "error": NOTE,
        }
    ),
    "resource": record(
        {"app": TEXT, **KEY, "verb": TEXT, "state": words(OpState), "result": TEXT, **_LAST, "source": NOTE}
    ),
    "release": record(
        dict.fromkeys(("app", "release", "namespace", "chart", "chart_version", "app_version", "verb"), TEXT)
        | {"state": words(OpState), "revision_before": COUNT, "revision_after": COUNT, **_LAST}
    ),
    "kept-event": record({"time": TIME} | dict.fromkeys(("kind", "app", "subject", "message", "detail"), TEXT)),
    "app-plan": record(
        {
            "name": TEXT,
            "type": TEXT,
            "namespace": TEXT,
            "depends_on": many(TEXT),
            "release": NOTE,
            "helm": many(record({"verb": words(Verb), "revision": COUNT, "target_revision": COUNT})),
            "commands": many(ref("command")),
            "changes": many(ref("change")),
        }
    ),
    "command": record(
        {
            "name": TEXT,
            "kind": words(CommandKind),
            "hook": TEXT,
            "text": TEXT,
            "only_after_failure": FLAG,
        }
    ),
    "change": record(
        {**KEY, "effect": words(Effect), "note": NOTE, "source": NOTE, "fields": many(ref("field-change"))}
    ),
    "field-change": record({**_FIELD, "before": ANY, "after": ANY, "cause": words(Cause)}),
    "app-status": record(
        {
            "name": TEXT,
            "type": TEXT,
            "namespace": TEXT,
            "release": NOTE,
            "health": record(HEALTH),
            "objects": many(record({**KEY, **HEALTH})),
        }
    ),
    "project-status": record(PROJECT_STATUS),
    "left-out": record({"project": TEXT, "error": TEXT, "message": TEXT, "hint": NOTE}),
    "app-drift": record(
        {
            "name": TEXT,
            "looked_at": COUNT,
            "releases": many(
                record({"release": TEXT, "namespace": TEXT, "state": words(DriftState), "notes": many(TEXT)})
            ),
            "objects": many(ref("object-drift")),
        }
    ),
    "object-drift": record(
        {
            **KEY,
            "state": words(DriftState),
            "note": NOTE,
            "deployment_id": NOTE,
            "fields": many(record({**_FIELD, "left": ANY, "now": ANY})),
        }
    ),
    "drift": record(
        {
            "project": TEXT,
            "namespace": TEXT,
            "cluster": TEXT,
            "cluster_uid": TEXT,
            "drifted": FLAG,
            "untold": COUNT,
            "apps": many(ref("app-drift")),
        }
    ),
    "place": record({"file": TEXT, "line": COUNT, "column": COUNT}),
    "release-difference": record({"release": TEXT, "before": _RELEASE_THEN, "after": _RELEASE_THEN}),
    "object-difference": record({**KEY, "before": maybe(MAP), "after": maybe(MAP)}),
    "prepared": record({"app": TEXT, "what": TEXT, "version": TEXT, "path": TEXT}),
}
