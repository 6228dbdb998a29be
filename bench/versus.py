"""`python -m bench.versus CHECKOUT [--docs]`: what changes since another checkout of sbkube have brought.

The same commands are run with the code of both checkouts in turn, each on an empty server of its own, and the CPU
time of the process is compared: unlike the clock it hardly knows what else the machine does. Both run in the same
environment of installed libraries.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from bench.measure import Measurement, measurement, pair, run
from bench.report import PAGE, machine, replaced, revision
from bench.servers import Place, server
from bench.steps import APPLY, FULL, SBKUBE, Say, prepare
from bench.workload import Workload

BEGIN, END = "<!-- versus: begin (made by `python -m bench.versus CHECKOUT --docs`) -->", "<!-- versus: end -->"
HEAD = ("what", "CPU time before", "now", "ratio")
PAIRS = 5
AGAIN = 3  # runs of what changes nothing, of which the middle counts
PLAN, HISTORY = [*SBKUBE, "plan"], [*SBKUBE, "history"]
WORKLOADS = (
    ("P1: apply of 8 releases and 100 ConfigMaps, fresh", FULL.deploy, APPLY[0], False),
    ("P2: the same again, nothing changed", FULL.deploy, APPLY[0], True),
    ("P4: apply of 1,000 ConfigMaps, fresh", FULL.many, APPLY[0], False),
    ("P5: the same again, nothing changed", FULL.many, APPLY[0], True),
    ("P6: plan of 26 releases, nothing changed", Workload(FULL.releases, 0, 0), PLAN, True),
    ("P9: `history`", Workload(0, 1, 1), HISTORY, True),
)


def cpu(argv: Sequence[str], side: Place) -> float:
    """Seconds of CPU that a command took, in user and in system mode, its own children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(argv, side.env, side.folder / "work")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def once(code: Path, work: Workload, argv: Sequence[str], again: bool) -> float:
    """The CPU time of a command with the code of a checkout; `again`: after everything has been applied."""
    with server() as box:
        side = Place(box.folder, box.env | {"PYTHONPATH": str(code)})
        prepare(side, work)
        if not again:
            return cpu(argv, side)
        run(APPLY[0], side.env, side.folder / "work")
        return median(cpu(argv, side) for _ in range(AGAIN))


def compared(other: Path, say: Say) -> Iterator[Measurement]:
    """A measurement for each workload: this checkout and the other one."""
    here = Path(__file__).resolve().parent.parent
    for what, work, argv, again in WORKLOADS:
        say(what)
        now, before = (partial(once, code, work, argv, again) for code in (here, other))
        times = [pair(turn, now, before) for turn in range(PAIRS)]
        yield measurement(what, ("now", "before"), 1, times)


def _row(m: Measurement) -> tuple[str, ...]:
    low, high = min(m.ratios), max(m.ratios)
    before, now = (f"{median(times) * 1000:.0f} ms" for times in (m.theirs, m.ours))
    return m.name, before, now, f"{m.ratio:.2f} ({low:.2f}–{high:.2f})"


def main(other: str, *options: str) -> None:
    """Measure, print, and with --docs keep."""
    found = list(compared(Path(other).resolve(), lambda text: print(text, file=sys.stderr, flush=True)))
    on = machine()
    rows = [HEAD, ("---",) * len(HEAD), *map(_row, found)]
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    where = f"{on['cpus']} CPUs ({on['cpu']}), Python {on['python']}"
    lines += [
        "",
        f"{datetime.now(UTC).date()}, {where}, {revision(Path(other))} and {on['commit']}, {PAIRS} pairs.",
    ]
    text = "\n".join(lines)
    print(text)
    if "--docs" in options:
        PAGE.write_text(replaced(PAGE.read_text("utf-8"), BEGIN, text, END), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
