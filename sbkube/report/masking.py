"""The last guard before the terminal: nothing that sits in a Secret is shown in clear.

Plans and records come here masked already; whatever does not look masked is hidden again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sbkube.models.plan import FieldChange
from sbkube.models.resource import ResourceKey
from sbkube.plan.redact import matches

HIDDEN = "(masked)"
_MASKED = re.compile(r"^\(masked( [0-9a-f]+)?(, changed)?\)$")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SECRET_FIELDS = ("data", "stringData")


def secret(key: ResourceKey) -> bool:
    """A core Secret."""
    return key.kind == "Secret" and key.group == ""


def masked_pair(
    key: ResourceKey,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    sensitive: Sequence[str] = (),
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Both images of an object without secret values and without what the globs of `sensitive` name; a value that
    differs still shows as changed."""
    if not secret(key):
        return _without_named(before, None, sensitive), _without_named(after, before, sensitive)
    return _masked(before, None), _masked(after, before)


def _without_named(
    body: Mapping[str, Any] | None, other: Mapping[str, Any] | None, globs: Sequence[str]
) -> dict[str, Any] | None:
    if body is None:
        return None
    clean = _named_hidden(body, other, globs, "") if globs else body
    return _copy_hidden(dict(clean))


def _named_hidden(value: Any, other: Any, globs: Sequence[str], path: str) -> Any:
    if path and any(matches(path, glob) for glob in globs):
        return _hide(value, value if other is None else other)
    if isinstance(value, Mapping):
        old = other if isinstance(other, Mapping) else {}
        return {
            k: _named_hidden(v, old.get(k), globs, f"{path}.{k}" if path else str(k)) for k, v in value.items()
        }
    if isinstance(value, list):
        olds = other if isinstance(other, list) and len(other) == len(value) else [None] * len(value)
        pairs = zip(value, olds, strict=True)
        return [_named_hidden(v, old, globs, f"{path}.{number}") for number, (v, old) in enumerate(pairs)]
    return value


def _masked(body: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if body is None:
        return None
    clean = dict(body)
    for name in _SECRET_FIELDS:
        values = clean.get(name)
        if isinstance(values, Mapping):
            old = (other or {}).get(name)
            old = old if isinstance(old, Mapping) else {}
            clean[name] = {k: _hide(v, old.get(k, v)) for k, v in values.items()}
        elif values is not None:
            clean[name] = HIDDEN
    return _copy_hidden(clean)


def _copy_hidden(clean: dict[str, Any]) -> dict[str, Any]:
    """Without kubectl's copy of the object, which repeats everything under paths that nobody names."""
    meta = clean.get("metadata")
    notes = meta.get("annotations") if isinstance(meta, Mapping) else None
    if isinstance(meta, Mapping) and isinstance(notes, Mapping) and _LAST_APPLIED in notes:
        clean["metadata"] = {**meta, "annotations": {**notes, _LAST_APPLIED: HIDDEN}}
    return clean


def _hide(value: Any, old: Any) -> Any:
    if isinstance(value, str) and _MASKED.match(value):
        return value
    return HIDDEN if value == old else "(masked, changed)"


def masked_field(key: ResourceKey, change: FieldChange) -> FieldChange:
    """A field change without secret values."""
    top = re.split(r"[.\[]", change.path, maxsplit=1)[0]
    if not (secret(key) and top in _SECRET_FIELDS) and _LAST_APPLIED not in change.path:
        return replace(change, before=_noted(change.before), after=_noted(change.after))
    before = None if change.before is None else _hide(change.before, change.before)
    after = None if change.after is None else _hide(change.after, change.before)
    return replace(change, before=before, after=after)


def _noted(value: Any) -> Any:
    """Annotations that came or went as a whole."""
    if isinstance(value, Mapping) and _LAST_APPLIED in value:
        return {**value, _LAST_APPLIED: _hide(value[_LAST_APPLIED], value[_LAST_APPLIED])}
    return value
