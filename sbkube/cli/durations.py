"""Durations and moments as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sbkube.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def seconds(text: str) -> float:
    """`90`, `90s`, `5m`, `1h30m`, `2d`, `1w` in seconds; raises UsageError."""
    plain = text.strip().lower()
    if plain.replace(".", "", 1).isdigit():
        return float(plain)
    if not plain or _PART.sub("", plain):
        raise UsageError(f"{text!r} is no duration", hint="write 90s, 5m, 1h30m or 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(plain))


def since(text: str, now: datetime | None = None) -> datetime:
    """A duration ago, or a date or time (ISO 8601, local where no zone is given), as aware UTC; raises
    UsageError."""
    if re.match(r"^\d{4}-", text.strip()):
        try:
            return datetime.fromisoformat(text.strip()).astimezone(UTC)
        except ValueError as error:
            raise UsageError(f"{text!r} is no date", hint="write 2026-05-01 or 2026-05-01T14:30") from error
    return (now or datetime.now(UTC)) - timedelta(seconds=seconds(text))
