"""`python -m bench.scale [--docs]`: large projects, and many clusters in one database.

Growth is what matters here: a row for each size, with the time and memory that one object costs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.growing import PEAK
from bench.measure import run, timed
from bench.recording import postgres
from bench.report import PAGE, machine, replaced
from bench.servers import Place, server
from bench.steps import APPLY, PYTHON, SBKUBE
from bench.workload import Workload, documents

BEGIN, END = "<!-- scale: begin (made by `python -m bench.scale --docs`) -->", "<!-- scale: end -->"
SIZES = ((50, 5), (250, 25), (500, 50))  # apps, namespaces
OBJECTS = 20  # ConfigMaps of each app
CLUSTERS = 20
HEAD = "| apps | namespaces | objects | apply | for each object | again | memory | database |"
MANY = "| clusters in one PostgreSQL database | apply of 100 ConfigMaps to the newest | `history` of it |"


@dataclass(frozen=True, slots=True)
class Large:
    """A project of so many apps, spread over so many namespaces."""

    apps: int
    namespaces: int

    def write(self, folder: Path) -> None:
        """Write sbkube.yaml and its manifests."""
        (folder / "manifests").mkdir(parents=True)
        apps: dict[str, Any] = {}
        for number in range(self.apps):
            name = f"app{number:03d}"
            (folder / "manifests" / f"{name}.yaml").write_text(documents(name, OBJECTS))
            space = f"space{number % self.namespaces:02d}"
            apps[name] = {"type": "yaml", "manifests": [f"manifests/{name}.yaml"], "namespace": space}
        settings = {"namespace": "space00", "parallel_apps": True, "max_workers": 8}
        project = {"apiVersion": "sbkube/v1", "metadata": {"name": "large"}, "settings": settings, "apps": apps}
        (folder / "sbkube.yaml").write_text(json.dumps(project, indent=1))


def large() -> Iterator[str]:
    """A row for each size."""
    for apps, namespaces in SIZES:
        _say(f"{apps} apps in {namespaces} namespaces")
        with server() as side:
            work = side.folder / "work"
            Large(apps, namespaces).write(work)
            fresh = timed(APPLY, side.env, work)
            again = timed(APPLY, side.env, work)
            peak = int(run([PYTHON, "-c", PEAK, *APPLY[0]], side.env, work).splitlines()[-1]) / 1024
            count, file = apps * OBJECTS, Path(side.env["SBKUBE_STATE_URL"])
            size = sum(p.stat().st_size for p in file.parent.iterdir() if p.name.startswith(file.name)) / 1e6
        yield (
            f"| {apps} | {namespaces} | {count:,} | {fresh:.1f} s | {fresh / count * 1000:.1f} ms | {again:.1f} s "
            f"| {peak:.0f} MB | {size:.1f} MB |"
        )


def clusters() -> Iterator[str]:
    """A row for the first cluster, and one for each tenth."""
    with postgres() as new_database:
        url = new_database()
        for number in range(1, CLUSTERS + 1):
            _say(f"cluster {number} of {CLUSTERS}")
            with server() as side:
                shared = Place(side.folder, side.env | {"SBKUBE_STATE_URL": url})
                Workload(0, 1, 100).write(shared.folder / "work")
                took = timed(APPLY, shared.env, shared.folder / "work")
                looked = timed([[*SBKUBE, "history"]], shared.env, shared.folder / "work")
            if number == 1 or number % 10 == 0:
                yield f"| {number} | {took:.2f} s | {looked * 1000:.0f} ms |"


def _table(head: str, rows: Iterator[str]) -> list[str]:
    return [head, "| --- " * (head.count("|") - 1) + "|", *rows]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print, and with --docs keep."""
    on = machine()
    lines = [*_table(HEAD, large()), "", *_table(MANY, clusters()), ""]
    where = f"{on['cpus']} CPUs ({on['cpu']}), Python {on['python']}, sbkube {on['sbkube']} ({on['commit']})"
    lines.append(f"{datetime.now(UTC).date()}, {where}, on the sandbox, each measured once.")
    text = "\n".join(lines)
    print(text)
    if "--docs" in sys.argv[1:]:
        PAGE.write_text(replaced(PAGE.read_text("utf-8"), BEGIN, text, END), "utf-8")


if __name__ == "__main__":
    main()
