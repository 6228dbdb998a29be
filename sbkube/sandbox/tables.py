"""Objects as the tables that `kubectl get` asks for; custom kinds have the printer columns of their CRD."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import orjson

from sbkube.sandbox.printing import classes
from sbkube.sandbox.printing.cells import CELLS, default
from sbkube.sandbox.printing.columns import COLUMNS, DEFAULT, NAME, Column
from sbkube.sandbox.printing.times import age

if TYPE_CHECKING:
    from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]
_STEP = re.compile(
    r"\.?([A-Za-z_$][^.\[\]]*)|\[(\d+|\*)\]|\['([^']+)'\]|\[\?\(@\.([\w.]+)\s*==\s*\"([^\"]*)\"\)\]"
)
_PRINTERS: dict[tuple[str, str, str], list[Json]] = {}
_CREATED = ".metadata.creationTimestamp"
_COLUMNS = COLUMNS | classes.COLUMNS
_CELLS = CELLS | classes.CELLS


def remember(kind: Kind, printer_columns: list[Json] | None) -> None:
    """Makes the `additionalPrinterColumns` of a custom kind known."""
    _PRINTERS[kind.gvk] = printer_columns or [{"name": "Age", "type": "date", "jsonPath": _CREATED}]


@cache
def _documentation() -> dict[str, str]:
    found = resources.files("sbkube") / "data" / "table-columns.json"
    texts: dict[str, str] = orjson.loads(found.read_bytes())
    return texts


def _definition(column: Column) -> Json:
    name, kind, form, priority, about = column
    text = _documentation().get(about[1:], "") if about.startswith("@") else about
    return {"name": name, "type": kind, "format": form, "description": text, "priority": priority}


def columns(kind: Kind) -> list[Json]:
    """The `columnDefinitions` of a kind's table."""
    if not kind.custom:
        return [_definition(c) for c in _COLUMNS.get((kind.group, kind.kind), DEFAULT)]
    made = [_definition(NAME)]
    for column in _PRINTERS.get(kind.gvk, ()):
        text = (
            column.get("description")
            or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
        )
        made.append(
            {
                "name": column["name"],
                "type": column["type"],
                "format": column.get("format", ""),
                "description": text,
                "priority": column.get("priority", 0),
            }
        )
    return made


def cells(kind: Kind, obj: Json) -> list[Any]:
    """One row's cells, one per column."""
    if not kind.custom:
        return _CELLS.get((kind.group, kind.kind), default)(obj)
    return [obj["metadata"]["name"], *(_custom_cell(c, obj) for c in _PRINTERS.get(kind.gvk, ()))]


def _custom_cell(column: Json, obj: Json) -> Any:
    found = json_path(column["jsonPath"], obj)
    if not found:
        return None
    value, kind = found[0], column["type"]
    if kind == "date":
        return age(value) if isinstance(value, str) else "<unknown>"
    if kind == "integer":
        return value if isinstance(value, int) else None
    if kind == "boolean" or kind == "number":
        return value
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def json_path(path: str, obj: Any) -> list[Any]:
    """The values at a simple JSON path (`.a.b[0]`, `[*]`, `['x']`, `==` filters); nothing for others."""
    found = [obj]
    at = 0
    text = path.replace("\\.", "\0")
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return []
        at = step.end()
        found = [v for item in found for v in _follow(step, item)]
    return found


def _follow(step: re.Match[str], item: Any) -> list[Any]:
    name, index, quoted, field, wanted = step.groups()
    key = quoted or (name.replace("\0", ".") if name else None)
    if key is not None:
        return [item[key]] if isinstance(item, dict) and item.get(key) is not None else []
    if not isinstance(item, list):
        return []
    if field is not None:
        return [v for v in item if isinstance(v, dict) and str(v.get(field)) == wanted]
    if index == "*":
        return list(item)
    return [item[int(index)]] if int(index) < len(item) else []
