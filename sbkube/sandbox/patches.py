"""JSON patch (RFC 6902), JSON merge patch (RFC 7396) and Kubernetes' strategic merge patch."""

from __future__ import annotations

from typing import Any

import orjson

from sbkube.sandbox.gojson import DEEPEST, deeper_than
from sbkube.sandbox.schema import ANY, Type

Json = dict[str, Any]
MOST_OPERATIONS = 10_000
MOST_COPIED = 3 * 1024 * 1024  # bytes


class PatchError(ValueError):
    """The patch cannot be read or carried out; `code` is 400 or 422."""

    def __init__(self, message: str, code: int = 422) -> None:
        super().__init__(message)
        self.code = code


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396; the arguments stay as they are."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge_patch(out.get(key), value)
    return out


def json_patch(target: Json, operations: list[Any]) -> Json:
    """RFC 6902 on a copy of `target`, within the API server's limits. Raises PatchError."""
    if len(operations) > MOST_OPERATIONS:
        text = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}"
        raise PatchError(text, 413)
    doc: Any = orjson.loads(orjson.dumps(target))
    grown = 0
    for operation in operations:
        if not isinstance(operation, dict):
            raise PatchError("json: cannot unmarshal into Go value of type jsonpatch.Operation", 400)
        if operation.get("op") in ("copy", "move") and deeper_than(doc, DEEPEST):
            raise PatchError("exceeded max depth", 400)
        if operation.get("op") == "copy":
            grown += len(orjson.dumps(_lookup(doc, str(operation.get("from", "")), "copy")))
            if grown > MOST_COPIED:
                text = (
                    f"Unable to complete the copy, the accumulated size increase of copy is {grown}, "
                    f"exceeding the limit {MOST_COPIED}"
                )
                raise PatchError(text, 413)
        doc = _operate(doc, operation)
    if deeper_than(doc, DEEPEST):
        raise PatchError("exceeded max depth", 400)
    found: Json = doc
    return found


def _operate(doc: Any, operation: Json) -> Any:
    what, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str):
        raise PatchError(f"{what} operation missing path")
    if what in ("add", "replace", "test"):
        return _set(doc, str(what), path, operation.get("value"))
    if what == "remove":
        _take(doc, path, "remove")
        return doc
    if what in ("move", "copy"):
        source = str(operation.get("from", ""))
        value = _take(doc, source, what) if what == "move" else _lookup(doc, source, what)
        return _set(doc, "add", path, orjson.loads(orjson.dumps(value)))
    raise PatchError(f"Unexpected kind: {what}")


def _steps(path: str) -> list[str]:
    return [s.replace("~1", "/").replace("~0", "~") for s in path.split("/")[1:]]


def _missing(what: str, path: str, parent: bool = False) -> PatchError:
    if what == "add" or parent:
        return PatchError(f'{what} operation does not apply: doc is missing path: "{path}": missing value')
    return PatchError(f"{what} operation does not apply: doc is missing key: {path}: missing value")


def _index(what: str, items: list[Any], step: str, path: str, end: int) -> int:
    try:
        at = int(step)
    except ValueError:
        raise PatchError(
            f'{what} operation does not apply: strconv.Atoi: parsing "{step}": invalid syntax'
        ) from None
    if at < 0:
        at += len(items)
    if not 0 <= at < end:
        raise PatchError(
            f"{what} operation does not apply: doc is missing path: {path}: invalid index referenced"
            if what != "add"
            else f"add operation does not apply: Unable to access invalid index: {step}: invalid index referenced"
        )
    return at


def _parent(doc: Any, path: str, what: str) -> tuple[Any, str]:
    steps = _steps(path)
    for step in steps[:-1]:
        if isinstance(doc, list):
            doc = doc[_index(what, doc, step, path, len(doc))]
        elif isinstance(doc, dict) and step in doc:
            doc = doc[step]
        else:
            raise _missing(what, path, parent=True)
    if not isinstance(doc, (dict, list)):
        raise _missing(what, path, parent=True)
    return doc, steps[-1] if steps else ""


def _lookup(doc: Any, path: str, what: str) -> Any:
    if not path:
        return doc
    parent, step = _parent(doc, path, what)
    if isinstance(parent, list):
        return parent[_index(what, parent, step, path, len(parent))]
    if step not in parent:
        raise _missing(what, path)
    return parent[step]


def _take(doc: Any, path: str, what: str) -> Any:
    parent, step = _parent(doc, path, what)
    if isinstance(parent, list):
        return parent.pop(_index(what, parent, step, path, len(parent)))
    if step not in parent:
        raise PatchError(
            f"{what} operation does not apply: Unable to remove nonexistent key: {step}: missing value"
            if what == "remove"
            else str(_missing(what, path))
        )
    return parent.pop(step)


