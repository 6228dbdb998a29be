"""What differs between two images of an object, field by field, and whose doing it is.

Server defaults and normalisation never show, because both sides come from the server: the live object and the
answer of a dry run. What the server itself counts (versions, times, ownership, status) is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sbkube.models.plan import Cause, FieldChange
from sbkube.plan import fieldset

SERVER_METADATA = frozenset(
    {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink", "deletionTimestamp"}
)
_ABSENT = object()
# Names by which list items are told apart, in the order in which they are tried.
_ITEM_KEYS = (("name",), ("containerPort", "protocol"), ("port", "protocol"), ("mountPath",), ("key",), ("type",))


def significant(body: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An object without status and without the metadata that the server keeps."""
    if body is None:
        return None
    meta = {k: v for k, v in (body.get("metadata") or {}).items() if k not in SERVER_METADATA}
    return {**{k: v for k, v in body.items() if k != "status"}, "metadata": meta}


def compare(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[FieldChange, ...]:
    """Every field that differs, in document order; None stands for an absent object."""
    old, new = significant(before) or {}, significant(after) or {}
    live = before if before is not None else {}
    return tuple(_attribute(live, step, a, b) for step, a, b in _walk(old, new, ()))


def _attribute(live: Mapping[str, Any], steps: tuple[_Step, ...], before: Any, after: Any) -> FieldChange:
    owners = fieldset.owners(live, tuple(step.segment for step in steps)) if live else []
    last = max(owners, key=lambda o: o.time, default=None)
    return FieldChange(
        path="".join(step.text for step in steps).lstrip("."),
        before=None if before is _ABSENT else before,
        after=None if after is _ABSENT else after,
        cause=Cause.OURS,
        manager=last.manager if last else "",
        time=last.time if last else "",
    )


class _Step:
    """One step into an object: `text` for people, `segment` as managedFields writes it."""

    __slots__ = ("segment", "text")

    def __init__(self, text: str, segment: str) -> None:
        self.text = text
        self.segment = segment


def _field(name: str) -> _Step:
    plain = all(c.isalnum() or c in "_-" for c in name)
    return _Step(f".{name}" if plain else f"[{name!r}]", f"f:{name}")


def _walk(old: Any, new: Any, at: tuple[_Step, ...]) -> Iterator[tuple[tuple[_Step, ...], Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from _walk(old.get(name, _ABSENT), new.get(name, _ABSENT), (*at, _field(name)))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _walk_list(old, new, at)
    elif old != new or isinstance(old, bool) is not isinstance(new, bool):  # True == 1 in Python, not in JSON
        yield at, old, new


def _walk_list(
    old: list[Any], new: list[Any], at: tuple[_Step, ...]
) -> Iterator[tuple[tuple[_Step, ...], Any, Any]]:
    names = _item_names(old, new)
    if names is None:
        if old != new:
            yield at, old, new
        return
    before, after = ({_item_id(item, names): item for item in items} for items in (old, new))
    for ident in dict.fromkeys([*before, *after]):
        shown = ",".join(f"{k}={v}" for k, v in ident)
        step = _Step(f"[{shown}]", "k:" + _canonical(dict(ident)))
        yield from _walk(before.get(ident, _ABSENT), after.get(ident, _ABSENT), (*at, step))


def _item_names(*lists: Iterable[Any]) -> tuple[str, ...] | None:
    """The members that identify the items of both lists, or None when none does."""
    for names in _ITEM_KEYS:
        if all(_identifies(list(items), names) for items in lists):
            return names
    return None


def _identifies(items: list[Any], names: tuple[str, ...]) -> bool:
    if not all(isinstance(item, Mapping) and names[0] in item for item in items):
        return False
    idents = [_item_id(item, names) for item in items]
    return len(set(map(str, idents))) == len(items)


def _item_id(item: Mapping[str, Any], names: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, item[name]) for name in names if name in item)


def _canonical(value: Mapping[str, Any]) -> str:
    import json

    return json.dumps(value, separators=(",", ":"), sort_keys=True)
