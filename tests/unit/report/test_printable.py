"""What comes from a cluster neither acts on a terminal nor looks like something else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sbkube.models.deployment_state import EventRecord
from sbkube.report.detail import evidence
from sbkube.report.diff import unified
from sbkube.report.ink import Ink
from sbkube.report.printable import coloured, printable

HOSTILE = "a\x1b]0;pwned\x07b\x1b[2Jc\x9bd\u202etxt\rz"


def test_only_lines_tabs_and_our_colours_stay() -> None:
    ours = f"{Ink(True).red('no')}\n\tx"
    assert coloured(ours) == ours
    assert coloured(HOSTILE) == "a\ufffd]0;pwned\ufffdb\ufffd[2Jc\ufffdd\ufffdtxt\ufffdz"
    assert printable(ours) == "\ufffd[31mno\ufffd[0m\n\tx"


@pytest.mark.parametrize("colours", [True, False])
def test_logs_and_values_cannot_colour_what_is_shown(colours: bool) -> None:
    ink, hidden = Ink(colours), "\x1b[8mhidden\x1b[0m\u202e"
    event = EventRecord(1, datetime(2026, 1, 1, tzinfo=UTC), "failed", "web", "Pod/x", "said", hidden)
    assert "\ufffd[8mhidden\ufffd[0m\ufffd" in evidence([event], ink)
    (shown,) = [line for line in unified({}, {"data": {"a": "b\u202ec"}}, ink) if " a:" in line]
    assert "b\ufffdc" in shown


def test_the_order_of_keys_is_no_difference() -> None:
    before = {"metadata": {"name": "x", "labels": {"b": "1", "a": "2"}}, "data": {"a": "b"}, "kind": "ConfigMap"}
    after = {"kind": "ConfigMap", "metadata": {"labels": {"a": "2", "b": "1"}, "name": "x"}, "data": {"a": "c"}}
    lines = [line for line in unified(before, after, Ink()) if line[0] in "+-@"]
    assert lines == ["@@ data.a", "-   a: b", "+   a: c"]


def test_items_of_lists_keep_their_order() -> None:
    before, after = (
        {"spec": {"ports": [{"port": n, "name": f"p{n}"} for n in ports]}} for ports in ((1, 2), (2, 1))
    )
    assert [line for line in unified(before, after, Ink()) if line[0] in "+-"]


def test_what_is_too_long_to_be_compared_says_so() -> None:
    before, after = ({"data": {str(n): f"{n} {side}" for n in range(11_000)}} for side in "ab")
    assert unified(before, after, Ink()) == ["11,001 lines became 11,001: too many to be compared here"]
