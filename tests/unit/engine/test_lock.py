"""The lock of a run: what it believes of its own life, and how long it waits for the Lease."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sbkube.engine.lock import RunLock
from sbkube.errors import ClusterUnreachable, LockLost, StateLocked
from sbkube.models.deployment_state import LockInfo, LockTarget

TARGET = LockTarget("shop", "uid-1", "shop")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Ledger:
    """A row that is always ours; `during` happens while it is written."""

    def __init__(self, seconds: int) -> None:
        self.info = LockInfo(TARGET, "anna", "laptop", 1, "apply", NOW, NOW + timedelta(seconds=seconds), 1)
        self.during: Callable[[], None] = lambda: None
        self.renewed = 0
        self.released = False

    def acquire(self, target: LockTarget, command: str, *, wait: float = 0) -> LockInfo:
        self.during()
        return self.info

    def renew(self, lock: LockInfo) -> LockInfo:
        self.renewed += 1
        self.during()
        return replace(lock)

    def release(self, lock: LockInfo) -> None:
        self.released = True

    def closing_hash(self, deployment_id: str) -> str:
        return ""


class Leases:
    """A Lease that somebody else holds for so many looks."""

    def __init__(self, clock: Clock, refusals: int) -> None:
        self.clock = clock
        self.refusals = refusals
        self.taken = False

    def acquire(self, *_: Any) -> int:
        if self.refusals:
            self.refusals -= 1
            self.clock.seconds += 1
            raise StateLocked("locked by anna")
        self.taken = True
        return 1

    def read(self, *_: Any) -> None:
        """Nobody has left a word on it."""

    def renew(self, *_: Any) -> None:
        pass

    def release(self, *_: Any) -> None:
        raise ClusterUnreachable("nobody answers")


def _lock(ledger: Ledger, clock: Clock, leases: Any = None, wait: float = 0) -> RunLock:
    world: Any = SimpleNamespace(ledger=ledger, leases=leases, clock=clock, emit=lambda *_, **__: None)
    return RunLock(world, TARGET, "apply", wait=wait)


def test_it_lives_as_long_as_its_row() -> None:
    clock = Clock()
    lock = _lock(Ledger(10), clock)
    clock.seconds += 9
    lock.check()
    clock.seconds += 2
    with pytest.raises(LockLost):
        lock.check()


def test_being_stopped_while_the_heartbeat_is_sent_counts() -> None:
    clock, ledger = Clock(), Ledger(10)
    lock = _lock(ledger, clock)

    def stopped() -> None:
        clock.seconds += 60

    ledger.during = stopped
    lock.renew()
    with pytest.raises(LockLost):
        lock.check()


def test_being_stopped_while_the_lock_is_taken_counts() -> None:
    clock, ledger = Clock(), Ledger(10)

    def stopped() -> None:
        clock.seconds += 60

    ledger.during = stopped
    lock = _lock(ledger, clock)
    with pytest.raises(LockLost):
        lock.check()


def test_waiting_for_the_row_does_not_make_the_lock_shorter() -> None:
    clock, ledger = Clock(), Ledger(10)

    def waited() -> None:
        clock.seconds += 60
        ledger.during = lambda: None

    ledger.during = waited
    lock = _lock(ledger, clock, wait=100)
    lock.check()
    assert ledger.renewed == 1


def test_the_lease_is_waited_for_too_with_the_row_kept_alive() -> None:
    clock, ledger = Clock(), Ledger(3)
    leases = Leases(clock, 4)
    lock = _lock(ledger, clock, leases, wait=10)
    lock.attach()
    assert leases.taken and ledger.renewed > 1
    lock.check()


def test_a_held_lease_is_refused_at_once_when_nobody_wants_to_wait() -> None:
    clock = Clock()
    with pytest.raises(StateLocked):
        _lock(Ledger(10), clock, Leases(clock, 1)).attach()


def test_the_row_is_given_up_even_when_the_lease_cannot_be() -> None:
    clock, ledger = Clock(), Ledger(10)
    lock = _lock(ledger, clock, Leases(clock, 0))
    lock.attach()
    lock.release()
    assert ledger.released
