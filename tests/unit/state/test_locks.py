"""The lock row, also against other processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from sbkube.errors import LockLost, StateLocked
from sbkube.models.deployment_state import LockTarget
from sbkube.state.locks import process_start
from sbkube.state.tracker import DeploymentTracker

TAKE = """
import sys
from sbkube.models.deployment_state import LockTarget
from sbkube.state.tracker import DeploymentTracker
lock = DeploymentTracker(sys.argv[1]).acquire(LockTarget("shop", "uid-1", "default"), "apply elsewhere")
print(lock.token, flush=True)
sys.stdin.read()
"""


def other_process(file):
    return subprocess.Popen(
        [sys.executable, "-c", TAKE, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_lock_names_who_has_it(tracker, target):
    lock = tracker.acquire(target, "sbkube apply")
    assert (lock.pid, lock.command, lock.target) == (os.getpid(), "sbkube apply", target)
    assert lock.expires - lock.acquired == timedelta(seconds=30)
    with pytest.raises(StateLocked) as caught:
        tracker.acquire(target, "again")
    for part in (lock.holder, lock.host, str(lock.pid), "sbkube apply", " s"):
        assert part in caught.value.message
    assert caught.value.exit_code == 5


def test_other_targets_are_free(tracker, target):
    tracker.acquire(target, "a")
    tracker.acquire(LockTarget("shop", "uid-1", "other"), "b")
    tracker.acquire(LockTarget("shop", "uid-2", "default"), "c")


def test_tokens_only_grow(tracker, target):
    first = tracker.acquire(target, "a")
    tracker.release(first)
    second = tracker.acquire(target, "b")
    assert second.token == first.token + 1
    tracker.release(first)
    assert tracker.holder(target) == second
    with pytest.raises(LockLost):
        tracker.renew(first)


def test_a_heartbeat_moves_the_expiry(tracker, target):
    lock = tracker.acquire(target, "a")
    time.sleep(0.01)
    assert tracker.renew(lock).expires > lock.expires


def test_an_expired_lock_may_be_taken(database, target):
    tracker = DeploymentTracker(database, lease_seconds=0)
    first = tracker.acquire(target, "a")
    assert tracker.acquire(target, "b").token == first.token + 1


def test_waiting_takes_the_lock_when_it_is_given_up(tracker, target):
    first = tracker.acquire(target, "a")
    timer = threading.Timer(0.3, tracker.release, [first])
    timer.start()
    assert tracker.acquire(target, "b", wait=5).token == first.token + 1
    timer.join()


def test_only_one_of_many_threads_gets_it(tracker, target):
    won, lost = [], []

    def work():
        try:
            won.append(tracker.acquire(target, "a"))
        except StateLocked as error:
            lost.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_dead_process_of_this_machine_keeps_no_lock(file, tracker, target):
    child = other_process(file)
    token = int(child.stdout.readline())
    with pytest.raises(StateLocked, match="apply elsewhere"):
        tracker.acquire(target, "mine")
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert tracker.acquire(target, "mine").token == token + 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_reused_pid_is_another_process(tracker, target, database):
    tracker.acquire(target, "a")
    with database.writing() as conn:
        conn.execute(text("UPDATE locks SET pid_started = '1'"))
    tracker.acquire(target, "b")


def test_a_pid_of_another_machine_proves_nothing(tracker, target, database):
    tracker.acquire(target, "a")
    with database.writing() as conn:
        conn.execute(text("UPDATE locks SET host = 'elsewhere', pid_started = '1'"))
    with pytest.raises(StateLocked, match="elsewhere"):
        tracker.acquire(target, "b")


def test_a_process_that_is_gone_has_no_start():
    assert process_start(2**22 + 1) == ""
