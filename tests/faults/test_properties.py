"""Random histories: on the sandbox's core without HTTP and without Helm, and with Helm over HTTPS."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import agreement, core_cluster
from faults.conftest import Tally
from faults.length import LONG, SEED, long_or_short, spread
from faults.machine import MEMORY, SECRET, Histories, Json
from faults.server import open_sandbox
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from sbkube.api.project import Project
from sbkube.edges import clock, cluster, helm, kubeconfig, lease
from sbkube.edges.access import minimal
from sbkube.edges.decryption import Decryption
from sbkube.edges.kustomize import KustomizeProgram
from sbkube.edges.local import LocalCommands
from sbkube.engine.surroundings import Surroundings
from sbkube.sandbox.inprocess import InProcess
from sbkube.state.database import DeploymentDatabase
from sbkube.state.tracker import DeploymentTracker

CORE = long_or_short(10_000, 200)
WITH_HELM = long_or_short(300, 20)
SHARDS = long_or_short(8, 1)


class NoHelm:
    """A cluster without releases."""

    name, version = "none", "0"

    def releases(self, namespace: str) -> tuple[()]:
        return ()

    def history(self, name: str, namespace: str) -> tuple[()]:
        return ()


class Ledgers:
    """State databases in memory, a new one after every so many histories, each searched for secrets at its end."""

    def __init__(self, histories: int = 100) -> None:
        self._histories = histories
        self._used = 0
        self._folder: Path | None = None
        self._now: DeploymentTracker | None = None

    def ledger(self) -> DeploymentTracker:
        if self._used % self._histories == 0 or self._now is None:
            self.end()
            self._folder = Path(tempfile.mkdtemp(prefix="sbk-ledger-", dir=MEMORY))
            self._now = DeploymentTracker(DeploymentDatabase(self._folder / "state.db", environ={}))
        self._used += 1
        return self._now

    def end(self) -> None:
        """Close it, and look whether anything can be read in it that must not be."""
        if self._now is None or self._folder is None:
            return
        bad = agreement.in_clear(self._folder, SECRET)
        self._now.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._now = None
        assert not bad, bad


class Core(Ledgers):
    """The sandbox's core in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.box = InProcess()
        self.cluster = core_cluster.cluster(self.box)

    def world(self, project: Project, ledger: DeploymentTracker) -> Any:
        return _world(project, ledger, self.cluster, NoHelm())

    def faults(self, *wanted: Json) -> None:
        self.box.clear_faults()
        self.box.add_faults(*wanted)

    def settle(self) -> None:
        """Nothing here waits for controllers."""

    def close(self) -> None:
        self.end()
        self.box.close()


class WithHelm(Ledgers):
    """A sandbox behind HTTPS, and Helm's SDK in this process."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.sandbox = open_sandbox(folder)
        access = kubeconfig.load(str(self.sandbox.kubeconfig), None, {})
        self.cluster = cluster.connect(access)
        self.helm = helm.choose(minimal(access), environ={}, cluster=self.cluster)

    def world(self, project: Project, ledger: DeploymentTracker) -> Any:
        return _world(project, ledger, self.cluster, self.helm)

    def faults(self, *wanted: Json) -> None:
        self.sandbox.faults(*wanted)

    def settle(self) -> None:
        """Helm has waited already."""

    def close(self) -> None:
        self.end()
        self.cluster.close()
        self.sandbox.close()


def _world(project: Project, ledger: DeploymentTracker, http: cluster.HttpCluster, releases: Any) -> Surroundings:
    return Surroundings(
        cluster=http,
        helm=releases,
        ledger=ledger,
        # Each run is a process of its own, which is dead when the next one begins.
        leases=lease.HttpLease(http, proof="a process", dead=lambda host, pid, left: True),
        clock=clock.SystemClock(),
        listener=lambda event: None,
        catalogue=project.catalogue,
        kustomize=KustomizeProgram({}),
        commands=LocalCommands(str, str, {}),
        decryptor=Decryption({}),
    )


@pytest.fixture
def core() -> Iterator[Core]:
    place = Core()
    yield place
    place.close()


@pytest.fixture
def with_helm(tmp_path: Path) -> Iterator[WithHelm]:
    place = WithHelm(tmp_path / "sandbox")
    yield place
    place.close()


def _run(machine: type[Histories], examples: int, tally: Tally) -> None:
    # The short form repeats what it knows; looking for news is the long form's work.
    number = int(SEED or (int.from_bytes(os.urandom(4)) if LONG else 20261126))
    print(f"SBKUBE_FAULTS_SEED={number}")
    chosen = settings(
        max_examples=examples,
        stateful_step_count=6,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if LONG else [])],
        print_blob=False,
    )
    run_state_machine_as_test(seed(number)(machine), settings=chosen)
    tally(examples=examples)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_histories_on_the_core(core: Core, shard: int, tally: Tally) -> None:
    """Record and cluster agree, nothing foreign is touched, an apply is complete, a rollback is exact."""

    class Here(Histories):
        place = core

    _run(Here, CORE // SHARDS, tally)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_histories_with_helm(with_helm: WithHelm, shard: int, tally: Tally) -> None:
    """The same, with a Helm app among them."""

    class Here(Histories):
        place = with_helm

    Here.with_helm = True
    _run(Here, -(-WITH_HELM // SHARDS), tally)


WHAT = ({"status": 409}, {"status": 429}, {"status": 500}, {"cut": "before"}, {"cut": "after"}, {"cut": "body"})
ALONE = [
    {"verb": verb, "skip": skip, "times": times, **what}
    for verb in ("patch", "create", "get", "list", "update", "")
    for skip in (0, 1, 3)
    for times in (1, 9)
    for what in WHAT
]


def test_each_fault_alone_leaves_a_true_record(core: Core, tally: Tally) -> None:
    """A first apply that meets one fault, for every kind of request, early and late, once and often."""

    class Here(Histories):
        place = core

    bad = []
    for fault in spread(ALONE, 12):
        history = Here()
        history.want_at_first()
        try:
            history.apply_with_faults([fault])
            history.all_is_well()
            history.apply(undo=True)
            history.all_is_well()
        except AssertionError as error:
            bad.append(f"{fault}: {error}")
        finally:
            history.teardown()
        tally(alone=1)
    assert not bad, "\n".join(bad)
