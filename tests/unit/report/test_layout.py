"""Columns fit, durations read well, colours cost no width."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from sbkube.report.ink import Ink, wants_colour
from sbkube.report.layout import age, clip, columns, duration, indent, plural, visible


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-1, "0.0s"),
        (0.04, "0.0s"),
        (2.14, "2.1s"),
        (9.96, "10s"),
        (59.7, "1m00s"),
        (185, "3m05s"),
        (7620, "2h07m"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("ago", "text"), [(3, "3s"), (200, "3m"), (7300, "2h"), (90000, "1d"), (-5, "0s")])
def test_age(ago: int, text: str) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert age(now - timedelta(seconds=ago), now) == text


def test_columns_are_as_narrow_as_asked() -> None:
    rows = [("a" * 30, "b" * 30, "c" * 30)]
    lines = columns(("ONE", "TWO", "THREE"), rows, ink=Ink(), width=60, flexible=("TWO", "ONE"))
    assert all(len(line) <= 60 for line in lines)
    assert "c" * 30 in lines[1] and "…" in lines[1]


def test_empty_columns_are_left_out() -> None:
    lines = columns(("ONE", "TWO"), [("x", ""), ("y", "")], ink=Ink())
    assert lines == ["ONE", "x", "y"]


def test_colours_do_not_count() -> None:
    ink = Ink(True)
    assert visible(ink.red("abc")) == 3
    assert clip(ink.red("abcdef"), 4) == "abc…"
    assert columns(("A", "B"), [(ink.red("x"), "y")], ink=Ink())[1] == f"{ink.red('x')}  y"


def test_words() -> None:
    assert (plural(1, "app"), plural(0, "app")) == ("1 app", "0 apps")
    assert indent("a\n\nb") == "  a\n\n  b"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_when_to_colour(environ: dict[str, str], terminal: bool, wanted: bool) -> None:
    assert wants_colour(Tty() if terminal else io.StringIO(), environ) is wanted
