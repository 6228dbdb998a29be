"""What Go's JSON reader says about a text: its words for a syntax error, and members that come twice."""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_STRING_PART = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_END = "unexpected end of JSON input"
_LITERALS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}


DEEPEST = 100  # levels of nesting; the server takes more, but no definition of its own has so many


def deeper_than(value: Any, limit: int) -> bool:
    """Whether lists and maps are nested in more than `limit` levels."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > limit:
            return True
        children = (v.values() if isinstance(v, dict) else v for v in level if isinstance(v, (dict, list)))
        level = [c for some in children for c in some if isinstance(c, (dict, list))]
    return False


class _Wrong(ValueError):
    """Carries the text."""


def syntax_error(data: bytes) -> str:
    """The message of `encoding/json` for a text that is not JSON; "" for one that is."""
    try:
        _scan(data)
    except _Wrong as error:
        return str(error)
    return ""


def _quoted(byte: int) -> str:
    if byte == ord("'"):
        return r"'\''"
    if 32 <= byte < 127:
        return "'\\\\'" if byte == ord("\\") else f"'{chr(byte)}'"
    short = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 12: r"\f", 13: r"\r"}
    return "'" + short.get(byte, f"\\x{byte:02x}") + "'"


def _refuse(data: bytes, at: int, context: str) -> _Wrong:
    if at >= len(data):
        return _Wrong(_END)
    return _Wrong(f"invalid character {_quoted(data[at])} {context}")


def _skip(data: bytes, at: int) -> int:
    while at < len(data) and data[at] in b" \t\r\n":
        at += 1
    return at


def _scan(data: bytes) -> None:
    """Walks over one value; `wanted` is what may come next."""
    at, wanted, open_ = 0, "value", bytearray()
    while True:
        at = _skip(data, at)
        if wanted == "end":
            if at < len(data):
                raise _refuse(data, at, "after top-level value")
            return
        if at >= len(data):
            raise _Wrong(_END)
        char = data[at : at + 1]
        if wanted in ("value", "first item"):
            if char == b"]" and wanted == "first item":
                open_.pop()
                at, wanted = at + 1, _after(open_)
            elif char in (b"{", b"["):
                open_ += char
                at, wanted = at + 1, "first key" if char == b"{" else "first item"
            else:
                at, wanted = _scalar(data, at), _after(open_)
        elif wanted in ("key", "first key"):
            if char == b"}" and wanted == "first key":
                open_.pop()
                at, wanted = at + 1, _after(open_)
            elif char == b'"':
                at, wanted = _string(data, at), "colon"
            else:
                raise _refuse(data, at, "looking for beginning of object key string")
        elif wanted == "colon":
            if char != b":":
                raise _refuse(data, at, "after object key")
            at, wanted = at + 1, "value"
        else:
            at, wanted = _separator(data, at, open_)


def _separator(data: bytes, at: int, open_: bytearray) -> tuple[int, str]:
    in_object = open_[-1:] == b"{"
    char = data[at : at + 1]
    if char == b",":
        return at + 1, "key" if in_object else "value"
    if char != (b"}" if in_object else b"]"):
        raise _refuse(data, at, "after object key:value pair" if in_object else "after array element")
    open_.pop()
    return at + 1, _after(open_)


def _after(open_: bytearray) -> str:
    return "separator" if open_ else "end"


def _scalar(data: bytes, at: int) -> int:
    byte = data[at]
    if byte == ord('"'):
        return _string(data, at)
    if byte in b"-0123456789":
        found = _NUMBER.match(data, at)
        if found is None:
            raise _refuse(data, at + 1, "in numeric literal")
        return found.end()
    literal = _LITERALS.get(byte)
    if literal is None:
        raise _refuse(data, at, "looking for beginning of value")
    for step, wanted in enumerate(literal):
        if data[at + step : at + step + 1] != bytes([wanted]):
            raise _refuse(data, at + step, f"in literal {literal.decode()} (expecting {_quoted(wanted)})")
    return at + len(literal)


def _string(data: bytes, at: int) -> int:
    found = _STRING.match(data, at)
    if found is not None:
        return found.end()
    part = _STRING_PART.match(data, at)
    stop = part.end() if part else at + 1
    if data[stop : stop + 1] != b"\\":
        raise _refuse(data, stop, "in string literal")
    if data[stop + 1 : stop + 2] == b"u":
        step = next((n for n in range(stop + 2, stop + 6) if not data[n : n + 1].isalnum()), stop + 2)
        raise _refuse(data, step, r"in \u hexadecimal character escape")
    raise _refuse(data, stop + 1, "in string escape code")


class _Twice:
    """Notes members that come twice while the standard library reads."""

    def __init__(self) -> None:
        self.marked: dict[int, list[str]] = {}
        self.kept: list[Any] = []

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    self.marked.setdefault(id(out), []).append(name)
                seen.add(name)
            self.kept.append(out)
        return out


def duplicates(data: bytes) -> list[str]:
    """The paths (`spec.containers[0].image`) of members that come twice in one object."""
    notes = _Twice()
    try:
        read = json.loads(data, object_pairs_hook=notes.members)
    except (ValueError, RecursionError):
        return []
    found: list[str] = []
    if notes.marked:
        _locate(read, "", notes.marked, found)
    return found


def _locate(value: Any, path: str, marked: dict[int, list[str]], found: list[str]) -> None:
    if isinstance(value, dict):
        prefix = f"{path}." if path else ""
        found += dict.fromkeys(prefix + name for name in marked.get(id(value), ()))
        for name, child in value.items():
            _locate(child, prefix + name, marked, found)
    elif isinstance(value, list):
        for at, child in enumerate(value):
            _locate(child, f"{path}[{at}]", marked, found)
