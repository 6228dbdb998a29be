"""Ages as kubectl shows them (`apimachinery/pkg/util/duration`)."""

from __future__ import annotations

import time
from datetime import datetime


def age(text: str | None) -> str:
    """The time since a stored moment; `<unknown>` when there is none."""
    if not text:
        return "<unknown>"
    return duration(time.time() - datetime.fromisoformat(text).timestamp())


def between(start: str | None, end: str | None) -> str:
    """The time between two stored moments; up to now while the second is missing, empty before the first."""
    if not start:
        return ""
    if not end:
        return age(start)
    return duration(datetime.fromisoformat(end).timestamp() - datetime.fromisoformat(start).timestamp())


def duration(seconds: float) -> str:
    """Two significant units at most: `90s`, `5m10s`, `3h`, `2d4h`, `40d`, `2y30d`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(0, whole)
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"
