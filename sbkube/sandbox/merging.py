"""Comparing and merging typed values, as structured-merge-diff v6 does for server-side apply.

Results share unchanged parts with their arguments; nothing is changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sbkube.sandbox.fieldset import Fields, is_granular_list, is_granular_map, is_member, item_element
from sbkube.sandbox.schema import ANY, Type

_ABSENT: Any = object()


@dataclass(slots=True)
class Comparison:
    """What changed: `changed` holds modified and added paths, `removed` those that are gone."""

    changed: Fields = field(default_factory=dict)
    removed: Fields = field(default_factory=dict)


def compare(kind: Type, old: Any, new: Any) -> Comparison:
    """The paths at which `new` differs from `old`."""
    out = Comparison()
    if old is not new:
        _compare(kind, old, new, out.changed, out.removed)
    return out


def _compare(kind: Type, old: Any, new: Any, changed: Fields, removed: Fields) -> None:
    """Fills the sets below one place; whether the place itself is in them is the caller's business."""
    if is_granular_list(kind) and _is(list, old, new):
        element = kind.element or ANY
        olds = _by_element(kind, old)
        news = _by_element(kind, new)
        for key in olds.keys() | news.keys():
            _child(element, key, olds.get(key, _ABSENT), news.get(key, _ABSENT), changed, removed)
    elif _is(dict, old, new) and (is_granular_map(kind, old) or is_granular_map(kind, new)):
        before = old if isinstance(old, dict) else {}
        after = new if isinstance(new, dict) else {}
        for name in before.keys() | after.keys():
            a, b = before.get(name, _ABSENT), after.get(name, _ABSENT)
            if a is not b:
                _child(kind.field(name), "f:" + name, a, b, changed, removed)


def _child(kind: Type, key: str, old: Any, new: Any, changed: Fields, removed: Fields) -> None:
    add: Fields = {}
    gone: Fields = {}
    _compare(kind, None if old is _ABSENT else old, None if new is _ABSENT else new, add, gone)
    leaf = not _granular(kind, old, new)
    _place(changed, key, old is _ABSENT or (leaf and new is not _ABSENT and not same(old, new)), add)
    _place(removed, key, new is _ABSENT, gone)


def _place(out: Fields, key: str, member: bool, below: Fields) -> None:
    if below:
        out[key] = {".": {}, **below} if member else below
    elif member:
        out[key] = {}


def _granular(kind: Type, old: Any, new: Any) -> bool:
    """Whether the differences lie below: not for atoms, and not when both sides are empty."""
    if not (old or new) or (old is _ABSENT and not new) or (new is _ABSENT and not old):
        return False
    if is_granular_list(kind):
        return _is(list, old, new)
    return _is(dict, old, new) and (is_granular_map(kind, old) or is_granular_map(kind, new))


def _is(what: type, old: Any, new: Any) -> bool:
    """Both are of this type or nothing, and one is there."""
    absent = (None, _ABSENT)
    return (
        (isinstance(old, what) or old in absent)
        and (isinstance(new, what) or new in absent)
        and (isinstance(old, what) or isinstance(new, what))
    )


def same(old: Any, new: Any) -> bool:
    """Equality that tells True from 1."""
    return bool(type(old) is type(new) and old == new) or (
        bool(old == new) and not isinstance(old, bool) and not isinstance(new, bool)
    )


def _by_element(kind: Type, items: Any) -> dict[str, Any]:
    return {item_element(kind, i): i for i in items} if isinstance(items, list) else {}


def merge(kind: Type, live: Any, applied: Any) -> Any:
    """`live` with `applied` laid over it: maps and list maps by key, everything else replaced."""
    if is_granular_map(kind, applied) and isinstance(live, dict):
        out = dict(live)
        for key, value in applied.items():
            out[key] = merge(kind.field(key), live[key], value) if key in live else value
        return out
    if is_granular_list(kind) and isinstance(applied, list) and isinstance(live, list):
        return _merge_lists(kind, live, applied)
    return applied


def _merge_lists(kind: Type, live: list[Any], applied: list[Any]) -> list[Any]:
    """The order rule: applied items keep their order, live ones stay in front of what they preceded."""
    element = kind.element or ANY
    left = [item_element(kind, i) for i in live]
    right = [item_element(kind, i) for i in applied]
    lefts, rights = dict(zip(left, live, strict=True)), dict(zip(right, applied, strict=True))
    shared = [e for e in right if e in lefts]
    out: list[Any] = []
    at = pos = done = 0
    merged: set[str] = set()
    while at < len(left) or pos < len(right):
        both = at < len(left) and pos < len(right)
        if both and left[at] in rights and left[at] != right[pos] and shared[done:] and shared[done] != left[at]:
            at += 1
            continue
        if at < len(left) and left[at] not in rights:
            out.append(live[at])
            at += 1
            continue
        if at < len(left) and left[at] in merged:
            at += 1
            continue
        if pos >= len(right):
            at += 1
            continue
        key = right[pos]
        merged.add(key)
        out.append(merge(element, lefts[key], rights[key]) if key in lefts else rights[key])
        if done < len(shared) and shared[done] == key:
            done += 1
        at += at < len(left) and left[at] == key
        pos += 1
    return out


def prune(kind: Type, value: Any, last: Fields, managed: Fields) -> Any:
    """`value` less what `last` names and `managed` (all that is owned now) does not, with all below it."""
    if isinstance(value, dict):
        out = dict(value)
        for key, node in last.items():
            name = key[2:]
            if not key.startswith("f:") or name not in out:
                continue
            other = managed.get(key)
            if other is None and (is_member(node) or name in kind.fields):
                del out[name]
            else:
                out[name] = prune(kind.field(name), out[name], node, other or {})
        return out
    if isinstance(value, list) and is_granular_list(kind):
        items = []
        for item in value:
            key = item_element(kind, item)
            node, other = last.get(key), managed.get(key)
            if node is None:
                items.append(item)
            elif other is not None or not is_member(node):
                items.append(prune(kind.element or ANY, item, node, other or {}))
        return items
    return value
