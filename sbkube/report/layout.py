"""Widths, columns, durations and moments: the small print of text for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from sbkube.report.ink import Ink

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_GAP = "  "


def visible(text: str) -> int:
    """Columns that a text takes, colours not counted."""
    return len(_ESCAPE.sub("", text))


def clip(text: str, width: int) -> str:
    """At most `width` columns, ending in `…` where something was cut. Cut text loses its colours."""
    if visible(text) <= width:
        return text
    return _ESCAPE.sub("", text)[: max(0, width - 1)] + "…"


def columns(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, ink: Ink, width: int = 80, flexible: Sequence[str] = ()
) -> list[str]:
    """A table as lines, no wider than `width` as long as the columns named in `flexible` (first one first) can
    be cut down to 6 columns each. Empty columns are left out."""
    keep = [at for at in range(len(head)) if any(row[at] for row in rows)]
    widths = {at: max(visible(head[at]), *(visible(row[at]) for row in rows)) for at in keep}
    over = sum(widths.values()) + len(_GAP) * (len(keep) - 1) - width
    for name in flexible:
        at = head.index(name)
        if over > 0 and at in widths:
            cut = min(over, max(0, widths[at] - 6))
            widths[at] -= cut
            over -= cut
    lines = [_line([ink.dim(head[at]) for at in keep], [widths[at] for at in keep])]
    lines += [_line([row[at] for at in keep], [widths[at] for at in keep]) for row in rows]
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = [clip(cell, width) for cell, width in zip(cells, widths, strict=True)]
    padded = [part + " " * (width - visible(part)) for part, width in zip(parts, widths, strict=True)]
    return _GAP.join(padded).rstrip()


def duration(seconds: float | None) -> str:
    """`0.4s`, `12s`, `3m05s`, `2h07m`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def between(start: datetime | None, end: datetime | None) -> str:
    """Duration of something that began and ended; empty while either is unknown."""
    return duration((end - start).total_seconds()) if start and end else ""


def age(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, in one unit: `5s`, `3m`, `2h`, `9d`."""
    seconds = max(0, int(((now or datetime.now(UTC)) - moment).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def moment(value: datetime | None) -> str:
    """Local time to the second with its zone, as people read it; empty for None."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if value else ""


def plural(count: int, noun: str) -> str:
    """`1 object`, `2 objects`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def indent(text: str, by: str = "  ") -> str:
    """Every line moved to the right; empty lines stay empty."""
    return "\n".join(by + line if line else line for line in text.splitlines())
