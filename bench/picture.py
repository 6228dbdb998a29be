"""The table as a picture: each ratio on a logarithmic line, with its goal and the range of its pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.measure import Measurement
from sbkube.report.markup import Html, drawing, element

LINE, HEAD, TEXT, WIDTH, RIGHT = 26, 44, 470, 420, 60
LOW, HIGH = 0.01, 100.0
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #59636e; }
.tick { stroke: #8c959f55; } .one { stroke: #8c959f; } .whisker { stroke: #8c959f; }
.met circle { fill: #1a7f37; } .missed circle { fill: #cf222e; } .goal { stroke: #0969da; stroke-width: 3; }
@media (prefers-color-scheme: dark) { text { fill: #9198a1; } }
"""


def svg(found: Sequence[Measurement]) -> Html:
    """The picture of all measurements, in the order given."""
    height = HEAD + LINE * len(found) + 8
    return drawing(
        TEXT + WIDTH + RIGHT,
        height,
        "Ratios of sbkube to its peers, with goals",
        element("style", STYLE),
        element("text", "ratio (● median, — range), ┃ goal: left of it is reached", x=TEXT, y=14),
        *_axis(height),
        *(part for at, m in enumerate(found) for part in _line(m, HEAD + LINE * at + LINE // 2)),
        xmlns="http://www.w3.org/2000/svg",
    )


def place(ratio: float) -> float:
    """Where on the line a ratio stands; what is too small or too large stands at the end."""
    inside = min(HIGH, max(LOW, ratio))
    return round(TEXT + WIDTH * math.log(inside / LOW) / math.log(HIGH / LOW), 1)


def _axis(height: int) -> Iterator[Html]:
    for mark in (0.01, 0.1, 1, 10, 100):
        x = place(mark)
        yield element("line", x1=x, x2=x, y1=HEAD - 8, y2=height - 4, class_="one" if mark == 1 else "tick")
        yield element("text", f"{mark:g} ×", x=x, y=HEAD - 12, text_anchor="middle")


def _line(m: Measurement, y: int) -> Iterator[Html]:
    goal, low, high = place(m.goal), place(min(m.ratios)), place(max(m.ratios))
    what = f"{m.name}  {m.what}"
    yield element(
        "g",
        element("title", f"{what}, against {m.against}: {m.ratio:.3g}, goal {m.goal:g}"),
        element("text", what if len(what) <= 72 else what[:71] + "…", x=4, y=y + 4),
        element("line", x1=low, x2=high, y1=y, y2=y, class_="whisker"),
        element("line", x1=goal, x2=goal, y1=y - 9, y2=y + 9, class_="goal"),
        element("circle", cx=place(m.ratio), cy=y, r=5),
        class_="met" if m.ratio <= m.goal else "missed",
    )
