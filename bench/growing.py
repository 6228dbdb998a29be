"""How time and memory grow: P11 and P12."""

from __future__ import annotations

from bench.filling import fill
from bench.measure import Measurement, measurement, run
from bench.servers import Place, server
from bench.steps import APPLY, PYTHON, Say, Size, apply, must_have, prepare
from bench.workload import Workload

MOST = 150.0  # MB
# Runs a command line and prints the most memory that it had at once, in kB.
PEAK = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def memory(size: Size, say: Say) -> list[Measurement]:
    """P11: the most memory of an apply, against what it is allowed, and after a long past against a short one."""
    peaks, later = [], []
    for turn in range(min(size.pairs, 3)):
        say(f"P11: run {turn + 1}")
        with server() as short, server() as long:
            for side in (short, long):
                prepare(side, size.many)
            fill(long.env["SBKUBE_STATE_URL"], size.past, size.objects, say)
            peak = _peak(short)
            peaks.append((peak, MOST))
            later.append((_peak(long), peak))
            for side in (short, long):
                must_have(side, size.many.config_maps)
    what = f"memory of an apply of {size.many.config_maps} ConfigMaps"
    return [
        measurement("P11", (what, f"{MOST:g} MB"), 1, peaks, unit="MB"),
        measurement("P11", (f"the same after {size.past} deployments", "as the first one"), 1.1, later, unit="MB"),
    ]


def _peak(side: Place) -> float:
    words = [PYTHON, "-c", PEAK, *APPLY[0]]
    return int(run(words, side.env, side.folder / "work").splitlines()[-1]) / 1024


def growth(size: Size, say: Say) -> list[Measurement]:
    """P12: the time for each object of a large project, against that of one a tenth as large."""
    pairs: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for turn in range(min(size.pairs, 3)):
        each: dict[int, float] = {}
        for count in size.growth:
            say(f"P12: run {turn + 1}, {count} objects")
            with server() as side:
                work = Workload(0, max(1, count // 100), min(count, 100))
                prepare(side, work)
                each[count] = apply(side)() / count
                must_have(side, count)
        for small, large in zip(size.growth, size.growth[1:], strict=False):
            pairs.setdefault((small, large), []).append((each[large], each[small]))
    return [
        measurement("P12", (f"apply, time for each of {large} objects", f"of {small} objects"), 1, times)
        for (small, large), times in pairs.items()
    ]
