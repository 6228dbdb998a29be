"""One holder at a time: many processes, holders that sleep too long, a second laptop with an older database."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from faults import agreement, rounds, shop
from faults.conftest import Tally
from faults.length import long_or_short, spread
from faults.server import Seen
from faults.stage import Case, Stage

from sbkube.engine.surroundings import REQUESTS
from sbkube.state.database import DeploymentDatabase

PROCESSES, ROUNDS = long_or_short(8, 4), long_or_short(200, 10)
SECONDS = 2  # how long a lock lives here
WORKERS = REQUESTS  # that a run has under way at once


def _process(url: str, left: int, folder: Path, seed: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(Path(rounds.__file__)), url, str(left), str(folder), str(seed)]
    return subprocess.Popen(command, env={**os.environ, "SBKUBE_STATE_KEY": ""})


def _tokens(folder: Path) -> list[int]:
    return [int(line) for file in folder.glob("tokens-*") for line in file.read_text().split()]


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_many_processes_never_hold_it_together(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest, tally: Tally
) -> None:
    """Nobody meets another holder, no token is given twice, and a dead holder is in nobody's way."""
    seed = int.from_bytes(os.urandom(3))
    print(f"seed {seed}")
    url = str(tmp_path / "state.db") if backend == "sqlite" else request.getfixturevalue("postgres_url")
    if backend == "sqlite":
        DeploymentDatabase(url).close()
    running = {_process(url, ROUNDS, tmp_path, seed + i): ROUNDS for i in range(PROCESSES)}
    died = 0
    try:
        while running:
            process = next((p for p in running if p.poll() is not None), None)
            if process is None:
                time.sleep(0.01)
                continue
            rounds_ = running.pop(process)
            assert process.returncode in (0, rounds.DIED), (
                f"exit {process.returncode} (8: two holders), seed {seed}"
            )
            done = len(_tokens_of(tmp_path, process.pid))
            if process.returncode == rounds.DIED and done < rounds_:
                died += 1
                running[_process(url, rounds_ - done, tmp_path, seed + 1000 * died)] = rounds_ - done
    finally:
        for process in running:
            process.kill()
    tokens = _tokens(tmp_path)
    assert len(tokens) == PROCESSES * ROUNDS
    assert len(set(tokens)) == len(tokens), "a token was given twice"
    tally(rounds=len(tokens), died_with_it=died)


def _tokens_of(folder: Path, pid: int) -> list[str]:
    file = folder / f"tokens-{pid}"
    return file.read_text().split() if file.exists() else []


def _own_writes(seen: list[Seen]) -> list[Seen]:
    return [s for s in seen if s.writes and not s.lease and "sbkube" in s.agent and "reviews" not in s.path]


class _Sleeper:
    """A run that is stopped while its Nth write is under way, and the write itself held back."""

    def __init__(self, case: Case, number: int) -> None:
        self.case = case
        self.number = number
        self.met = 0
        self.go = asyncio.Event()
        case.guard.hold = self._hold
        self.started = case.start("apply", "-y")

    def _hold(self, seen: Seen) -> object:
        if not (_own_writes([seen]) and seen.agent):
            return None
        self.met += 1
        if self.met != self.number:
            return None
        os.kill(self.started.pid, signal.SIGSTOP)
        return self.go.wait()

    def wait(self) -> bool:
        """Until it sleeps; False if it never came so far."""
        deadline = time.monotonic() + 30
        while self.met < self.number and time.monotonic() < deadline:
            time.sleep(0.01)
        while self.met >= self.number and _in_a_transaction(self.case.database):
            # Nobody else can write to the SQLite file then, lock or no lock.
            assert time.monotonic() < deadline
            os.kill(self.started.pid, signal.SIGCONT)
            time.sleep(0.01)
            os.kill(self.started.pid, signal.SIGSTOP)
        return self.met >= self.number

    def wake(self) -> int:
        """Let the write through and the process go on; its exit code."""
        self.case.sandbox.act(lambda api: self.go.set())
        time.sleep(0.2)
        os.kill(self.started.pid, signal.SIGCONT)
        return self.started.wait().code


def _in_a_transaction(file: Path) -> bool:
    """Somebody is in the middle of a write to a SQLite database."""
    with closing(sqlite3.connect(file, timeout=0.2, isolation_level=None)) as conn:
        try:
            conn.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
        conn.execute("rollback")
        return False


def _asleep(stage: Stage, number: int) -> list[str]:
    """One run that sleeps past the end of its lock, while another one does its own."""
    with stage.case("A") as case:
        case.extra = {"SBKUBE_LOCK_SECONDS": str(SECONDS)}
        sleeper = _Sleeper(case, number)
        assert sleeper.wait(), f"there is no write number {number}"
        shop.write(stage.project, "C")
        try:
            other = case.run("apply", "-y", "--wait-for-lock", "60s")
        finally:
            shop.write(stage.project, "B")
        successor, count = case.content(), len(case.guard.seen)
        code = sleeper.wake()
        bad = [] if other.code == 0 else [f"the successor: exit {other.code}: {other.err[-1000:]}"]
        bad += [] if code == 1 else [f"the sleeper: exit {code}"]
        late = _own_writes(case.guard.seen[count:])
        begun = [s for s in late if s.code == 409]
        if len(begun) < WORKERS:  # beside the one held back, each worker may have been about to send one
            late = [s for s in late if s not in begun]
        bad += [f"a new request after waking: {s.method} {s.path} ({s.code})" for s in late]
        bad += [f"overwritten by the sleeper: {text}" for text in agreement.differences(successor, case.content())]
        return bad + case.disagreements()


def test_a_holder_that_slept_too_long_does_nothing_any_more(stage: Stage, tally: Tally) -> None:
    """It starts no new request; those that were under way cannot overwrite what its successor left."""
    failures = []
    for number in spread(range(1, 9), 1):
        bad = _asleep(stage, number)
        tally(sleepers=1, failures=int(bool(bad)))
        failures += [f"at write {number}: {text}" for text in bad]
    assert not failures, "\n\n".join(failures)


def test_a_second_laptop_catches_up_before_it_takes_anything_away(stage: Stage) -> None:
    """Its older database does not know the newest deployment: it neither prunes nor rolls back."""
    with stage.case("B") as case:
        newer = case.folder / "newer"
        case.ok("state", "export", str(newer))
        for file in case.state.iterdir():
            file.unlink()
        for file in (stage.folder / "A" / "state").iterdir():
            shutil.copy(file, case.state)
        before = case.content()
        rolled = case.run("rollback", "-y")
        assert rolled.code in (3, 5), rolled.err
        assert "import" in rolled.err and agreement.differences(before, case.content()) == []
        shop.write(stage.project, "C", without=("back",))
        try:
            first = case.run("apply", "-y")
            assert ("ConfigMap", "shop", "kept") in case.content(), "it has pruned"
            assert "import" in first.err + first.out
            case.ok("state", "import", str(newer))
            case.ok("apply", "-y")
        finally:
            shop.write(stage.project, "B")
        assert ("ConfigMap", "shop", "kept") not in case.content()
        assert case.disagreements() == []
