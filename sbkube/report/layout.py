"""Widths, columns, durations and moments: the small print of text for people."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sbkube.report.ink import Ink

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_TOKEN = re.compile(_ESCAPE.pattern + "|.", re.DOTALL)
# What stands before the words of a line: spaces, marks with a space behind them, colours.
_LEAD = re.compile(r"(?:\x1b\[[0-9;]*m| |[|*!→●◐◌✓✗»…+~±=?-](?=(?:\x1b\[[0-9;]*m)* ))*")
_LABEL = re.compile(r"\S{1,16}  +(?=\S)")  # a name with a column of its own: the rest stays beside it
_GAP = "  "
_GIST = 120  # columns of a message that is told in full elsewhere


def visible(text: str) -> int:
    """Columns that a text takes on a terminal: colours and joined marks take none, wide characters two."""
    plain = _ESCAPE.sub("", text)
    return len(plain) if plain.isascii() else sum(map(_width, plain))


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clip(text: str, width: int) -> str:
    """At most `width` columns, ending in `…` where something was cut. Cut text loses its colours."""
    if visible(text) <= width:
        return text
    return _fitting(_ESCAPE.sub("", text), max(0, width - 1)) + "…"


def _fitting(text: str, width: int) -> str:
    """As much of the beginning as takes no more than `width` columns."""
    for token in _TOKEN.finditer(text):
        width -= visible(token[0])
        if width < 0:
            return text[: token.start()]
    return text


def gist(text: str, width: int) -> str:
    """The beginning of a message that is told in full elsewhere: cut to `width`, or between its parts where
    that is 0."""
    line = text.strip().partition("\n")[0]
    if width:
        return clip(line, width)
    for mark in ("; ", ": ", " "):
        at = line.rfind(mark, 20, _GIST)
        if at > 0 and len(line) > _GIST:
            return line[:at]
    return line


def flow(text: str, width: int) -> str:
    """The text with every line that is wider than `width` broken between words, and the rest below its first
    words. A word that is wider than a line is broken too. 0 leaves everything as it is."""
    if not width:
        return text
    lines = (line if visible(line) <= width else "\n".join(_broken(line, width)) for line in text.split("\n"))
    return "\n".join(lines)


def _broken(line: str, width: int) -> Iterator[str]:
    lead = _LEAD.match(line)
    left = lead[0] if lead else ""
    label = _LABEL.match(line, len(left))
    inner = " " * min(visible(left + label[0] if label else left) or 2, width // 3)
    for piece in _pieces(line[len(left) :], width - len(inner)):
        room = width - visible(left)
        if visible(piece.rstrip()) > room:
            yield left.rstrip()
            left, piece = inner, piece.lstrip()
        left += piece
    yield left.rstrip()


def _pieces(text: str, width: int) -> Iterator[str]:
    """Words with the space behind them, none of them wider than `width`."""
    for word in re.findall(r"\S+\s*|\s+", text):
        while visible(word.rstrip()) > width:
            part = _fitting(word, width)
            yield part
            word = word[len(part) :]
        yield word


def columns(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    ink: Ink,
    width: int = 80,
    flexible: Sequence[str] = (),
    least: int = 6,
    spare: Sequence[str] = (),
) -> list[str]:
    """A table as lines, no wider than `width` (0: any) as long as the columns named in `flexible` (first one
    first) can be cut down to the `least` width each. Empty columns are left out, and where that is not enough
    those named in `spare`, the first one first."""
    keep = [at for at in range(len(head)) if any(row[at] for row in rows)]
    widths = {at: max(visible(head[at]), *(visible(row[at]) for row in rows)) for at in keep}
    over = sum(widths.values()) + len(_GAP) * (len(keep) - 1) - width if width else 0
    for name in spare:
        at = head.index(name)
        narrower = sum(max(0, widths[i] - least) for i in keep if head[i] in flexible)
        if over > narrower and at in widths:
            keep.remove(at)
            over -= widths.pop(at) + len(_GAP)
    for name in flexible:
        at = head.index(name)
        if over > 0 and at in widths:
            cut = min(over, max(0, widths[at] - least))
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


def near(key: object, home: str) -> str:
    """An object's name; without its namespace where that is `home`, which is told already."""
    return str(key).removesuffix(f" in {home}")


def indent(text: str, by: str = "  ") -> str:
    """Every line moved to the right; empty lines stay empty."""
    return "\n".join(by + line if line else line for line in text.splitlines())
