"""What is measured: the numbers P1, P2, … with their goals."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import peers
from bench.measure import CommandFailed, Measurement, measurement, pair, run, timed
from bench.servers import Place, place, server
from bench.workload import NAMESPACE, Workload, change
from sbkube.api import open_project
from sbkube.edges.sandbox import Sandbox

PYTHON = sys.executable
SBKUBE = [PYTHON, "-m", "sbkube"]
APPLY = [[*SBKUBE, "apply", "-y"]]
LOOP = "helm upgrade --install, one by one, + kubectl apply --server-side"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. `starts` are pairs of commands that take a fraction of a second."""

    pairs: int
    starts: int
    deploy: Workload
    many: Workload
    deployments: tuple[int, int]
    applies: int


FULL = Size(5, 20, Workload(8, 4, 25), Workload(0, 1, 1000), (10, 100), 3000)
QUICK = Size(2, 5, Workload(3, 2, 10), Workload(0, 1, 200), (5, 20), 600)
Say = Callable[[str], None]


def deploy(size: Size, say: Say) -> list[Measurement]:
    """P1, P2, P3: charts and manifests fresh, again, and with one value changed."""
    names = ("P1", "P2", "P3")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    loop = _peer_loop(size.deploy)
    for turn in range(size.pairs):
        say(f"P1 P2 P3: pair {turn + 1} of {size.pairs}")
        with server() as ours, server() as theirs:
            for side in (ours, theirs):
                _prepare(side, size.deploy)
            for name in names:
                if name == "P3":
                    for side in (ours, theirs):
                        change(side.folder / "work", size.deploy.releases[0], f"pair {turn}")
                times[name].append(pair(turn, _apply(ours), _commands(loop, theirs)))
            for side in (ours, theirs):
                _must_have(side, size.deploy.config_maps + size.deploy.helm_apps)
    work = f"{size.deploy.helm_apps} releases + {size.deploy.yaml_apps} × {size.deploy.objects} ConfigMaps"
    whats = (
        f"apply of {work}, fresh",
        "the same again, nothing changed",
        "the same, one value of one chart changed",
    )
    goals = (0.35, 0.15, 0.20)
    return [
        measurement(name, (what, LOOP), goal, times[name])
        for name, what, goal in zip(names, whats, goals, strict=True)
    ]


def many(size: Size, say: Say) -> list[Measurement]:
    """P4: many ConfigMaps fresh, against kubectl and against the floor."""
    kubectl, floor = [], []
    command = [[peers.find("kubectl"), "apply", "--server-side", "-n", NAMESPACE, "-f", "all.yaml"]]
    for turn in range(size.pairs):
        say(f"P4: pair {turn + 1} of {size.pairs}")
        with server() as ours, server() as theirs, server() as bare:
            for side in (ours, theirs, bare):
                _prepare(side, size.many)
            taken = pair(turn, _apply(ours), _commands(command, theirs))
            kubectl.append(taken)
            floor.append((taken[0], _floor(bare)))
            for side in (ours, theirs, bare):
                _must_have(side, size.many.config_maps)
    what = f"apply of {size.many.config_maps} ConfigMaps, fresh"
    return [
        measurement("P4", (what, "kubectl apply --server-side"), 0.5, kubectl),
        measurement("P4", (what, "a bare client that only sends the same requests"), 1.5, floor),
    ]


def start(size: Size, say: Say) -> list[Measurement]:
    """P8: commands that need neither project nor cluster, against an empty Python."""
    found = []
    with place() as own:
        nothing = _commands([[PYTHON, "-c", "pass"]], own, own.folder)
        for words in (["--help"], ["version"]):
            say(f"P8: sbkube {words[0]}")
            side = _commands([[*SBKUBE, *words]], own, own.folder)
            side()  # both have been read from disk before the first pair
            nothing()
            times = [pair(turn, side, nothing) for turn in range(size.starts)]
            found.append(measurement("P8", (f"sbkube {words[0]}", "python -c pass"), 6, times))
    return found


def past(size: Size, say: Say) -> list[Measurement]:
    """P9: history of a long past, against a short one and against an empty Python."""
    few, lots = size.deployments
    with server() as short, server() as long:
        for side, count in ((short, few), (long, lots)):
            say(f"P9: recording {count} deployments")
            _record(side, count)
        words = [[*SBKUBE, "history", "--limit", str(few)]]
        ours, theirs = (_commands(words, side, side.folder) for side in (long, short))
        nothing = _commands([[PYTHON, "-c", "pass"]], long, long.folder)
        say("P9: history")
        times = [pair(turn, ours, theirs) for turn in range(size.starts)]
        empty = [pair(turn, ours, nothing) for turn in range(size.starts)]
    what = f"history of {few} out of {lots} deployments"
    return [
        measurement("P9", (what, f"the same out of {few}"), 1.5, times),
        measurement("P9", (what, "python -c pass"), 20, empty),
    ]


