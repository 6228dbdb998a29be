"""Sets of field paths, kept in the form in which `managedFields` shows them (FieldsV1).

A set is a nested dict; its keys are path elements (`f:name`, `k:{"name":"x"}`, `v:"x"`). A child without members
of its own (`{}`) or with the member "." is itself in the set. Nothing here changes its arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from sbkube.sandbox.schema import ANY, Type

Fields = dict[str, Any]
Json = dict[str, Any]


def is_member(node: Fields) -> bool:
    """Whether the path that ends at this node is itself in the set."""
    return not node or "." in node


def union(left: Fields, right: Fields) -> Fields:
    """All paths of both sets (of the same place)."""
    out = dict(left)
    for key, child in right.items():
        mine = out.get(key)
        out[key] = child if mine is None or key == "." else _join(mine, child)
    return out


def _join(left: Fields, right: Fields) -> Fields:
    if not left and not right:
        return {}
    joined = union(left, right)
    if is_member(left) or is_member(right):
        joined["."] = {}
    return joined if len(joined) > 1 or "." not in joined else {}


def difference(left: Fields, right: Fields) -> Fields:
    """The paths of `left` that are not in `right`."""
    out: Fields = {}
    for key, child in left.items():
        other = right.get(key)
        if other is None:
            out[key] = child
        elif key != ".":
            _put(out, key, is_member(child) and not is_member(other), difference(child, other))
    return out


def intersection(left: Fields, right: Fields) -> Fields:
    """The paths in both sets."""
    out: Fields = {}
    for key, child in left.items():
        other = right.get(key)
        if other is not None and key != ".":
            _put(out, key, is_member(child) and is_member(other), intersection(child, other))
    return out


def _put(out: Fields, key: str, member: bool, below: Fields) -> None:
    below.pop(".", None)
    if below:
        out[key] = {".": {}, **below} if member else below
    elif member:
        out[key] = {}


def of_paths(paths: tuple[tuple[str, ...], ...]) -> Fields:
    """The set of exactly these paths (not of what is below them), to be taken from others."""
    taken: Fields = {}
    for path in paths:
        node = taken
        for step in path[:-1]:
            node = node.setdefault(step, {"-": {}})
        node.setdefault(path[-1], {})["."] = {}
    return taken


def without_tree(fields: Fields, path: tuple[str, ...]) -> Fields:
    """`fields` less a path and everything below it."""
    if path[0] not in fields:
        return fields
    out = dict(fields)
    if len(path) == 1:
        del out[path[0]]
        return out
    below = without_tree(out[path[0]], path[1:])
    if below:
        out[path[0]] = below
    else:
        del out[path[0]]
    return out


def paths(fields: Fields, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every member of the set as a tuple of path elements."""
    for key in sorted(fields):
        if key == ".":
            continue
        here = (*prefix, key)
        if is_member(fields[key]):
            yield here
        yield from paths(fields[key], here)


def path_text(path: tuple[str, ...]) -> str:
    """A path as conflict messages print it: `.spec.ports[port=80,protocol="TCP"].name`."""
    out = []
    for step in path:
        if step.startswith("f:"):
            out.append("." + step[2:])
        elif step.startswith("i:"):
            out.append(f"[{step[2:]}]")
        elif step.startswith("k:"):
            keys = orjson.loads(step[2:])
            out.append("[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in sorted(keys.items())) + "]")
        else:
            out.append(f"[={step[2:]}]")
    return "".join(out)


def item_element(list_type: Type, item: Any) -> str:
    """The path element of one item of a set or list map."""
    if list_type.list_type == "set":
        return "v:" + orjson.dumps(item).decode()
    keys = {}
    for key in sorted(list_type.keys):
        value = item.get(key) if isinstance(item, dict) else None
        if value is None:
            value = list_type.key_defaults.get(key)
        if value is not None:
            keys[key] = value
    return "k:" + orjson.dumps(keys).decode()


def is_granular_list(kind: Type) -> bool:
    """Whether items of this list are owned one by one."""
    return kind.what == "list" and kind.list_type != "atomic"


def is_granular_map(kind: Type, value: Any) -> bool:
    """Whether members of this value are owned one by one (untyped maps are)."""
    return isinstance(value, dict) and not kind.atomic and kind.what in ("struct", "map", "any")


def of_value(kind: Type, value: Any) -> Fields:
    """The set of an applied configuration (structured-merge-diff `ToFieldSet`)."""
    if is_granular_map(kind, value):
        out: Fields = {}
        for key, child in value.items():
            if not isinstance(child, (dict, list)):
                out["f:" + key] = {}
                continue
            below = of_value(kind.field(key), child)
            member = child == {} or key not in kind.fields or _is_leaf(kind.field(key), child)
            _put(out, "f:" + key, member, below)
        return out
    if isinstance(value, list) and is_granular_list(kind):
        element = kind.element or ANY
        out = {}
        for item in value:
            _put(out, item_element(kind, item), True, of_value(element, item))
        return out
    return {}


def _is_leaf(kind: Type, value: Any) -> bool:
    if isinstance(value, dict):
        return not is_granular_map(kind, value)
    if isinstance(value, list):
        return not is_granular_list(kind)
    return True
