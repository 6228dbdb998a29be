"""Locks that wait for their turn stay alive, and a lost one says so only when its turn comes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sbkube.engine import heartbeats
from sbkube.engine.heartbeats import Heartbeats
from sbkube.errors import LockLost


class Lock:
    """A lock whose heartbeat is always due."""

    renewal_due = True

    def __init__(self, *, lost: bool = False) -> None:
        self.beats = 0
        self.beaten = threading.Event()
        self._lost = lost

    def renew(self) -> None:
        self.beats += 1
        self.beaten.set()
        if self._lost:
            raise LockLost("it is gone")


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "_LOOK", 0.01)


def test_a_lock_is_renewed_until_it_is_taken() -> None:
    lost, first, second = Lock(lost=True), Lock(), Lock()
    locks: list[Any] = [lost, first, second]
    with Heartbeats(locks) as beats:
        assert first.beaten.wait(10) and second.beaten.wait(10)
        beats.take(locks[1])
        taken = first.beats
        second.beaten.clear()
        assert second.beaten.wait(10)
        assert first.beats == taken
    ended = second.beats
    assert not any(thread.name == "sbkube-heartbeats" for thread in threading.enumerate())
    assert second.beats == ended
