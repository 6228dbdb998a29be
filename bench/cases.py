"""What is measured: the numbers P1, P2, … with their goals."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import peers
from bench.growing import growth, memory
from bench.measure import Measurement, measurement, pair, run
from bench.recording import journal, past, size_of_the_past, two_at_once
from bench.servers import place, server, slow_down, slowly
from bench.steps import PYTHON, SBKUBE, Say, Size, apply, commands, floor, must_have, peer_loop, prepare
from bench.workload import NAMESPACE, Workload, change
from sbkube.edges.sandbox import Sandbox

LOOP = "helm upgrade --install, one by one, + kubectl apply --server-side"


def deploy(size: Size, say: Say) -> list[Measurement]:
    """P1, P2, P3: charts and manifests fresh, again, and with one value changed."""
    found = [m for latency, pairs in size.networks for m in _deploy(size.deploy, pairs, latency, say)]
    return sorted(found, key=lambda m: m.name)


def _deploy(work: Workload, pairs: int, latency: float, say: Say) -> list[Measurement]:
    names = ("P1", "P2", "P3")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    loop = peer_loop(work)
    for turn in range(pairs):
        say(f"P1 P2 P3: pair {turn + 1} of {pairs}{slowly(latency)}")
        with server() as ours, server() as theirs:
            for side in (ours, theirs):
                prepare(side, work, latency)
            for name in names:
                if name == "P3":
                    for side in (ours, theirs):
                        change(side.folder / "work", work.releases[0], f"pair {turn}")
                times[name].append(pair(turn, apply(ours), commands(loop, theirs)))
            for side in (ours, theirs):
                must_have(side, work.config_maps + work.helm_apps)
    all_of_it = f"{work.helm_apps} releases + {work.yaml_apps} × {work.objects} ConfigMaps"
    whats = (
        f"apply of {all_of_it}, fresh",
        "the same again, nothing changed",
        "the same, one value of one chart changed",
    )
    goals = (0.35, 0.15, 0.20)
    return [
        measurement(name, (what + slowly(latency), LOOP), goal, times[name])
        for name, what, goal in zip(names, whats, goals, strict=True)
    ]


def many(size: Size, say: Say) -> list[Measurement]:
    """P4: many ConfigMaps fresh, against kubectl and against the floor."""
    return [m for latency, pairs in size.networks for m in _many(size.many, pairs, latency, say)]


def _many(work: Workload, pairs: int, latency: float, say: Say) -> list[Measurement]:
    kubectl, bare_times = [], []
    lines = [[peers.find("kubectl"), "apply", "--server-side", "-n", NAMESPACE, "-f", "all.yaml"]]
    for turn in range(pairs):
        say(f"P4: pair {turn + 1} of {pairs}{slowly(latency)}")
        with server() as ours, server() as theirs, server() as bare:
            for side in (ours, theirs, bare):
                prepare(side, work, latency)
            taken = pair(turn, apply(ours), commands(lines, theirs))
            kubectl.append(taken)
            bare_times.append((taken[0], floor(bare)))
            for side in (ours, theirs, bare):
                must_have(side, work.config_maps)
    what = f"apply of {work.config_maps} ConfigMaps, fresh{slowly(latency)}"
    return [
        measurement("P4", (what, "kubectl apply --server-side"), 0.5, kubectl),
        measurement("P4", (what, "a bare client that only sends a dry run and an apply of each"), 1.5, bare_times),
    ]


def unchanged(size: Size, say: Say) -> list[Measurement]:
    """P5: many ConfigMaps that are all there, against kapp."""
    deploy_again = [[peers.find("kapp"), "deploy", "-a", "bench", "-n", NAMESPACE, "-f", "all.yaml", "-y"]]
    with server() as ours, server() as theirs:
        for side in (ours, theirs):
            prepare(side, size.many)
        kapp = commands(deploy_again, theirs)
        apply(ours)()
        kapp()
        say("P5: unchanged")
        times = [pair(turn, apply(ours), kapp) for turn in range(size.pairs)]
        must_have(ours, size.many.config_maps)
    what = f"apply of {size.many.config_maps} ConfigMaps, nothing changed"
    return [measurement("P5", (what, "kapp deploy"), 0.8, times)]


def planned(size: Size, say: Say) -> list[Measurement]:
    """P6: the plan of many releases that are all there, against a dry run of helm for each."""
    work = Workload(size.releases, 0, 0)
    loop = [[*line, "--dry-run=server"] for line in peer_loop(work)[:-1]]
    found = []
    with server() as side:
        prepare(side, work)
        apply(side)()
        plan = commands([[*SBKUBE, "plan"]], side)
        plan()
        for latency, pairs in size.networks:
            slow_down(side, latency)
            say(f"P6: plan of {size.releases} releases{slowly(latency)}")
            times = [pair(turn, plan, commands(loop, side)) for turn in range(pairs)]
            what = f"plan of {size.releases} releases, nothing changed{slowly(latency)}"
            found.append(
                measurement("P6", (what, "helm upgrade --install --dry-run=server, one by one"), 0.1, times)
            )
    return found


def start(size: Size, say: Say) -> list[Measurement]:
    """P8: commands that need neither project nor cluster, against an empty Python."""
    found = []
    with place() as own:
        nothing = commands([[PYTHON, "-c", "pass"]], own, own.folder)
        for words in (["--help"], ["version"]):
            say(f"P8: sbkube {words[0]}")
            side = commands([[*SBKUBE, *words]], own, own.folder)
            side()  # both have been read from disk before the first pair
            nothing()
            times = [pair(turn, side, nothing) for turn in range(size.starts)]
            found.append(measurement("P8", (f"sbkube {words[0]}", "python -c pass"), 6, times))
    return found


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
    "P5": unchanged,
    "P6": planned,
    "P7": journal,
    "P8": start,
    "P9": past,
    "P10": size_of_the_past,
    "P11": memory,
    "P12": growth,
    "P13": sandbox,
    "P14": two_at_once,
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
