"""A plan as it is approved: everything that a person agrees to, without anything that may not be read.

Sensitive values are HMACs, so that the plan can be made again later and compared. Left out is what may change
without a meaning: versions that the server counts, times, places in files, folders of this machine.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sbkube.errors import Problem
from sbkube.models.plan import AppPlan, Change, Effect, FieldChange, Operation, Plan, Verb
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.plan import classify, diff, fieldset
from sbkube.plan.labels import HELM_MANAGER
from sbkube.plan.redact import Redactor

Json = dict[str, Any]
_LOOKED_AT = frozenset({Effect.CHANGE, Effect.DELETE, Effect.RECREATE, Effect.UNKNOWN})
_PLAIN = ("name", "namespace", "chart_name", "chart_version", "chart_digest", "wait", "atomic", "timeout")


class Sealer(Redactor):
    """Replaces sensitive values by their whole HMAC. `used` tells that there were any.

    Without a key they are left out, and such a plan cannot be approved.
    """

    def __init__(self, key: bytes | None, sensitive: Iterable[str] = ()) -> None:
        super().__init__(key or b"", sensitive)
        self._secret = key
        self.used = False

    def mask(self, value: Any) -> str:
        """The stand-in for one value: equal for equal values under one key."""
        self.used = True
        if self._secret is None:
            return "hmac-sha256:"
        content = json.dumps(value, sort_keys=True, default=str).encode()
        return "hmac-sha256:" + hmac.new(self._secret, content, hashlib.sha256).hexdigest()

    def leaves(self, value: Any) -> Any:
        """Every value below, masked; names stay readable."""
        if isinstance(value, Mapping):
            return {key: self.leaves(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.leaves(item) for item in value]
        return self.mask(value)


def saved_form(plan: Plan, sealer: Sealer) -> Json:
    """What is written to a file and compared when the plan is applied."""
    return {
        "purpose": plan.purpose,
        "parent": plan.parent,
        "on_failure": plan.on_failure,
        "max_workers": plan.max_workers,
        "apps": [_app(app, sealer) for app in plan.apps],
    }


def _app(app: AppPlan, sealer: Sealer) -> Json:
    return {
        "name": app.name,
        "type": app.type,
        "namespace": app.namespace,
        "release": app.release,
        "depends_on": list(app.depends_on),
        "on_failure": app.on_failure,
        "changes": [_change(change, sealer, released=bool(app.release)) for change in app.changes],
        "operations": [_operation(op, sealer) for op in app.operations],
    }


def _change(change: Change, sealer: Sealer, *, released: bool) -> Json:
    """Objects of a release are rendered from values, which are sensitive, so nothing of them stays readable."""
    out: Json = {**change.key.to_json(), "effect": change.effect.value, "note": change.note}
    if change.effect is Effect.UNCHANGED:
        return out
    live, seal = change.before, _whole if released else _as_kind
    out["uid"] = str((live or {}).get("metadata", {}).get("uid", "")) if live else ""
    out["live"] = seal(_comparable(live), sealer) if live is not None and change.effect in _LOOKED_AT else None
    out["fields"] = [_field(field, change.key, sealer, released) for field in change.fields]
    if released and change.effect is not Effect.DELETE:
        out["wanted"] = seal(_sent(change.after), sealer)
    return out


def _as_kind(body: Mapping[str, Any] | None, sealer: Sealer) -> Any:
    return sealer.body(body)


def _whole(body: Mapping[str, Any] | None, sealer: Sealer) -> Any:
    return None if body is None else sealer.leaves(body)


def _comparable(live: Mapping[str, Any]) -> Json:
    """A live object without what the server counts and what an autoscaler moves."""
    owners = fieldset.owners(live, ("f:spec", "f:replicas"))
    scaled = any(
        classify.left_to_owner(FieldChange("spec.replicas", None, None, manager=owner.manager)) for owner in owners
    )
    body = diff.significant(live) or {}
    return diff.without(body, ["spec.replicas"]) if scaled else body


def _sent(after: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What Helm sends, without what the server's dry run made of it."""
    if after is None:
        return None
    owned = fieldset.owned_tree(after, HELM_MANAGER)
    return fieldset.extract(after, owned) if owned else diff.significant(after)


