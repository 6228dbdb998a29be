"""Who owns which field: reading `metadata.managedFields` (FieldsV1).

Source of the format: Kubernetes' structured-merge-diff, `FieldsV1`: keys `f:NAME` (field), `k:{…}` (list item by
keys), `v:…` (set member), `i:N` (index), and `.` for the element itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Element = str | Mapping[str, Any]
"""One step down: a segment as FieldsV1 writes it, or an item of a list, which is found by its keys."""
Path = tuple[Element, ...]
Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """A field manager's entry: `operation` is Apply or Update, `time` is RFC 3339."""

    manager: str
    operation: str
    time: str
    subresource: str = ""


def entries(body: Mapping[str, Any] | None) -> Iterator[tuple[Owner, Mapping[str, Any]]]:
    """Each owner of an object with its field tree."""
    for entry in ((body or {}).get("metadata") or {}).get("managedFields") or ():
        owner = Owner(
            entry.get("manager", ""),
            entry.get("operation", ""),
            entry.get("time", ""),
            entry.get("subresource", ""),
        )
        yield owner, entry.get("fieldsV1") or {}


def owners(body: Mapping[str, Any] | None, path: Path) -> list[Owner]:
    """Who owns the field at `path` or something below it."""
    return [owner for owner, tree in entries(body) if _descend(tree, path) is not None]


def has(tree: Tree, path: Path) -> bool:
    """The tree has the field at `path`, something below it, or the whole above it."""
    return _descend(tree, path) is not None


def _descend(tree: Tree, path: Path) -> Tree | None:
    node: Tree = tree
    for depth, element in enumerate(path):
        segment = element if isinstance(element, str) else item_key(node, element)
        if segment not in node:
            # An empty node owns the whole value below it (atomic lists and maps).
            return node if depth and not node else None
        node = node[segment]
    return node


def item_key(tree: Tree, item: Any) -> str:
    """The segment of a list's tree that means this item, or an empty text."""
    for segment in tree:
        if segment.startswith("k:") and isinstance(item, Mapping):
            if all(item.get(name) == wanted for name, wanted in json.loads(segment[2:]).items()):
                return segment
        elif segment.startswith("v:") and json.loads(segment[2:]) == item:
            return segment
    return ""


def is_member(node: Tree) -> bool:
    """The path that ends at this node is owned itself, not only what is below it."""
    return not node or "." in node


def union(*trees: Tree) -> dict[str, Any]:
    """All paths of all trees."""
    result: dict[str, Any] = {}
    for tree in trees:
        _merge(result, tree)
    return result


def extract(body: Mapping[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an object that a field tree covers, as a manifest that could be applied again."""
    result = _extract_map(body, tree)
    result["apiVersion"], result["kind"] = body["apiVersion"], body["kind"]
    meta = dict(result.get("metadata") or {})
    for name in ("name", "namespace"):
        if value := (body.get("metadata") or {}).get(name):
            meta[name] = value
    result["metadata"] = meta
    return result


def owned_tree(body: Mapping[str, Any] | None, manager: str, *, updates: bool = False) -> dict[str, Any]:
    """The union of what a manager owns by Apply (with `updates` by Update too), outside of subresources.

    What was applied as `stringData` of a Secret lies in `data`; no stored object has the former.
    """
    wanted = {"Apply", "Update"} if updates else {"Apply"}
    tree = union(
        *(
            fields
            for owner, fields in entries(body)
            if owner.manager == manager and owner.operation in wanted and not owner.subresource
        )
    )
    if "f:stringData" in tree:
        tree = union(tree, {"f:data": tree.pop("f:stringData")})
    return tree


def without(tree: Tree, other: Tree) -> dict[str, Any]:
    """A field tree less the leaves of another."""
    left: dict[str, Any] = {}
    for key, node in tree.items():
        if key not in other:
            left[key] = node
        elif other[key] and (rest := without(node, other[key])):
            left[key] = rest
    return left


def _merge(into: dict[str, Any], other: Tree) -> None:
    for key, value in other.items():
        known = into.get(key)
        if known is None:
            into[key] = union(value)
            continue
        # One says the whole, the other some of it: then it is the whole and some of it.
        member = key != "." and is_member(known) != is_member(value)
        _merge(known, value)
        if member:
            known["."] = {}


def _extract_map(value: Mapping[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for segment, below in tree.items():
        name = segment[2:]
        if segment.startswith("f:") and name in value:
            result[name] = _extract(value[name], below)
    return result


def _extract(value: Any, tree: Mapping[str, Any]) -> Any:
    below = {key: sub for key, sub in tree.items() if key != "."}
    if not below:
        # Owned as a whole, or only the element itself: an empty container of the same type.
        return value if not tree or not isinstance(value, dict | list) else type(value)()
    if isinstance(value, dict):
        return _extract_map(value, below)
    if isinstance(value, list):
        return [item for item in (_extract_item(item, below) for item in value) if item is not None]
    return value


def _extract_item(item: Any, tree: Tree) -> Any:
    segment = item_key(tree, item)
    if segment.startswith("k:"):
        below = tree[segment]
        rest = _extract(item, below) if any(key != "." for key in below) else {}
        return {**json.loads(segment[2:]), **rest}
    return item if segment else None
