"""`python -m bench.versus CHECKOUT [--docs]`: what changes since another checkout of sbkube have brought.

The same commands are run with the code of both checkouts in turn, each on an empty server of its own. On a server
that answers at once the CPU time of the process is compared: unlike the clock it hardly knows what else the
machine does. On one that takes longer for each request, the clock. Both run in the same environment of libraries.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from bench.measure import Measurement, measurement, pair, run, timed
from bench.report import PAGE, machine, replaced, revision
from bench.servers import Place, server, slow_down
from bench.steps import APPLY, FULL, SBKUBE, Say, prepare
from bench.workload import Workload

BEGIN, END = "<!-- versus: begin (made by `python -m bench.versus CHECKOUT --docs`) -->", "<!-- versus: end -->"
HEAD = ("what", "CPU time before", "now", "ratio")
SLOW_HEAD = ("with 20 ms added to each request", "time before", "now", "ratio")
LATENCY = 0.02  # seconds
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


def once(code: Path, work: Workload, argv: Sequence[str], again: bool, latency: float) -> float:
    """What a command costs with the code of a checkout: CPU time, or with latency time; `again`: after everything
    has been applied."""
    with server() as box:
        side = Place(box.folder, box.env | {"PYTHONPATH": str(code)})
        cost = partial(timed, [argv], side.env, side.folder / "work") if latency else partial(cpu, argv, side)
        prepare(side, work, 0 if again else latency)
        if not again:
            return cost()
        run(APPLY[0], side.env, side.folder / "work")
        slow_down(side, latency)
        return median(cost() for _ in range(AGAIN))


def compared(other: Path, latency: float, say: Say) -> Iterator[Measurement]:
    """A measurement for each workload: this checkout and the other one."""
    here = Path(__file__).resolve().parent.parent
    for what, work, argv, again in WORKLOADS if not latency else WORKLOADS[:-1]:  # history asks no server
        say(f"{what}, {latency * 1000:g} ms added")
        now, before = (partial(once, code, work, argv, again, latency) for code in (here, other))
        times = [pair(turn, now, before) for turn in range(PAIRS)]
        yield measurement(what, ("now", "before"), 1, times)


def _row(m: Measurement) -> tuple[str, ...]:
    low, high = min(m.ratios), max(m.ratios)
    before, now = (f"{median(times) * 1000:.0f} ms" for times in (m.theirs, m.ours))
    return m.name, before, now, f"{m.ratio:.2f} ({low:.2f}–{high:.2f})"


def main(other: str, *options: str) -> None:
    """Measure, print, and with --docs keep."""
    on, lines = machine(), []
    for head, latency in ((HEAD, 0.0), (SLOW_HEAD, LATENCY)):
        found = compared(Path(other).resolve(), latency, lambda text: print(text, file=sys.stderr, flush=True))
        rows = [head, ("---",) * len(head), *map(_row, found)]
        lines += ["", *("| " + " | ".join(cells) + " |" for cells in rows)]
    where = f"{on['cpus']} CPUs ({on['cpu']}), Python {on['python']}"
    lines += [
        "",
        f"{datetime.now(UTC).date()}, {where}, {revision(Path(other))} and {on['commit']}, {PAIRS} pairs.",
    ]
    text = "\n".join(lines).lstrip()
    print(text)
    if "--docs" in options:
        PAGE.write_text(replaced(PAGE.read_text("utf-8"), BEGIN, text, END), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
