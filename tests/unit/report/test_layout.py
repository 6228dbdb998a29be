"""Columns fit, durations read well, colours cost no width."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from sbkube.report.ink import Ink, wants_colour
from sbkube.report.layout import age, clip, columns, duration, flow, indent, plural, visible


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


@pytest.mark.parametrize(
    ("line", "width", "lines"),
    [
        ("short", 10, ["short"]),
        ("  + one two three four", 12, ["  + one two", "    three", "    four"]),
        ("  | output of a command", 14, ["  | output of", "    a command"]),
        ("✓ state  a place, and more of it", 18, ["✓ state  a place,", "      and more of", "      it"]),
        ("  name    value and more", 16, ["  name    value", "     and more"]),
        ("abcdefghijkl", 9, ["abcdefg", "  hijkl"]),
        ("日本語日本語", 7, ["日本", "  語日", "  本語"]),
    ],
)
def test_lines_are_broken_between_words(line: str, width: int, lines: list[str]) -> None:
    assert flow(line, width).split("\n") == lines
    assert flow(line, 0) == line


def test_broken_lines_keep_their_colours() -> None:
    red = Ink(True).red("one two three")
    assert flow(f"  {red}", 10).replace("\n", " ").replace("   ", " ").split() == red.split()
    assert all(visible(part) <= 10 for part in flow(f"  {red}", 10).split("\n"))


def test_wide_characters_take_two_columns() -> None:
    assert visible("日本") == 4 and visible("e\u0301") == 1 and visible("🚀") == 2
    assert clip("日本語", 5) == "日本…" and clip("日本語", 4) == "日…"
