"""`kill -9` of the sandbox in the middle of everything, and the work goes on after a restart.

`SBKUBE_KILLS` is the number of kills (5 unless it says otherwise), `SBKUBE_KILLS_SEED` repeats a run.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from clients import program
from faults.sandbox_load import Caller, Watcher, Writer, started
from shapes import deployment

from sbkube.edges import kubeconfig
from sbkube.edges.cluster import HttpCluster, connect
from sbkube.edges.helm_sdk import SdkHelm
from sbkube.edges.sandbox import Sandbox
from sbkube.errors import SbkubeError
from sbkube.models.release import ReleaseSpec

# Read when this module is imported: every test has an environment of its own.
KILLS = int(os.environ.get("SBKUBE_KILLS", "5"))
SEED = int(os.environ.get("SBKUBE_KILLS_SEED") or secrets.randbits(32))
CHART = Path(__file__).parents[1] / "conformance" / "clients" / "charts" / "shop"
SPACE = "kills"
pytestmark = pytest.mark.timeout(120 + 60 * KILLS)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of its own; it will not live long."""
    box = Sandbox(tmp_path / "sandbox")
    box.up(ready_delay=0.1)
    yield box
    box.down()


def until(true: Callable[[], Any], seconds: float = 30) -> Any:
    """What `true` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


@dataclass
class Upgrades:
    """Upgrades of one release, by Helm in process and by the program in turn."""

    sandbox: Sandbox
    finished: int = 0
    pending: int = 0
    seconds: float = 1.0  # what one takes here; kills come before that, and after
    wanted: dict[int, str] = field(default_factory=dict)  # revision → colour, of upgrades that said "done"
    _cancel: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[bytes] | None = None

    def spec(self, colour: str) -> ReleaseSpec:
        """The release as it should be."""
        return ReleaseSpec("r", SPACE, str(CHART), {"colour": colour}, timeout=60)

    def port(self) -> tuple[SdkHelm, HttpCluster]:
        """Helm in process, talking to the sandbox as it runs now."""
        cluster = connect(kubeconfig.load(str(self.sandbox.kubeconfig()), None, os.environ))
        return SdkHelm(self.sandbox.kubeconfig().read_text(), cluster=cluster), cluster

    def in_process(self, colour: str) -> None:
        """One upgrade that the kill may end."""
        self._cancel = threading.Event()
        helm, cluster = self.port()
        try:
            record = helm.upgrade(self.spec(colour), self._cancel)
        except SbkubeError:
            return
        finally:
            cluster.close()
        self.finished += 1
        self.wanted[record.revision] = colour

    def by_program(self, colour: str) -> None:
        """The same with the program, which dies with the sandbox."""
        words = ["upgrade", "r", str(CHART), "--namespace", SPACE, "--set", f"colour={colour}", "--wait"]
        environ = {**os.environ, **self.sandbox.environment()}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen([str(program("helm")), *words], env=environ, stdout=quiet, stderr=quiet)
        if self._process.wait() == 0:
            self.finished += 1

    def stop(self) -> None:
        """Nobody waits for a server that is gone."""
        self._cancel.set()
        if self._process is not None:
            self._process.kill()

    def audit_and_finish(self, colour: str) -> None:
        """Answered upgrades are in the history; what Helm left pending can be rolled back; a retry succeeds."""
        helm, cluster = self.port()
        try:
            history = {r.revision: r for r in helm.history("r", SPACE)}
            for revision, kept in self.wanted.items():
                assert history[revision].values["colour"] == kept
                assert history[revision].status in ("deployed", "superseded")
            newest = history[max(history)]
            if newest.pending:
                self.pending += 1
                good = max(n for n, r in history.items() if r.status in ("deployed", "superseded"))
                helm.rollback(self.spec(colour), good, threading.Event())
            record = helm.upgrade(self.spec(colour), threading.Event())
            assert record.status == "deployed"
            self.wanted = {record.revision: colour}
        finally:
            cluster.close()


def kill(sandbox: Sandbox, after: float) -> None:
    """SIGKILL after so many seconds."""
    status = sandbox.status()
    assert status is not None
    time.sleep(after)
    os.kill(int(status["pid"]), signal.SIGKILL)


def test_nothing_answered_is_lost_and_the_work_goes_on(sandbox: Sandbox) -> None:
    print(f"SBKUBE_KILLS={KILLS} SBKUBE_KILLS_SEED={SEED}")
    chance = random.Random(SEED)
    call = Caller(sandbox)
    call("POST", "/api/v1/namespaces", {"metadata": {"name": SPACE}})
    writers = [Writer(f"w{n}", SPACE, random.Random(chance.random())) for n in range(4)]
    watcher, upgrades = Watcher(SPACE), Upgrades(sandbox)
    helm, cluster = upgrades.port()
    began = time.monotonic()
    helm.install(upgrades.spec("first"), threading.Event())
    upgrades.seconds = time.monotonic() - began
    cluster.close()
    highest = 0
    for number in range(KILLS):
        highest = _round(sandbox, chance, number, writers, watcher, upgrades, highest)
    answers = sum(w.answers for w in writers)
    print(
        f"{KILLS} kills: {answers} answered writes, {upgrades.finished} upgrades finished in time, "
        f"{upgrades.pending} left pending, watch resumed {watcher.resumed} times, listed again {watcher.listed}"
    )
    assert answers


def _round(
    sandbox: Sandbox,
    chance: random.Random,
    number: int,
    writers: list[Writer],
    watcher: Watcher,
    upgrades: Upgrades,
    highest: int,
) -> int:
    slow = _slow_deployment(Caller(sandbox), number)
    watcher.list(Caller(sandbox))
    upgrade = upgrades.by_program if number % 2 and _has_program() else upgrades.in_process
    threads = started(
        *((w.run, Caller(sandbox)) for w in writers),
        (watcher.follow, Caller(sandbox)),
        (upgrade, f"c{number}"),
    )
    after = chance.uniform(0.02, 3 * upgrades.seconds)
    kill(sandbox, after)
    upgrades.stop()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    sandbox.up(ready_delay=0.1)
    call = Caller(sandbox)
    _, body = call("GET", f"/api/v1/namespaces/{SPACE}/configmaps")
    version = int(body["metadata"]["resourceVersion"])
    seen = max(highest, watcher.version, *(w.highest for w in writers))
    assert version >= seen, f"kill {number} after {after:.3f} s: version {version} after {seen} was seen"
    found = {item["metadata"]["name"]: item for item in body["items"]}
    for writer in writers:
        writer.audit(found)
    watcher.resume(sandbox)
    assert watcher.seen == _versions(call)
    upgrades.audit_and_finish(f"again{number}")
    _gets_ready(call, number, slow)
    return max(version, watcher.version)


def _has_program() -> bool:
    try:
        program("helm")
    except pytest.skip.Exception:
        return False
    return True


def _versions(call: Caller) -> dict[str, str]:
    _, body = call("GET", f"/api/v1/namespaces/{SPACE}/configmaps")
    return {i["metadata"]["name"]: i["metadata"]["resourceVersion"] for i in body["items"]}


def _path(number: int) -> str:
    return f"/apis/apps/v1/namespaces/{SPACE}/deployments/slow{number}"


def _slow_deployment(call: Caller, number: int) -> str:
    """A deployment whose pods are ready only after the kill; its uid."""
    body = {**deployment(f"slow{number}", ready_after="1"), "apiVersion": "apps/v1", "kind": "Deployment"}
    status, made = call("POST", _path(number).rpartition("/")[0], body)
    assert status == 201, made
    return str(made["metadata"]["uid"])


def _gets_ready(call: Caller, number: int, uid: str) -> None:
    """The controllers go on where they were."""

    def ready() -> bool:
        _, found = call("GET", _path(number))
        assert found["metadata"]["uid"] == uid
        status = found.get("status") or {}
        return bool(status.get("readyReplicas", 0) == found["spec"].get("replicas", 1))

    until(ready)
    assert call("DELETE", _path(number))[0] == 200
