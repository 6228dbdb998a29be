"""A simulated API server for one side of one pair, in a folder that is gone afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sbkube.api import Where, open_project
from sbkube.edges.connection import Request
from sbkube.edges.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent  # what is measured is this checkout, whatever is installed


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of one's own, and the environment in which programs see only what is in it and this checkout."""

    folder: Path
    env: dict[str, str]


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A home, a state database and no cluster."""
    with tempfile.TemporaryDirectory(prefix="sbkube-bench-") as name:
        folder = Path(name)
        env = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL", "TMPDIR") if key in os.environ}
        env |= {
            "HOME": name,
            "PYTHONPATH": str(ROOT),
            "SBKUBE_STATE_URL": str(folder / "state" / "deployments.db"),
        }
        yield Place(folder, env)


@contextlib.contextmanager
def server() -> Iterator[Place]:
    """A place with an empty server, whose pods are ready at once: nobody's waiting is to be measured."""
    with place() as own:
        sandbox = Sandbox(own.folder / "sandbox", own.env)
        sandbox.up(ready_delay=0)
        try:
            yield Place(own.folder, own.env | sandbox.environment())
        finally:
            sandbox.down()


def slow_down(side: Place, latency: float) -> None:
    """From now on each request to the server takes so many seconds longer; `work` holds a project."""
    if not latency:
        return
    # The history is left alone: what is measured may be of another version.
    where = Where(kubeconfig=side.env["KUBECONFIG"], state_url=str(side.folder / "none.db"))
    with open_project(side.folder / "work", where=where, environ=side.env) as project:
        send = project.world.cluster.connection.request  # type: ignore[attr-defined]
        send(Request("DELETE", "/sandbox/faults"))
        send(Request("POST", "/sandbox/faults", json.dumps([{"latency": latency, "times": 0}]).encode()))


def slowly(latency: float) -> str:
    """How a row of the table says so."""
    return f", {latency * 1000:g} ms added to each request" if latency else ""
