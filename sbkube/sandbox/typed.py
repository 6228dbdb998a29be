"""Whether an applied configuration fits its schema, in the words of structured-merge-diff (`typed`)."""

from __future__ import annotations

from typing import Any

import orjson

from sbkube.sandbox.fieldset import item_element, path_text
from sbkube.sandbox.schema import ANY, Type

_NUMBERS = ("integer", "number")


def problems(kind: Type, value: Any) -> str:
    """Everything wrong with `value`, as one text; "" when it fits."""
    found: list[str] = []
    _check(kind, value, (), found)
    if len(found) < 2:
        return "".join(found)
    return "errors:\n" + "\n".join(f"  {line}" for line in sorted(found))


def _say(path: tuple[str, ...], text: str) -> str:
    return f"{path_text(path)}: {text}" if path else text


def _check(kind: Type, value: Any, path: tuple[str, ...], found: list[str]) -> None:
    what = kind.what
    if value is None or what == "any":
        return
    if what == "scalar":
        wrong = _scalar(kind.scalar, value)
        if wrong:
            found.append(_say(path, wrong))
    elif what == "list":
        if isinstance(value, list):
            _list(kind, value, path, found)
        else:
            found.append(_say(path, f"expected list, got &{{{printed(value)}}}"))
    elif not isinstance(value, dict):
        found.append(_say(path, f"expected map, got &{{{printed(value)}}}"))
    else:
        _members(kind, value, path, found)


def _members(kind: Type, value: dict[str, Any], path: tuple[str, ...], found: list[str]) -> None:
    fields, element = kind.fields, kind.element
    for name, child in value.items():
        known = fields.get(name) or element
        if known is not None:
            if child is not None and known.what != "any":
                _check(known, child, (*path, "f:" + name), found)
        elif not kind.preserve:
            found.append(_say((*path, "f:" + name), "field not declared in schema"))


def _list(kind: Type, items: list[Any], path: tuple[str, ...], found: list[str]) -> None:
    element = kind.element or ANY
    if kind.list_type == "atomic":
        for at, item in enumerate(items):
            _check(element, item, (*path, f"i:{at}"), found)
        return
    seen: set[str] = set()
    for at, item in enumerate(items):
        wrong = _keyless(kind, item)
        if wrong:
            found.append(_say(path, f"element {at}: {wrong}"))
            continue
        key = item_element(kind, item)
        if key in seen:
            found.append(_say(path, f"duplicate entries for key {path_text((key,))}"))
        seen.add(key)
        _check(element, item, (*path, key), found)


def _keyless(kind: Type, item: Any) -> str:
    """Why an item cannot be told from the others; "" when it can."""
    if kind.list_type == "set":
        return "associative list without keys has an element that's an explicit null" if item is None else ""
    if not isinstance(item, dict):
        return "associative list with keys may not have non-map elements"
    missing = next((k for k in kind.keys if item.get(k) is None and k not in kind.key_defaults), None)
    if missing is None:
        return ""
    return (
        f'associative list with keys has an element that omits key field "{missing}" '
        "(and doesn't have default value)"
    )


def _scalar(wanted: str, value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted in ("string", "bytes"):
        good, name = isinstance(value, str), "string"
    elif wanted == "boolean":
        good, name = isinstance(value, bool), "boolean"
    elif wanted in _NUMBERS:
        if not number:
            return f"expected numeric (int or float), got {_type(value)} {printed(value)}"
        return ""
    else:
        # Quantities, times and int-or-string values are untyped scalars in the server's schema.
        good, name = not isinstance(value, (dict, list)), "scalar"
    return "" if good else f"expected {name}, got &value.valueUnstructured{{Value:{_literal(value)}}}"


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    return "[]interface {}" if isinstance(value, list) else "map[string]interface {}"


def _literal(value: Any) -> str:
    """A value as Go's `%#v` prints it."""
    if isinstance(value, dict):
        members = ", ".join(f"{orjson.dumps(k).decode()}:{_literal(v)}" for k, v in sorted(value.items()))
        return f"map[string]interface {{}}{{{members}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(_literal(v) for v in value)}}}"
    return "interface {}(nil)" if value is None else orjson.dumps(value).decode()


def printed(value: Any) -> str:
    """A value as Go's `%v` prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{printed(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(printed(v) for v in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)
