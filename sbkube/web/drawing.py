"""Where things stand in a picture: the graph of apps, and the waterfall of operations. Templates draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT, GAP_X, GAP_Y = 168, 34, 48, 14
ROWS = 300  # of a waterfall
ROW, LABEL, SPAN = 22, 300, 560


@dataclass(frozen=True, slots=True)
class Box:
    """An app in the graph."""

    name: str
    status: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Graph:
    """Boxes, and arrows as (x1, y1, x2, y2)."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[int, int, int, int], ...]
    width: int
    height: int


def graph(apps: Mapping[str, tuple[str, Sequence[str]]]) -> Graph:
    """Apps from left to right in the order of their dependencies; `apps` maps names to status and what they need."""
    levels: dict[str, int] = {}

    def level(name: str, above: frozenset[str]) -> int:
        if name not in levels:
            needs = [n for n in apps[name][1] if n in apps and n not in above]
            levels[name] = max((level(n, above | {name}) + 1 for n in needs), default=0)
        return levels[name]

    boxes: dict[str, Box] = {}
    taken: dict[int, int] = {}
    for name, (status, _) in apps.items():
        at = level(name, frozenset())
        row = taken[at] = taken.get(at, -1) + 1
        boxes[name] = Box(name, status, 4 + at * (WIDTH + GAP_X), 4 + row * (HEIGHT + GAP_Y))
    arrows = tuple(
        (boxes[need].x + WIDTH, boxes[need].y + HEIGHT // 2, box.x, box.y + HEIGHT // 2)
        for name, box in boxes.items()
        for need in apps[name][1]
        if need in boxes and need != name
    )
    wide = max(taken, default=0) * (WIDTH + GAP_X) + WIDTH + 8
    return Graph(tuple(boxes.values()), arrows, wide, (max(taken.values(), default=0) + 1) * (HEIGHT + GAP_Y))


@dataclass(frozen=True, slots=True)
class Step:
    """Something that took time; `ended` is None while it runs."""

    label: str
    status: str
    took: str
    started: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A step in the waterfall."""

    label: str
    status: str
    took: str
    x: float
    y: int
    width: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Bars from top to bottom; `left_out` tells how many did not fit."""

    bars: tuple[Bar, ...]
    height: int
    left_out: int = 0


def waterfall(steps: Sequence[Step], now: datetime) -> Waterfall:
    """Steps by the time at which they began, on one scale; what still runs reaches to `now`."""
    chosen = sorted(steps, key=lambda step: step.started)[:ROWS]
    if not chosen:
        return Waterfall((), 0)
    start = chosen[0].started
    whole = max(max((step.ended or now) for step in chosen).timestamp() - start.timestamp(), 0.001)
    bars = []
    for number, step in enumerate(chosen):
        begin = (step.started - start).total_seconds() / whole
        length = max(((step.ended or now) - step.started).total_seconds() / whole, 0.0)
        x, width = LABEL + begin * SPAN, max(length * SPAN, 2.0)
        bars.append(Bar(step.label, step.status, step.took, round(x, 1), number * ROW, round(width, 1)))
    return Waterfall(tuple(bars), len(bars) * ROW + 4, max(0, len(steps) - ROWS))
