"""The scale subresource: the number of replicas of a workload or custom resource, and who owns it.

Owners are kept in the parent object, with the subresource and without a time (apimachinery `managedfields`,
`ScaleHandler`).
"""

from __future__ import annotations

from typing import Any

from sbkube.sandbox import fields, patches
from sbkube.sandbox.access import Options
from sbkube.sandbox.api import Api, copied
from sbkube.sandbox.decode import plain
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.selectors import selector_text
from sbkube.sandbox.status import MODIFIED, Cause, StatusError, bad_request, conflict, invalid

Json = dict[str, Any]
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_PATHS = (".spec.replicas", ".status.replicas", "")


def _paths(kind: Kind) -> tuple[str, str, str]:
    sub = kind.subresource("scale")
    return sub.paths if sub is not None and sub.paths else _PATHS


def _at(obj: Json, path: str) -> Any:
    found: Any = obj
    for step in path.split(".")[1:]:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _put(obj: Json, path: str, value: int) -> None:
    *steps, last = path.split(".")[1:]
    for step in steps:
        obj = obj.setdefault(step, {})
    obj[last] = value


def _selector(kind: Kind, obj: Json, path: str) -> str:
    if kind.custom:
        return str(_at(obj, path) or "") if path else ""
    selector = (obj.get("spec") or {}).get("selector") or {}
    known = "matchLabels" in selector or "matchExpressions" in selector
    text = selector_text(selector if known else {"matchLabels": selector})
    return "" if text == "<none>" else text


def view(kind: Kind, obj: Json) -> Json:
    """The object as a Scale."""
    wanted, present, selected = _paths(kind)
    replicas, text = _at(obj, wanted) or 0, _selector(kind, obj, selected)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: obj["metadata"][k] for k in _KEPT if k in obj["metadata"]},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {"replicas": _at(obj, present) or 0, **({"selector": text} if text else {})},
    }


def _wanted(kind: Kind, now: Json, how: str, body: Any) -> Json:
    """The Scale that the request asks for. Raises StatusError."""
    if how == "apply":
        if kind.custom:
            text = (
                "failed to create manager for existing fields: failed to convert live object "
                "(/; autoscaling/v1, Kind=Scale) to proper version: request to convert CR to an invalid "
                "group/version: autoscaling/v1"
            )
            raise StatusError(500, "", text)
        if (body.get("apiVersion"), body.get("kind")) != ("autoscaling/v1", "Scale"):
            group, _, version = str(body.get("apiVersion") or "").rpartition("/")
            raise bad_request(f"invalid object type: {group}/{version}, Kind={body.get('kind') or ''}")
        how = "merge"
    if how == "json":
        try:
            body = patches.json_patch(now, body)
        except patches.PatchError:
            text = "the server rejected our request due to an error in our request"
            raise StatusError(422, "Invalid", text, {}) from None
    elif how:
        body = patches.merge_patch(now, body)
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized (must be of type Scale)")
    try:
        return plain("Scale", "io.k8s.api.autoscaling.v1.Scale", body)
    except StatusError as error:
        raise bad_request(f'Scale in version "v1" cannot be handled as a Scale: {error.message}') from None


def _replicas(kind: Kind, name: str, wanted: Json) -> int:
    replicas: int = (wanted.get("spec") or {}).get("replicas") or 0
    if replicas < 0 and kind.custom:
        text = f"Invalid value: {replicas}: should be a non-negative integer"
        raise invalid(kind, name, [Cause("FieldValueInvalid", text, _paths(kind)[0])])
    if replicas < 0:
        shape = Kind("autoscaling", "v1", "Scale", "scales", "scale")
        text = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(shape, name, [Cause("FieldValueInvalid", text, "spec.replicas")])
    return replicas


def scale(api: Api, target: Target, verb: str, how: str, body: Any, options: Options) -> Json:
    """Reads or writes the number of replicas. Raises StatusError."""
    kind = target.kind
    live = api.get(kind, target.namespace, target.name)
    now = view(kind, live)
    if verb == "get":
        return now
    wanted = _wanted(kind, now, how, body)
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version and version != live["metadata"]["resourceVersion"]:
        raise conflict(kind, target.name, MODIFIED)
    replicas = _replicas(kind, target.name, wanted)
    path = _paths(kind)[0]
    new = copied(live)
    if _at(live, path) != replicas or how == "apply":
        _put(new, path, replicas)
        manager = fields.Manager(options.manager, "scale")
        steps = tuple("f:" + s for s in path.split(".")[1:])
        changed = _at(live, path) != replicas
        new = fields.record_scale(
            kind, new, manager, steps, changed, "Apply" if how == "apply" else "Update", options.force
        )
    return view(kind, api.finish(kind, live, new, options))
