"""Helm's `--set` syntax: `a.b=1,list[0].name=x,args={one,two}` merged into values.

Follows `pkg/strvals` of Helm 4: a backslash takes the next character literally, `true`, `false`, `null` and whole
numbers without leading zero are typed, everything else is text, and later settings change what earlier ones made.
Where Helm takes unfinished text (`a[`, `a[0]`) and does nothing, this refuses it.
"""

from __future__ import annotations

import re
from typing import Any

MAX_INDEX = 65536
MAX_DEPTH = 30
_INTEGER = re.compile(r"[-+]?[0-9]+")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "0": 0}


class SetSyntaxError(ValueError):
    """The text is not in `--set` syntax; the message is Helm's."""


def set_into(values: dict[str, Any], expression: str) -> None:
    """Change `values` as `helm --set EXPRESSION` does; raises SetSyntaxError."""
    _Parser(expression).into(values)


def put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set one path of `--set` syntax to a value that has its type already; raises SetSyntaxError."""
    parser = _Parser(path + "=", value)
    parser.into(values)


_GIVEN = object()


class _End(Exception):
    """The text is used up."""


class _Parser:
    def __init__(self, text: str, given: Any = _GIVEN) -> None:
        self._text = text
        self._at = 0
        self._given = given

    def into(self, values: dict[str, Any]) -> None:
        try:
            while True:
                self._key(values, 0)
        except _End:
            return

    def _until(self, stop: str) -> tuple[str, str | None]:
        """Characters before one of `stop`, and which one it was (None at the end of the text)."""
        taken: list[str] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 1
            if char in stop:
                return "".join(taken), char
            if char == "\\":
                if self._at >= len(self._text):
                    break
                char = self._text[self._at]
                self._at += 1
            taken.append(char)
        return "".join(taken), None

    def _key(self, data: dict[str, Any], depth: int) -> None:
        name, last = self._until("=[,.")
        if last is None:
            if not name:
                raise _End
            raise SetSyntaxError(f'key "{name}" has no value')
        if last == ",":
            raise SetSyntaxError(f'key "{name}" has no value (cannot end with ,)')
        if last == "=":
            _assign(data, name, self._value())
        elif last == "[":
            index = self._index()
            present = data.get(name, [])
            if not isinstance(present, list):
                raise SetSyntaxError(f'key "{name}" is not a list')
            _assign(data, name, self._item(present, index, depth))
        else:
            self._nested(data, name, depth + 1)

    def _nested(self, data: dict[str, Any], name: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise SetSyntaxError(f"value name nested level is greater than maximum supported {MAX_DEPTH}")
        inner = data.get(name)
        if inner is None:
            inner = {}
        if not isinstance(inner, dict):
            raise SetSyntaxError(f'key "{name}" is not a map')
        try:
            self._key(inner, depth)
        finally:
            if inner:
                _assign(data, name, inner)
        if not inner:
            raise SetSyntaxError(f'key map "{name}" has no value')

    def _index(self) -> int:
        digits, last = self._until("]")
        if last is None or not _INTEGER.fullmatch(digits):
            raise SetSyntaxError(f'error parsing index: "{digits}"')
        index = int(digits)
        if index < 0:
            raise SetSyntaxError(f"negative {index} index not allowed")
        if index > MAX_INDEX:
            raise SetSyntaxError(f"index of {index} is greater than maximum supported index of {MAX_INDEX}")
        return index

    def _item(self, items: list[Any], index: int, depth: int) -> list[Any]:
        extra, last = self._until("[.=")
        if extra:
            raise SetSyntaxError(f'unexpected data at end of array index: "{extra}"')
        if last is None:
            raise SetSyntaxError(f"index {index} has no value")
        present = items[index] if index < len(items) else None
        if last == "=":
            return _placed(items, index, self._value())
        if last == "[":
            nested = present if isinstance(present, list) else []
            return _placed(items, index, self._item(nested, self._index(), depth))
        inner = present if isinstance(present, dict) else {}
        self._key(inner, depth)
        return _placed(items, index, inner)

    def _value(self) -> Any:
        if self._given is not _GIVEN:
            self._at = len(self._text)
            return self._given
        if self._text[self._at : self._at + 1] == "{":
            self._at += 1
            return self._list()
        return _typed(self._until(",")[0])

    def _list(self) -> list[Any]:
        items = []
        while True:
            part, last = self._until(",}")
            if last is None:
                raise SetSyntaxError("list must terminate with '}'")
            items.append(_typed(part))
            if last == "}":
                if self._text[self._at : self._at + 1] == ",":
                    self._at += 1
                return items


def _assign(data: dict[str, Any], name: str, value: Any) -> None:
    if name:
        data[name] = value


def _placed(items: list[Any], index: int, value: Any) -> list[Any]:
    longer = items + [None] * (index + 1 - len(items))
    longer[index] = value
    return longer


def _typed(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if text and text[0] != "0" and _INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    return text
