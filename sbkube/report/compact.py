"""The `llm` format: the same document as JSON holds, as plain text that costs few tokens.

`key: value` lines, indented; lists of like records become a table with its column names once:
`deployments[2] deployment_id|status:` and then one line per record, where a `|` inside a value is written `\\|`.
Empty values are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def text(document: Mapping[str, Any]) -> str:
    """The document as compact text, ending in a newline."""
    return "\n".join(_mapping(document, 0)) + "\n"


def _mapping(values: Mapping[str, Any], depth: int) -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        if value not in (None, "", [], {}, ()):
            lines += _entry(str(name), value, depth)
    return lines


def _entry(name: str, value: Any, depth: int) -> list[str]:
    pad = " " * depth
    if isinstance(value, Mapping):
        if all(_scalar(item) for item in value.values()):
            inside = " ".join(f"{k}={_inline(v)}" for k, v in value.items() if v not in (None, ""))
            return [f"{pad}{name}: {inside}"]
        return [f"{pad}{name}:", *_mapping(value, depth + 1)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _list(name, value, depth)
    if isinstance(value, str) and "\n" in value:
        return [f"{pad}{name}:", *(f"{pad} {line}" for line in value.rstrip("\n").split("\n"))]
    return [f"{pad}{name}: {_inline(value)}"]


def _list(name: str, values: Sequence[Any], depth: int) -> list[str]:
    pad = " " * depth
    if all(_scalar(value) for value in values):
        return [f"{pad}{name}: {', '.join(_inline(value) for value in values)}"]
    records = [value for value in values if isinstance(value, Mapping)]
    keys = (
        [key for key in records[0] if any(record.get(key) not in (None, "") for record in records)]
        if records
        else []
    )
    flat = len(records) == len(values) and all(
        _scalar(r.get(k)) and set(r) == set(records[0]) for r in records for k in r
    )
    if flat:
        rows = ["|".join(_inline(record.get(key)).replace("|", "\\|") for key in keys) for record in records]
        return [f"{pad}{name}[{len(values)}] {'|'.join(keys)}:", *(f"{pad} {row}" for row in rows)]
    lines = [f"{pad}{name}[{len(values)}]:"]
    for value in values:
        inner = _mapping(value, depth + 2) if isinstance(value, Mapping) else _entry("-", value, depth + 1)
        if inner and isinstance(value, Mapping):
            inner[0] = f"{pad} -{inner[0][depth + 2 :]}"
        lines += inner
    return lines


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and "\n" not in value)


def _inline(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
