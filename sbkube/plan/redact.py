"""Taking secrets out of what people and files see, while still showing that something changed."""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sbkube.models.plan import AppPlan, Change, FieldChange, Operation, Plan, Verb
from sbkube.plan import diff

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Redactor:
    """Replaces sensitive values by `(masked XXXXXXXX)`, a short HMAC under `key`: equal values look equal, and
    nothing can be guessed from them. `sensitive` are path globs such as `spec.password` or `**.token`."""

    def __init__(self, key: bytes, sensitive: Iterable[str] = ()) -> None:
        self._key = key
        self._globs = tuple(sensitive)

    def mask(self, value: Any) -> str:
        """The stand-in for one value."""
        digest = hmac.new(self._key, repr(value).encode(), hashlib.sha256).hexdigest()
        return f"(masked {digest[:8]})"

    def body(self, body: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """An object without secret values."""
        if body is None:
            return None
        clean = dict(body)
        if is_secret(body):
            for name in ("data", "stringData"):
                if isinstance(clean.get(name), Mapping):
                    clean[name] = {key: self.mask(value) for key, value in clean[name].items()}
        clean = self._without_last_applied(clean)
        return self._globbed(clean, "") if self._globs else clean

    def _without_last_applied(self, body: dict[str, Any]) -> dict[str, Any]:
        """kubectl's copy of an object repeats everything, under paths that nobody names."""
        annotations = (body.get("metadata") or {}).get("annotations") or {}
        if LAST_APPLIED not in annotations:
            return body
        masked = {**annotations, LAST_APPLIED: self.mask(annotations[LAST_APPLIED])}
        return {**body, "metadata": {**body["metadata"], "annotations": masked}}

    def _globbed(self, value: Any, path: str) -> Any:
        if path and any(matches(path, glob) for glob in self._globs):
            return self.mask(value)
        if isinstance(value, Mapping):
            return {k: self._globbed(v, f"{path}.{k}" if path else str(k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self._globbed(item, f"{path}.{index}") for index, item in enumerate(value)]
        return value

    def field(self, change: FieldChange, secret: bool) -> FieldChange:
        """A field change without secret values."""
        top = change.path.split(".")[0].split("[")[0]
        hide = (secret and top in {"data", "stringData"}) or LAST_APPLIED in change.path
        before, after = (self._value(v, change.path, hide) for v in (change.before, change.after))
        return replace(change, before=before, after=after)

    def _value(self, value: Any, path: str, hide: bool) -> Any:
        """One side of a field change, which may be a whole map that came or went."""
        if value is None:
            return None
        if hide:
            return self.mask(value)
        if isinstance(value, Mapping) and LAST_APPLIED in value:
            value = {**value, LAST_APPLIED: self.mask(value[LAST_APPLIED])}
        return self._within(value, path) if self._globs else value

    def _within(self, value: Any, path: str) -> Any:
        """A value at a path as differences have it; a glob may name something above it."""
        at = ""
        for step in diff.steps_of(path):
            name = step if isinstance(step, str) else _ITEM
            at = f"{at}.{name}" if at else name
            if any(matches(at, glob) for glob in self._globs):
                return self.mask(value)
        return self._globbed(value, at)

    def change(self, change: Change) -> Change:
        """A change without secret values in its images and fields."""
        secret = is_secret({"kind": change.key.kind, "apiVersion": change.key.api_version})
        return replace(
            change,
            before=self.body(change.before),
            after=self.body(change.after),
            fields=tuple(self.field(f, secret) for f in change.fields),
        )

    def plan(self, plan: Plan) -> Plan:
        """The plan as people may see it: no desired bodies of Secrets, no values of releases."""
        return replace(plan, apps=tuple(self._app(app) for app in plan.apps))

    def _app(self, app: AppPlan) -> AppPlan:
        return replace(
            app,
            changes=tuple(self.change(c) for c in app.changes),
            operations=tuple(self._operation(op) for op in app.operations),
        )

    def desired(self, operation: Operation) -> dict[str, Any] | None:
        """What an operation sends without secret values; of a command, without what its environment says."""
        if operation.verb is not Verb.RUN or operation.desired is None:
            return self.body(operation.desired)
        env = operation.desired.get("env") or {}
        hidden = {k: v if k.startswith("SBKUBE_") else self.mask(v) for k, v in env.items()}
        return {**operation.desired, "env": hidden}

    def _operation(self, operation: Operation) -> Operation:
        release = operation.release
        if release is not None:
            release = replace(release, values={name: self.mask(value) for name, value in release.values.items()})
        return replace(
            operation,
            desired=self.desired(operation),
            changes=tuple(self.change(c) for c in operation.changes),
            release=release,
        )


def is_secret(body: Mapping[str, Any]) -> bool:
    """A core Secret, whatever it holds."""
    return body.get("kind") == "Secret" and body.get("apiVersion", "v1") == "v1"


def matches(path: str, glob: str) -> bool:
    """A path such as `spec.password` fits a glob; `**.` stands for any number of steps.

    Of an item that is known by its name the place in the list is unknown: it fits every number.
    """
    if _ITEM in path:
        glob = ".".join("*" if part.isdigit() else part for part in glob.split("."))
    return fnmatch.fnmatchcase(path, glob.replace("**.", "*"))


_ITEM = "\ue000"  # an item of a list, in the place of its number; nobody writes this
