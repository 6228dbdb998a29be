"""Plans as JSON and back. Both directions are pure and lose nothing.

Bodies of objects and values of releases go through a hook with what they belong to, so that a store can keep them
elsewhere (content-addressed, encrypted) and leave a reference in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sbkube.errors import Place
from sbkube.models.plan import AppPlan, Cause, Change, Effect, FieldChange, Operation, Plan, Verb
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import ResourceKey

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Body:
    """What a body belongs to: an object, or the release `NAMESPACE/NAME` whose values it is.

    `role` is `desired`, `before`, `after` or `values`; images of a Helm action name key and release. `sensitive`
    is what the operation says; kinds are the hook's business.
    """

    role: str
    key: ResourceKey | None = None
    release: str = ""
    sensitive: bool = False


Hook = Callable[[Any, Body], Any]
"""Takes a body (never None) or what stands for it, and returns the other."""


def as_it_is(value: Any, _: Body) -> Any:
    """The hook that keeps bodies where they are."""
    return value


def plan_to_json(plan: Plan, hook: Hook = as_it_is) -> Json:
    """A plan as plain JSON values. `hook` stores bodies."""
    return header_to_json(plan) | {"apps": [app_to_json(app, hook) for app in plan.apps]}


def plan_from_json(data: Mapping[str, Any], hook: Hook = as_it_is) -> Plan:
    """Inverse of `plan_to_json`. `hook` fetches bodies."""
    return header_from_json(data, tuple(app_from_json(app, hook) for app in data["apps"]))


def header_to_json(plan: Plan) -> Json:
    """A plan without its apps."""
    return {
        "project": plan.project,
        "namespace": plan.namespace,
        "purpose": plan.purpose,
        "cluster": plan.cluster,
        "cluster_uid": plan.cluster_uid,
        "parent": plan.parent,
        "warnings": list(plan.warnings),
        "on_failure": plan.on_failure,
        "max_workers": plan.max_workers,
    }


def header_from_json(data: Mapping[str, Any], apps: tuple[AppPlan, ...]) -> Plan:
    """Inverse of `header_to_json`."""
    header = {name: value for name, value in data.items() if name != "apps"}
    return Plan(**{**header, "warnings": tuple(data["warnings"]), "apps": apps})


def app_to_json(app: AppPlan, hook: Hook = as_it_is) -> Json:
    """One app of a plan."""
    return {
        "name": app.name,
        "type": app.type,
        "namespace": app.namespace,
        "depends_on": list(app.depends_on),
        "changes": [_change_to_json(change, hook) for change in app.changes],
        "operations": [operation_to_json(op, hook) for op in app.operations],
        "spec": dict(app.spec),
        "sources": dict(app.sources),
        "release": app.release,
        "notes": app.notes,
        "on_failure": app.on_failure,
    }


def app_from_json(data: Mapping[str, Any], hook: Hook = as_it_is) -> AppPlan:
    """Inverse of `app_to_json`."""
    return AppPlan(
        **{
            **data,
            "depends_on": tuple(data["depends_on"]),
            "changes": tuple(_change_from_json(change, hook) for change in data["changes"]),
            "operations": tuple(operation_from_json(op, hook) for op in data["operations"]),
        }
    )


def operation_to_json(op: Operation, hook: Hook = as_it_is) -> Json:
    """One operation."""
    return {
        "id": op.id,
        "app": op.app,
        "verb": op.verb.value,
        "key": op.key.to_json() if op.key else None,
        "desired": _through(hook, op.desired, Body("desired", op.key, sensitive=op.sensitive)),
        "changes": [_change_to_json(change, hook, op.sensitive, _release_of(op.release)) for change in op.changes],
        "needs": list(op.needs),
        "after": list(op.after),
        "uid": op.uid,
        "resource_version": op.resource_version,
        "force": op.force,
        "release": _release_to_json(op.release, hook) if op.release else None,
        "revision": op.revision,
        "target_revision": op.target_revision,
        "awaits": [key.to_json() for key in op.awaits],
        "timeout": op.timeout,
        "source": _place_to_json(op.source),
        "sensitive": op.sensitive,
        **({"on_failure": True} if op.on_failure else {}),
    }


def operation_from_json(data: Mapping[str, Any], hook: Hook = as_it_is) -> Operation:
    """Inverse of `operation_to_json`."""
    key = ResourceKey.from_json(data["key"]) if data["key"] else None
    sensitive = bool(data["sensitive"])
    release = _release_from_json(data["release"], hook) if data["release"] else None
    return Operation(
        **{
            **data,
            "verb": Verb(data["verb"]),
            "key": key,
            "desired": _through(hook, data["desired"], Body("desired", key, sensitive=sensitive)),
            "changes": tuple(
                _change_from_json(change, hook, sensitive, _release_of(release)) for change in data["changes"]
            ),
            "needs": tuple(data["needs"]),
            "after": tuple(data["after"]),
            "release": release,
            "awaits": tuple(ResourceKey.from_json(item) for item in data["awaits"]),
            "source": _place_from_json(data["source"]),
        }
    )


def _through(hook: Hook, value: Any, body: Body) -> Any:
    return None if value is None else hook(value, body)


def _release_of(release: ReleaseSpec | None) -> str:
    return f"{release.namespace}/{release.name}" if release else ""


def _change_to_json(change: Change, hook: Hook, sensitive: bool = False, release: str = "") -> Json:
    key = change.key
    return {
        "key": key.to_json(),
        "effect": change.effect.value,
        "before": _through(hook, change.before, Body("before", key, release, sensitive)),
        "after": _through(hook, change.after, Body("after", key, release, sensitive)),
        "fields": [_field_to_json(field) for field in change.fields],
        "note": change.note,
        "source": _place_to_json(change.source),
    }


def _change_from_json(data: Mapping[str, Any], hook: Hook, sensitive: bool = False, release: str = "") -> Change:
    key = ResourceKey.from_json(data["key"])
    return Change(
        key=key,
        effect=Effect(data["effect"]),
        before=_through(hook, data["before"], Body("before", key, release, sensitive)),
        after=_through(hook, data["after"], Body("after", key, release, sensitive)),
        fields=tuple(FieldChange(**{**field, "cause": Cause(field["cause"])}) for field in data["fields"]),
        note=data["note"],
        source=_place_from_json(data["source"]),
    )


def _field_to_json(field: FieldChange) -> Json:
    return {
        "path": field.path,
        "before": field.before,
        "after": field.after,
        "cause": field.cause.value,
        "manager": field.manager,
        "time": field.time,
        "operation": field.operation,
    }


def _release_to_json(release: ReleaseSpec, hook: Hook) -> Json:
    out = {name: getattr(release, name) for name in ReleaseSpec.__slots__}
    where = Body("values", release=f"{release.namespace}/{release.name}", sensitive=True)
    return out | {"values": _through(hook, dict(release.values), where), "labels": dict(release.labels)}


def _release_from_json(data: Mapping[str, Any], hook: Hook) -> ReleaseSpec:
    where = Body("values", release=f"{data['namespace']}/{data['name']}", sensitive=True)
    return ReleaseSpec(**{**data, "values": _through(hook, data["values"], where)})


def _place_to_json(place: Place | None) -> list[Any] | None:
    return [place.file, place.line, place.column] if place else None


def _place_from_json(data: list[Any] | None) -> Place | None:
    return Place(*data) if data else None
