"""The kinds of fields that app types share, each with a message that a person can act on."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def refuse(message: str, hint: str = "") -> PydanticCustomError:
    """An error of a field; the message follows the field's name, the hint says the way out."""
    return PydanticCustomError("sbkube", "{message}", {"message": message, "hint": hint})


def text(value: Any) -> Any:
    """Text only: a number or boolean was probably meant as text and wants quotes."""
    if isinstance(value, bool | int | float):
        raise refuse(f"must be text, not {_kind(value)}", _quoted(value))
    if not isinstance(value, str):
        raise refuse(f"must be text, not {_kind(value)}")
    return value


def _quoted(value: Any) -> str:
    if isinstance(value, bool):
        return "put it into quotes: YAML reads y, n, yes, no, on, off, true and false as booleans"
    return f'put it into quotes: "{value}"'


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "a map"}
    return names.get(type(value), "empty")


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        raise refuse("must be a whole number, not a boolean")
    return value


def _dns_label(value: Any) -> Any:
    if _DNS_LABEL.fullmatch(text(value)) is None:
        raise refuse(
            f'"{value}" is not a valid name here',
            "at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends",
        )
    return value


def parse_duration(value: Any) -> Any:
    """Seconds from a number or Go's notation ("5m", "1h30m", "90s"); more than 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refuse(f"must be a duration, not {_kind(value)}", 'write seconds, or "5m", "1h30m"')
    seconds = _seconds(value) if isinstance(value, str) else float(value)
    if seconds is None:
        raise refuse(f'"{value}" is not a duration', 'write seconds, or "5m", "1h30m"')
    if seconds <= 0:
        raise refuse("must be more than 0")
    return seconds


def _seconds(written: str) -> float | None:
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", written):
        return float(written)
    parts = _DURATION_PART.findall(written)
    if not parts or "".join(number + unit for number, unit in parts) != written:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _retention(value: Any) -> Any:
    """A number of deployments, or days as `90d` (also `12h`, `8w`) as a text."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]*[hdw]?", value):
        return int(value) if value.isdigit() else value
    raise refuse("must be a number of deployments, or a time", 'write 100, or "90d"')


def _labels(value: Any) -> Any:
    for key, content in _text_map(value).items():
        if _LABEL_KEY.fullmatch(key) is None:
            raise refuse(f'has a key that Kubernetes refuses: "{key}"')
        if _LABEL_VALUE.fullmatch(content) is None:
            raise refuse(
                f'"{key}" has a value that Kubernetes refuses: "{content}"',
                "at most 63 letters, digits, dashes, dots and underscores",
            )
    return value


def _text_map(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise refuse(f"must be a map, not {_kind(value)}")
    for key, content in value.items():
        if not isinstance(content, str):
            raise refuse(f'"{key}" must be text, not {_kind(content)}', _quoted(content))
    return value


def _file_or_map(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise refuse(f"must be a file or a map of values, not {_kind(value)}")
    return value


def _settings_list(value: Any) -> Any:
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, str) or "=" not in item:
                raise refuse(f"must hold key=value texts, not {item!r}")
        return value
    if not isinstance(value, dict):
        raise refuse(f"must be a map or a list of key=value, not {_kind(value)}")
    return value


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(text)]
OneOrMore = Annotated[
    tuple[Text, ...],
    BeforeValidator(_one_or_more),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Whole = Annotated[int, BeforeValidator(_whole)]
Namespace = Annotated[str, BeforeValidator(_dns_label), WithJsonSchema({"type": "string", "maxLength": 63})]
Seconds = Annotated[
    float, BeforeValidator(parse_duration), WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]})
]
Retention = Annotated[
    int | str,
    BeforeValidator(_retention),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]*[hdw]?$"}]}
    ),
]
Labels = Annotated[dict[str, str], BeforeValidator(_labels)]
Annotations = Annotated[dict[str, str], BeforeValidator(_text_map)]
FileOrValues = Annotated[
    str | dict[str, Any],
    BeforeValidator(_file_or_map),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
]
SetValues = Annotated[
    dict[str, Any] | tuple[str, ...],
    BeforeValidator(_settings_list),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "string"}}]}),
]
