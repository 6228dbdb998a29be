"""Heartbeats for locks whose holders wait for their turn: those who work renew their own."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress

from sbkube.engine.lock import RunLock
from sbkube.errors import ClusterError, LockLost, StateError, SurroundingsError

_LOOK = 0.5  # seconds between two looks at the clock


class Heartbeats:
    """Renews locks in a thread of its own, until each is taken out. Use it as a context manager."""

    def __init__(self, locks: Iterable[RunLock]) -> None:
        self._waiting = list(locks)
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="sbkube-heartbeats", daemon=True)

    def __enter__(self) -> Heartbeats:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def take(self, lock: RunLock) -> None:
        """From now on its holder renews it."""
        with self._guard:
            self._waiting.remove(lock)

    def _beat(self) -> None:
        while not self._over.wait(_LOOK):
            with self._guard:
                for lock in self._waiting:
                    # A lock that is lost says so when its turn comes.
                    with suppress(LockLost, StateError, SurroundingsError, ClusterError):
                        if lock.renewal_due:
                            lock.renew()
