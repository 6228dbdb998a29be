"""What it costs to remember: P7, P9, P10 and P14."""

from __future__ import annotations

import contextlib
import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, Popen

from bench import peers
from bench.filling import fill
from bench.measure import CommandFailed, Measurement, measurement, pair
from bench.servers import Place, place, server, slow_down, slowly
from bench.steps import APPLY, PYTHON, SBKUBE, Say, Size, apply, commands, must_have, prepare
from bench.workload import NAMESPACE, Workload

MEMORY = Path("/dev/shm")
LATENCY = 0.02  # seconds that each request takes longer


def journal(size: Size, say: Say) -> list[Measurement]:
    """P7: a run whose record reaches the disk, against one with the state database in memory."""
    if not MEMORY.is_dir():
        raise peers.PeerMissing("a file system in memory (/dev/shm)")
    times = []
    for turn in range(size.pairs):
        say(f"P7: pair {turn + 1} of {size.pairs}")
        with server() as ours, server() as theirs, tempfile.TemporaryDirectory(dir=MEMORY) as memory:
            for side in (ours, theirs):
                prepare(side, size.many)
            quick = Place(theirs.folder, theirs.env | {"SBKUBE_STATE_URL": f"{memory}/deployments.db"})
            times.append(pair(turn, apply(ours), apply(quick)))
            for side in (ours, theirs):
                must_have(side, size.many.config_maps)
    what = f"apply of {size.many.config_maps} ConfigMaps, fresh, recorded on disk"
    return [measurement("P7", (what, "the same with the state database in memory"), 1.1, times)]


def past(size: Size, say: Say) -> list[Measurement]:
    """P9: history of a long past, against a short one and against an empty Python."""
    few, lots = size.deployments
    with place() as short, place() as long:
        for side, count in ((short, few), (long, lots)):
            say(f"P9: recording {count} deployments of {size.objects} objects")
            fill(side.env["SBKUBE_STATE_URL"], count, size.objects, say)
            Workload(0, 1, 1).write(side.folder / "work")
        lines = [[*SBKUBE, "history", "--limit", str(few)]]
        ours, theirs = commands(lines, long), commands(lines, short)
        nothing = commands([[PYTHON, "-c", "pass"]], long)
        say("P9: history")
        for side_once in (ours, theirs, nothing):
            side_once()
        times = [pair(turn, ours, theirs) for turn in range(size.starts)]
        empty = [pair(turn, ours, nothing) for turn in range(size.starts)]
    what = f"history of {few} out of {lots} deployments of {size.objects} objects"
    return [
        measurement("P9", (what, f"the same out of {few}"), 1.5, times),
        measurement("P9", (what, "python -c pass"), 20, empty),
    ]


def size_of_the_past(size: Size, say: Say) -> list[Measurement]:
    """P10: the database of a long past, against all images as plain JSON."""
    with place() as own:
        say(f"P10: recording {size.past} deployments of {size.objects} objects")
        file = Path(own.env["SBKUBE_STATE_URL"])
        plain = fill(str(file), size.past, size.objects, say)
        bytes_ = sum(path.stat().st_size for path in file.parent.iterdir() if path.name.startswith(file.name))
    megabytes = (bytes_ / 1e6, plain / 1e6)
    what = f"database of {size.past} deployments of {size.objects} objects, 1 % changing"
    return [measurement("P10", (what, "all images as plain JSON"), 0.02, [megabytes], unit="MB")]


def two_at_once(size: Size, say: Say) -> list[Measurement]:
    """P14: two runs with one PostgreSQL database at once, against one after the other."""
    work = Workload(0, 1, size.many.config_maps // 2)
    found = []
    with postgres() as new_database:
        for latency, goal in ((0.0, 1.1), (LATENCY, 0.6)):
            times = []
            for turn in range(size.pairs):
                say(f"P14: pair {turn + 1} of {size.pairs}{', slow network' if latency else ''}")
                with _two(work, new_database(), latency) as ours, _two(work, new_database(), latency) as theirs:
                    times.append(pair(turn, partial(_at_once, ours), partial(_in_turn, theirs)))
            what = f"two projects of {work.config_maps} ConfigMaps at once on PostgreSQL{slowly(latency)}"
            found.append(measurement("P14", (what, "one after the other"), goal, times))
    return found


@contextlib.contextmanager
def postgres() -> Iterator[Callable[[], str]]:
    """A server, as the function that makes a new database of it and gives its URL."""
    tests = str(peers.TESTS)
    sys.path.insert(0, tests)
    try:
        import pytest

        module = importlib.import_module("postgres")
    except ImportError as reason:
        raise peers.PeerMissing(f"PostgreSQL: {reason}") from reason
    finally:
        sys.path.remove(tests)
    try:
        with module.shared_server() as running:
            yield running.database
    except pytest.skip.Exception as reason:
        raise peers.PeerMissing(f"PostgreSQL: {reason}") from reason


@contextlib.contextmanager
def _two(work: Workload, url: str, latency: float) -> Iterator[tuple[Place, Place]]:
    """Two projects on one server and one database."""
    with server() as side, place() as other:
        env = side.env | {"SBKUBE_STATE_URL": url}
        two = (Place(side.folder, env), Place(other.folder, env))
        for number, own in enumerate(two):
            work.write(own.folder / "work", name=f"bench{number}", namespace=f"{NAMESPACE}-{number}")
        slow_down(two[0], latency)
        yield two


def _in_turn(two: tuple[Place, Place]) -> float:
    return sum(apply(side)() for side in two)


def _at_once(two: tuple[Place, Place]) -> float:
    started = time.perf_counter()
    running = [Popen(APPLY[0], env=s.env, cwd=s.folder / "work", stdout=DEVNULL, stderr=DEVNULL) for s in two]
    if any(process.wait() for process in running):
        raise CommandFailed("one of two applies at once failed")
    return time.perf_counter() - started
