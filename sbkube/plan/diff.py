"""What differs between two images of an object, field by field, and whose doing it is.

Server defaults and normalisation never show, because both sides come from the server: the live object and the
answer of a dry run. What the server itself counts (versions, times, ownership, status) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
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


def compare(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    manager: str = "",
    *,
    owners: Mapping[str, Any] | None = None,
) -> tuple[FieldChange, ...]:
    """Every field that differs, in document order; None stands for an absent object. Items of a list that only
    changed places are told by the list's path, with their names in both orders.

    Each names its newest owner, another than `manager` where there is one, as `owners` (default: `before`) has it
    in its managed fields.
    """
    old, new = significant(before) or {}, significant(after) or {}
    live = before if owners is None else owners
    found = (_attributed(step, (a, b), live, manager) for step, a, b in _walk(old, new, ()))
    # Nobody owns an order, so nobody can be named for it.
    return tuple(replace(c, manager="", time="", operation="") if is_order(c, old) else c for c in found)


def untouched(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], answer: Mapping[str, Any], manager: str
) -> frozenset[str]:
    """Paths that differ though `manager` does not own them in `answer`, what the server made of its apply: a
    webhook or a default changed them, nobody asked for it."""
    tree = fieldset.owned_tree(answer, manager)
    walked = _walk(significant(before) or {}, significant(after) or {}, ())
    return frozenset(_path(at) for at, _, _ in walked if not fieldset.has(tree, tuple(s.element for s in at)))


def is_order(change: FieldChange, body: Mapping[str, Any] | None) -> bool:
    """The change tells that items of a list have changed places; `body` has the list."""
    items, names = value_at(body, change.path), change.before
    if not isinstance(items, list) or not isinstance(names, list):
        return False
    return bool(items) and isinstance(items[0], Mapping) and all(isinstance(name, str) for name in names)


def _path(steps: tuple[_Step, ...]) -> str:
    return "".join(step.text for step in steps).lstrip(".")


def _attributed(
    steps: tuple[_Step, ...], values: tuple[Any, Any], live: Mapping[str, Any] | None, ours: str
) -> FieldChange:
    owners = fieldset.owners(live, tuple(step.element for step in steps)) if live else []
    others = [owner for owner in owners if owner.manager != ours]
    last = max(others or owners, key=lambda o: o.time, default=_NOBODY)
    before, after = (None if value is _ABSENT else value for value in values)
    return FieldChange(
        path=_path(steps),
        before=before,
        after=after,
        cause=Cause.OURS,
        manager=last.manager,
        time=last.time,
        operation=last.operation,
    )


_NOBODY = fieldset.Owner("", "", "")


class _Step:
    """One step into an object: `text` for people, `element` to find its owners."""

    __slots__ = ("element", "text")

    def __init__(self, text: str, element: fieldset.Element) -> None:
        self.text = text
        self.element = element


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
        a, b = before.get(ident, _ABSENT), after.get(ident, _ABSENT)
        yield from _walk(a, b, (*at, _Step(f"[{shown}]", b if a is _ABSENT else a)))
    kept_before, kept_after = [i for i in before if i in after], [i for i in after if i in before]
    if kept_before != kept_after:
        # The order of containers and variables counts: init containers run in it, variables refer back.
        yield at, [_only_value(i) for i in kept_before], [_only_value(i) for i in kept_after]


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


def _only_value(ident: tuple[tuple[str, Any], ...]) -> str:
    return "/".join(str(value) for _, value in ident)


_STEPS = re.compile(r"""\.?([\w-]+)|\[(?:'([^']*)'|"([^"]*)")\]|\[([^\]]*)\]""")


def steps_of(path: str) -> list[str | dict[str, str]]:
    """A path as `FieldChange` has it, in steps: names of fields, and for items of lists the members that tell
    them apart (as text)."""
    steps: list[str | dict[str, str]] = []
    for name, quoted, double, item in _STEPS.findall(path):
        if item:
            steps.append(dict(part.partition("=")[::2] for part in item.split(",")))
        else:
            steps.append(name or quoted or double)
    return steps


def value_at(body: Mapping[str, Any] | None, path: str) -> Any:
    """The value at a path, or None."""
    node: Any = body
    for step in steps_of(path):
        if isinstance(step, str):
            node = node.get(step) if isinstance(node, Mapping) else None
        elif isinstance(node, list):
            node = next((item for item in node if is_item(item, step)), None)
        else:
            return None
    return node


def is_item(item: Any, step: Mapping[str, str]) -> bool:
    """Whether a step means this item of a list."""
    return isinstance(item, Mapping) and all(name in item and str(item[name]) == v for name, v in step.items())


def without(body: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """A manifest without the fields at `paths`; what is not there is no error."""
    result: Any = dict(body)
    for path in paths:
        result = _drop(result, steps_of(path))
    dropped: dict[str, Any] = result
    return dropped


def _drop(node: Any, steps: list[str | dict[str, str]]) -> Any:
    head, rest = steps[0], steps[1:]
    if isinstance(head, str):
        if not isinstance(node, Mapping) or head not in node:
            return node
        if not rest:
            return {key: value for key, value in node.items() if key != head}
        return {**node, head: _drop(node[head], rest)}
    if not isinstance(node, list):
        return node
    if not rest:
        return [item for item in node if not is_item(item, head)]
    return [_drop(item, rest) if is_item(item, head) else item for item in node]
