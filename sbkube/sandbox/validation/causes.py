"""Builders of causes in the words of apimachinery's `field` package."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from sbkube.sandbox.status import Cause

Json = dict[str, Any]
IMMUTABLE = "field is immutable"
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def shown(value: Any) -> str:
    """A value as messages quote it."""
    return orjson.dumps(value).decode()


def required(path: str, detail: str = "") -> Cause:
    """A field that must be there."""
    return Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", path)


def invalid(path: str, value: Any, detail: str) -> Cause:
    """A value that cannot be."""
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}", path)


def duplicate(path: str, value: Any) -> Cause:
    """A second one where one may be."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", path)


def unsupported(path: str, value: Any, known: Iterable[str]) -> Cause:
    """A value outside an enumeration (its values are listed sorted)."""
    names = ", ".join(shown(k) for k in sorted(known))
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {names}", path)


def forbidden(path: str, detail: str) -> Cause:
    """A field that may not be set or changed now."""
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", path)


def too_long(path: str, limit: int) -> Cause:
    """A text with too many bytes."""
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", path)


def immutable(path: str, new: Any, old: Any) -> list[Cause]:
    """Nothing when both are the same."""
    return [] if new == old else [invalid(path, new, IMMUTABLE)]


def non_negative(path: str, value: Any) -> list[Cause]:
    """A count."""
    bad = isinstance(value, int) and value < 0
    return [invalid(path, value, "must be greater than or equal to 0")] if bad else []


def one_of(path: str, value: Any, known: Iterable[str]) -> list[Cause]:
    """An enumeration; a missing value passes."""
    return [] if value is None or value in known else [unsupported(path, value, known)]


def subdomain(path: str, value: str) -> list[Cause]:
    """An RFC 1123 subdomain."""
    if len(value) > 253:
        return [invalid(path, value, "must be no more than 253 characters")]
    return [] if SUBDOMAIN.fullmatch(value) else [invalid(path, value, SUBDOMAIN_TEXT)]


def dns_label(path: str, value: str) -> list[Cause]:
    """An RFC 1123 label."""
    found = [invalid(path, value, "must be no more than 63 characters")] if len(value) > 63 else []
    return found if LABEL.fullmatch(value) else [*found, invalid(path, value, LABEL_TEXT)]


def objects(value: Any) -> list[Json]:
    """The objects of a list, whatever else it may be."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def percent(value: Any) -> bool:
    """Whether a text is a percentage."""
    return isinstance(value, str) and re.fullmatch(r"\d+%", value) is not None
