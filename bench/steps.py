"""What the cases are made of: how much is measured, and the commands of both sides."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import peers
from bench.measure import CommandFailed, Side, run, timed
from bench.servers import Place, slow_down
from bench.workload import NAMESPACE, Workload

PYTHON = sys.executable
SBKUBE = [PYTHON, "-m", "sbkube"]
APPLY = [[*SBKUBE, "apply", "-y"]]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. `pairs` count on a server that answers at once, `slow_pairs` where each request takes
    so many seconds more (`latencies`). `starts` are pairs of commands that take a fraction of a second;
    `deployments` what a history is short and long with, `past` how many count for the size of the database, of
    `objects` each; `growth` are numbers of ConfigMaps."""

    pairs: int
    slow_pairs: int
    latencies: tuple[float, ...]
    starts: int
    deploy: Workload
    many: Workload
    deployments: tuple[int, int]
    applies: int
    releases: int
    past: int
    objects: int
    growth: tuple[int, ...]

    @property
    def networks(self) -> list[tuple[float, int]]:
        """Added latencies in seconds, each with its number of pairs."""
        return [(latency, self.slow_pairs if latency else self.pairs) for latency in self.latencies]


FULL = Size(
    5,
    5,
    (0.0, 0.005, 0.02),
    20,
    Workload(8, 4, 25),
    Workload(0, 1, 1000),
    (10, 10_000),
    3000,
    26,
    1000,
    200,
    (100, 1000, 10_000),
)
QUICK = Size(2, 1, (0.0, 0.005), 5, Workload(3, 2, 10), Workload(0, 1, 200), (5, 50), 600, 4, 50, 50, (50, 200))


def apply(side: Place) -> Side:
    """Times `sbkube apply`."""
    return commands(APPLY, side)


def commands(lines: Sequence[Sequence[str]], side: Place, folder: Path | None = None) -> Side:
    """Times command lines in the workload's folder, or another one."""
    return lambda: timed(lines, side.env, folder or side.folder / "work")


def peer_loop(work: Workload) -> list[list[str]]:
    """What one would write without sbkube."""
    helm, kubectl = peers.find("helm"), peers.find("kubectl")
    releases = [[helm, "upgrade", "--install", n, f"./charts/{n}", "-n", NAMESPACE] for n in work.releases]
    return [*releases, [kubectl, "apply", "--server-side", "-n", NAMESPACE, "-f", "all.yaml"]]


def prepare(side: Place, work: Workload, latency: float = 0) -> None:
    """What is not counted: the files, kubectl's first look at the server, and the namespace.

    In a namespace that exists sbkube asks for a dry run of every new object; in one yet to be made it could not.
    """
    work.write(side.folder / "work")
    run([peers.find("kubectl"), "create", "namespace", NAMESPACE], side.env, side.folder)
    slow_down(side, latency)


def floor(side: Place) -> float:
    """Seconds of the client that only sends."""
    return float(run([PYTHON, "-m", "bench.bare", "all.yaml", NAMESPACE], side.env, side.folder / "work"))


def must_have(side: Place, count: int) -> None:
    """Times count only when the work was done."""
    words = [peers.find("kubectl"), "get", "configmaps", "-n", NAMESPACE, "-o", "name"]
    names = [n for n in run(words, side.env, side.folder).split() if "kube-root-ca" not in n]
    if len(names) != count:
        raise CommandFailed(f"{len(names)} ConfigMaps instead of {count}")