def sandbox(size: Size, say: Say) -> list[Measurement]:
    """P13: the sandbox itself, against what it is allowed: time for applies, time to start, memory."""
    count = size.applies
    applies, starts, memory = [], [], []
    for turn in range(size.pairs):
        say(f"P13: run {turn + 1} of {size.pairs}")
        with place() as own:
            box = Sandbox(own.folder / "sandbox", own.env)
            started = time.perf_counter()
            box.up(ready_delay=0)
            starts.append((time.perf_counter() - started, 0.5))
            try:
                Workload(0, 1, count).write(own.folder / "work")
                words = [PYTHON, "-m", "bench.load", "all.yaml"]
                taken = float(run(words, own.env | box.environment(), own.folder / "work"))
                applies.append((taken, count / 3000))
                pid = (box.status() or {})["pid"]
                memory.append((_megabytes(int(pid)), 100.0))
            finally:
                box.down()
    what = f"sandbox: {count} server-side applies (creates) from one client"
    return [
        measurement("P13", (what, "3,000 a second"), 1, applies),
        measurement("P13", ("sandbox: start until it answers", "half a second"), 1, starts),
        measurement("P13", (f"sandbox: memory with {count} objects", "100 MB"), 1, memory, unit="MB"),
    ]


def _megabytes(pid: int) -> float:
    """The resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(kilobytes) / 1024


CASES: dict[str, Callable[[Size, Say], list[Measurement]]] = {
    "P1": deploy,
    "P2": deploy,
    "P3": deploy,
    "P4": many,
    "P8": start,
    "P9": past,
    "P13": sandbox,
}


def measured(names: Sequence[str], size: Size, say: Say) -> list[Measurement]:
    """All measurements that were asked for; a case whose peer is missing is told and left out."""
    found: list[Measurement] = []
    for case in dict.fromkeys(CASES[name] for name in names):
        try:
            found += [m for m in case(size, say) if m.name in names]
        except peers.PeerMissing as reason:
            say(f"left out: {(case.__doc__ or '').partition(':')[0]}: {reason}")
    return found


def _apply(side: Place) -> Callable[[], float]:
    return _commands(APPLY, side)


def _commands(commands: Sequence[Sequence[str]], side: Place, folder: Path | None = None) -> Callable[[], float]:
    return lambda: timed(commands, side.env, folder or side.folder / "work")


def _peer_loop(work: Workload) -> list[list[str]]:
    helm, kubectl = peers.find("helm"), peers.find("kubectl")
    releases = [[helm, "upgrade", "--install", n, f"./charts/{n}", "-n", NAMESPACE] for n in work.releases]
    return [*releases, [kubectl, "apply", "--server-side", "-n", NAMESPACE, "-f", "all.yaml"]]


def _prepare(side: Place, work: Workload) -> None:
    """What is not counted: the files, kubectl's first look at the server, and the namespace.

    In a namespace that exists sbkube asks for a dry run of every new object; in one yet to be made it could not.
    """
    work.write(side.folder / "work")
    run([peers.find("kubectl"), "create", "namespace", NAMESPACE], side.env, side.folder)


def _floor(side: Place) -> float:
    return float(run([PYTHON, "-m", "bench.bare", "all.yaml", NAMESPACE], side.env, side.folder / "work"))


def _must_have(side: Place, count: int) -> None:
    """Times count only when the work was done."""
    words = [peers.find("kubectl"), "get", "configmaps", "-n", NAMESPACE, "-o", "name"]
    names = [n for n in run(words, side.env, side.folder).split() if "kube-root-ca" not in n]
    if len(names) != count:
        raise CommandFailed(f"{len(names)} ConfigMaps instead of {count}")


def _record(side: Place, count: int) -> None:
    """Deploy one chart-less project again and again, one object changing each time."""
    folder = Workload(0, 1, 20).write(side.folder / "work")
    manifest = folder / "manifests" / "settings00.yaml"
    text = manifest.read_text()
    for number in range(count):
        manifest.write_text(text.replace('"index": "0"', f'"index": "{number}"'))
        with contextlib.closing(open_project(folder, environ=side.env)) as project:
            project.execute(project.plan(), command="apply")
