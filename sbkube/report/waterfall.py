"""When each operation of a deployment ran, as bars on one line of time, drawn as SVG without any script.

`Bar` is all that the drawing needs; `of_detail` makes bars of the rows of a deployment: objects, releases and
commands, in the order in which they began, each app's together. Behind them stands a bar of their app: what no
operation covers was spent waiting. What never ended is drawn to the end of the deployment, or to `now`.
As in `report.graph`, classes (`bar`, `status-WORD`) carry the meaning and the page's stylesheet the colours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sbkube.models.deployment_state import AppDeploymentRecord, DeploymentDetail, HelmReleaseRecord, ResourceRecord
from sbkube.report.graph import css_word
from sbkube.report.layout import clip, duration
from sbkube.report.markup import Html, drawing, element, joined

_HEAD, _TAIL, _BAR = 28, 70, 14
_LETTERS = 42
ROWS = 400  # more are not drawn: nobody reads them, and a page should not hold ten thousand bars
_MILLISECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)
_STEPS = (*(number / 1000 for number in _MILLISECONDS), *_SECONDS)


_Timed = AppDeploymentRecord | HelmReleaseRecord | ResourceRecord


@dataclass(frozen=True, slots=True)
class Shape:
    """Measures of the drawing: labels stand `names` wide before the bars, or (0) above them."""

    names: int
    time: int
    line: int


_WIDE, _NARROW = Shape(300, 560, 20), Shape(0, 270, 36)


@dataclass(frozen=True, slots=True)
class Scale:
    """How `whole` seconds are drawn."""

    whole: float
    shape: Shape


@dataclass(frozen=True, slots=True)
class Bar:
    """One operation, or without a `label` the whole app: `start` and `end` are seconds since the deployment
    began."""

    app: str
    label: str
    status: str
    start: float
    end: float
    note: str = ""


def of_detail(detail: DeploymentDetail, now: datetime | None = None) -> list[Bar]:
    """What ran, by apps in the deployment's order, below the deployment; what was never begun has no bar."""
    record = detail.deployment
    rows: list[ResourceRecord | HelmReleaseRecord] = [*detail.resources, *detail.releases]
    times = [time for row in rows for time in (row.started_at, row.ended_at) if time]
    last = record.ended_at or now or max(times, default=record.created_at)
    order = {app.app_name: at for at, app in enumerate(detail.apps)}

    def bar(row: _Timed, app: str, label: str, status: str, note: str) -> Bar:
        start, end = (
            ((time or last) - record.created_at).total_seconds() for time in (row.started_at, row.ended_at)
        )
        return Bar(app, label, status, max(0.0, start), max(0.0, start, end), note)

    found = [bar(app, app.app_name, "", app.status.value, "app") for app in detail.apps if app.started_at]
    for row in rows:
        if row.started_at is not None and row.verb != "helm":
            label = f"release {row.release_name}" if isinstance(row, HelmReleaseRecord) else str(row.key)
            found.append(bar(row, row.app_name, label, row.state.value, row.verb))
    found.sort(key=lambda one: (order.get(one.app, len(order)), one.app, one.label != "", one.start, one.label))
    took = max(0.0, (last - record.created_at).total_seconds())
    whole = Bar(record.deployment_id, "", record.status.value, 0.0, took, "deployment")
    return [whole, *found] if found else []


def svg(bars: Sequence[Bar], untold: int = 0, *, narrow: bool = False) -> Html:
    """The drawing, as high as it needs to be; nothing for no bars. `untold` is how many operations have none.
    `narrow`: for a phone."""
    if not bars:
        return Html()
    whole = max(0.001, *(bar.end for bar in bars))
    count = sum(bar.label != "" for bar in bars)
    lines = list(_lines(bars[:ROWS]))
    if more := sum(bar.label != "" for bar in bars[ROWS:]) + untold:
        lines.append(f"{more} more operations are not drawn")
    shape = _NARROW if narrow else _WIDE
    width, height = shape.names + shape.time + _TAIL, _HEAD + len(lines) * shape.line + 8
    behind = {bar.app: bar for bar in bars if not bar.label}
    below = Counter(line.app for line in lines if isinstance(line, Bar))
    scale = Scale(whole, shape)
    drawn = (
        _app(line, at, behind.get(line), below[line], scale) if isinstance(line, str) else _bar(line, at, scale)
        for at, line in enumerate(lines)
    )
    title = f"{count + untold} operations in {duration(whole)}"
    class_ = "waterfall narrow" if narrow else "waterfall"
    return drawing(width, height, title, *_axis(height, scale), *drawn, class_=class_)


def _lines(bars: Sequence[Bar]) -> Iterator[str | Bar]:
    """The bars, each app's below its name."""
    app = None
    for bar in bars:
        if bar.app != app:
            app = bar.app
            yield app
        if bar.label:
            yield bar


def step(whole: float, most: int = 8) -> float:
    """Seconds between two marks on the axis, so that there are at most so many."""
    return next((size for size in _STEPS if whole / size <= most), 86400.0)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration(seconds)


def _axis(height: int, scale: Scale) -> Iterator[Html]:
    whole, shape = scale.whole, scale.shape
    size = step(whole, shape.time // 65)
    for number in range(min(400, int(whole / size) + 1)):
        x = round(shape.names + number * size / whole * shape.time, 1)
        yield element("line", x1=x, x2=x, y1=_HEAD - 6, y2=height, class_="tick")
        yield element("text", _time(number * size), x=x + 3, y=_HEAD - 12, class_="note")


def _app(name: str, at: int, bar: Bar | None, rows: int, scale: Scale) -> Html:
    text, y = clip(name, _LETTERS) or "project", _HEAD + at * scale.shape.line
    head = element("text", element("title", name), text, x=4, y=y + 14, class_="name")
    return joined([_bar(bar, at, scale, rows) if bar else Html(), head])


def _bar(bar: Bar, at: int, scale: Scale, rows: int = 0) -> Html:
    """One bar; that of an app is pale and stands behind the `rows` of its operations, too."""
    shape, took = scale.shape, _time(bar.end - bar.start)
    y = _HEAD + at * shape.line
    low = y + shape.line - _BAR - 3
    x = round(shape.names + bar.start / scale.whole * shape.time, 1)
    wide = round(max(2.0, (bar.end - bar.start) / scale.whole * shape.time), 1)
    high, pale = rows * shape.line + _BAR, None if bar.label else 0.3
    return element(
        "g",
        element("title", f"{bar.label or bar.app}: {bar.note} {bar.status}, {took}"),
        element("text", clip(bar.label, _LETTERS), x=16 if shape.names else 4, y=y + 14, class_="label"),
        element("rect", x=x, y=low, width=wide, height=high, rx=2, fill_opacity=pale),
        element("text", took, x=round(x + wide + 5, 1), y=low + 11, class_="note"),
        class_=f"bar status-{css_word(bar.status)}",
    )
