"""Times are taken in pairs, and a command that failed has none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.measure import CommandFailed, measurement, pair, timed


def test_the_ratio_is_that_of_pairs() -> None:
    # One busy moment slows both sides of a pair: the ratio of medians would be 2.
    found = measurement("P0", ("work", "peer"), 1, [(1.0, 2.0), (10.0, 20.0), (2.0, 1.0)])
    assert found.ratios == [0.5, 0.5, 2.0]
    assert found.ratio == 0.5


def test_who_goes_first_alternates() -> None:
    went: list[str] = []

    def side(name: str, seconds: float) -> float:
        went.append(name)
        return seconds

    taken = [pair(turn, lambda: side("ours", 1.0), lambda: side("theirs", 2.0)) for turn in range(2)]
    assert taken == [(1.0, 2.0), (1.0, 2.0)]
    assert went == ["ours", "theirs", "theirs", "ours"]


def test_a_failed_command_has_no_time(tmp_path: Path) -> None:
    broken = [sys.executable, "-c", "raise SystemExit('no such luck')"]
    with pytest.raises(CommandFailed, match="code 1: no such luck"):
        timed([broken], os.environ, tmp_path)
