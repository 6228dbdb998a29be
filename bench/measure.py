"""Times of two sides, taken in pairs: what disturbs the machine disturbs both."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PATIENCE = 300  # seconds for one command


class CommandFailed(Exception):
    """A measured command ended badly: its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What both sides took, pair by pair; `goal` is what the ratio of the two should not exceed.

    `unit` is s (seconds) or MB.
    """

    name: str
    what: str
    against: str
    goal: float
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    unit: str = "s"

    @property
    def ratios(self) -> list[float]:
        """Ours over theirs, of each pair."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median over the pairs; unlike the ratio of medians it does not mix quiet with busy moments."""
        return median(self.ratios)


def run(argv: Sequence[str], env: Mapping[str, str], folder: Path) -> str:
    """Run a command to its end and give its output; raises CommandFailed with its last lines."""
    done = subprocess.run(
        argv, env=dict(env), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode:
        said = " / ".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise CommandFailed(f"{' '.join(argv[:6])} ended with code {done.returncode}: {said}")
    return done.stdout


def timed(commands: Sequence[Sequence[str]], env: Mapping[str, str], folder: Path) -> float:
    """Seconds of wall clock for commands one after the other."""
    started = time.perf_counter()
    for argv in commands:
        run(argv, env, folder)
    return time.perf_counter() - started


Side = Callable[[], float]


def pair(turn: int, ours: Side, theirs: Side) -> tuple[float, float]:
    """Both times, taken right after each other; who goes first alternates with `turn`."""
    if turn % 2:
        second = theirs()
        return ours(), second
    first = ours()
    return first, theirs()


def measurement(
    name: str, sides: tuple[str, str], goal: float, times: Sequence[tuple[float, float]], unit: str = "s"
) -> Measurement:
    """All pairs of one measurement together; `sides` are what was done, and against whom."""
    ours, theirs = zip(*times, strict=True)
    return Measurement(name, *sides, goal, tuple(ours), tuple(theirs), unit)