def _field(field: FieldChange, key: ResourceKey, sealer: Sealer, released: bool) -> Json:
    shown = sealer.field(field, key.kind == "Secret" and not key.group)
    before, after = (sealer.leaves(v) if released and v is not None else v for v in (shown.before, shown.after))
    return {"path": field.path, "before": before, "after": after, "cause": field.cause.value}


def _operation(op: Operation, sealer: Sealer) -> Json:
    return {
        "id": op.id,
        "verb": op.verb.value,
        "key": op.key.to_json() if op.key else None,
        "desired": _placeless(sealer.desired(op), op),
        "needs": list(op.needs),
        "after": list(op.after),
        "uid": op.uid,
        "force": op.force,
        "release": _release(op.release, sealer) if op.release else None,
        "revision": op.revision,
        "target_revision": op.target_revision,
        "awaits": [key.to_json() for key in op.awaits],
        "timeout": op.timeout,
    }


def _placeless(desired: Json | None, op: Operation) -> Json | None:
    """A command is the same in every checkout of the project."""
    return {**desired, "folder": ""} if desired and op.verb is Verb.RUN else desired


def _release(spec: ReleaseSpec, sealer: Sealer) -> Json:
    out: Json = {name: getattr(spec, name) for name in _PLAIN}
    return out | {"force_conflicts": spec.force_conflicts, "values": sealer.leaves(dict(spec.values))}


def canonical(value: Any) -> str:
    """The one text of a JSON value."""
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)


def differences(saved: Mapping[str, Any], fresh: Mapping[str, Any]) -> list[Problem]:
    """What is not any more as it was approved, one problem for each object or step."""
    found = [
        f"{name} was {saved.get(name)!r}, now it is {fresh.get(name)!r}"
        for name in ("purpose", "parent", "on_failure", "max_workers")
        if saved.get(name) != fresh.get(name)
    ]
    then, now = _by_object(saved), _by_object(fresh)
    for name in dict.fromkeys([*then, *now]):
        if then.get(name) != now.get(name):
            found.append(_moved(name, then.get(name), now.get(name)))
    if not found:
        found = _other_steps(_by_id(saved), _by_id(fresh))
    if not found and saved != fresh:
        found = ["the order of apps or steps is another one"]
    return [Problem(text) for text in found]


def _by_object(form: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for app in form["apps"]:
        for change in app["changes"]:
            found[f"{app['name']}: {ResourceKey.from_json(change)}"] = change
    return found


def _by_id(form: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {op["id"]: op for app in form["apps"] for op in app["operations"]}


def _moved(name: str, then: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    """One object in words; never its values."""
    if then is None or now is None:
        change = then or now or {}
        when = "was part of the plan, now it is not" if now is None else "was not part of the plan, now it is"
        return f"{name} ({change['effect']}) {when}"
    if then["effect"] != now["effect"]:
        return f"{name}: was {_do(then['effect'])}, now it is {_do(now['effect'])}"
    if then.get("uid") != now.get("uid"):
        return f"{name}: was replaced by another object of its name"
    if paths := _paths(then.get("live"), now.get("live")):
        return f"{name}: the live object has changed since: {paths}"
    if paths := _paths(then.get("wanted"), now.get("wanted")):
        return f"{name}: is rendered differently now: {paths}"
    fields = [f["path"] for f in now.get("fields", ()) if f not in then.get("fields", ())]
    fields += [f["path"] for f in then.get("fields", ()) if f not in now.get("fields", ())]
    what = ", ".join(dict.fromkeys(fields)) or "note"
    return f"{name}: would change otherwise than was approved: {what}"


def _do(effect: str) -> str:
    return "left alone" if effect == Effect.UNCHANGED else f"to {effect}"


def _paths(then: Any, now: Any) -> str:
    if then == now or not isinstance(then, Mapping | None) or not isinstance(now, Mapping | None):
        return ""
    return ", ".join(change.path for change in diff.compare(then, now)) or "metadata"


def _other_steps(then: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = [f"the step {name} is new" for name in now if name not in then]
    found += [f"the step {name} is not needed any more" for name in then if name not in now]
    for name in then:
        if name in now and then[name] != now[name]:
            parts = [part for part in now[name] if then[name].get(part) != now[name][part]]
            found.append(f"the step {name} differs in {', '.join(parts)}")
    return found