def _set(doc: Any, what: str, path: str, value: Any) -> Any:
    if not path:
        if what == "test" and doc != value:
            raise PatchError(f"testing value {path} failed: test failed")
        return doc if what == "test" else value
    if what == "test":
        parent, step = _parent(doc, path, what)
        found = (
            parent.get(step) if isinstance(parent, dict) else parent[_index(what, parent, step, path, len(parent))]
        )
        if found != value:
            raise PatchError(f"testing value {path} failed: test failed")
        return doc
    parent, step = _parent(doc, path, what)
    if isinstance(parent, dict):
        if what == "replace" and step not in parent:
            raise _missing(what, path)
        parent[step] = value
    elif what == "replace":
        parent[_index(what, parent, step, path, len(parent))] = value
    else:
        parent.insert(len(parent) if step == "-" else _index(what, parent, step, path, len(parent) + 1), value)
    return doc


def strategic(kind: Type, target: Any, patch: Json) -> Json:
    """The strategic merge of `patch` into `target` (apimachinery `strategicpatch`). Raises PatchError."""
    if patch.get("$patch") == "replace":
        return {k: v for k, v in patch.items() if k != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    out: Json = dict(target) if isinstance(target, dict) else {}
    retain = patch.get("$retainKeys")
    if isinstance(retain, list):
        out = {k: v for k, v in out.items() if k in retain}
    for key, value in patch.items():
        if key.startswith("$"):
            _directive(kind, out, key, value)
            continue
        if value is None:
            out.pop(key, None)
            continue
        out[key] = _merged(kind.field(key), out.get(key), value, f"$setElementOrder/{key}" in patch)
    for key, order in patch.items():
        if key.startswith("$setElementOrder/"):
            name = key.removeprefix("$setElementOrder/")
            if isinstance(out.get(name), list) and isinstance(order, list):
                before = target.get(name) if isinstance(target, dict) else None
                out[name] = _ordered(kind.field(name), out[name], order, before or [])
    return out


def _directive(kind: Type, out: Json, key: str, value: Any) -> None:
    if key.startswith("$deleteFromPrimitiveList/"):
        name = key.removeprefix("$deleteFromPrimitiveList/")
        if isinstance(value, list):
            out[name] = [i for i in out.get(name) or [] if i not in value]


def _merged(kind: Type, old: Any, value: Any, ordered: bool) -> Any:
    if isinstance(value, dict):
        if "replace" in kind.strategy and "retainKeys" not in kind.strategy:
            return value
        return strategic(kind, old, value)
    if not isinstance(value, list):
        return value
    if "merge" not in kind.strategy:
        return value
    if not kind.merge_key:
        items = list(old or [])
        items += [v for v in value if v not in items]
        return _ordered(kind, items, value, old or [])
    return _merge_items(kind, old or [], value)


def _merge_items(kind: Type, old: list[Any], patch: list[Any]) -> list[Any]:
    key, element = kind.merge_key, kind.element or ANY
    if any(isinstance(p, dict) and p.get("$patch") == "replace" and key not in p for p in patch):
        return [p for p in patch if not (isinstance(p, dict) and "$patch" in p)]
    items = list(old)
    for part in patch:
        if not isinstance(part, dict) or key not in part:
            raise PatchError(f"map: {_go(part)} does not contain declared merge key: {key}", 500)
        at = next((i for i, o in enumerate(items) if o.get(key) == part[key]), None)
        if part.get("$patch") == "delete":
            items = [i for i in items if i.get(key) != part[key]]
        elif at is None:
            items.append(strategic(element, {}, part))
        else:
            items[at] = strategic(element, items[at], part)
    return _ordered(kind, items, patch, old)


def _go(value: Any) -> str:
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{_go(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go(v) for v in value) + "]"
    return str(value)


def _identity(kind: Type, item: Any) -> str:
    """What makes an item of a merged list the same as another: its merge key, or itself."""
    return repr(item.get(kind.merge_key) if kind.merge_key and isinstance(item, dict) else item)


def _ordered(kind: Type, items: list[Any], order: list[Any], before: list[Any]) -> list[Any]:
    """Items that `order` names in its order, the others as in `before`, interleaved as the live list had them.

    apimachinery `strategicpatch.mergeSortedSlice`: what the live list does not know goes in front.
    """
    wanted = {_identity(kind, o): n for n, o in reversed(list(enumerate(order)))}
    live = {_identity(kind, o): n for n, o in reversed(list(enumerate(before)))}
    keyed = [(_identity(kind, i), i) for i in items]
    right = sorted((k for k in keyed if k[0] in wanted), key=lambda k: wanted[k[0]])
    left = sorted((k for k in keyed if k[0] not in wanted), key=lambda k: live.get(k[0], len(live)))
    out: list[Any] = []
    while left and right:
        known = left[0][0] in live and right[0][0] in live
        first = left if known and live[left[0][0]] < live[right[0][0]] else right
        out.append(first.pop(0)[1])
    return out + [i for _, i in left + right]
