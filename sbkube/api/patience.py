"""Waiting while somebody else deploys, and planning anew on top of what he has done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from sbkube.errors import PlanOvertaken, StateLocked

if TYPE_CHECKING:
    from sbkube.api.running import Running

T = TypeVar("T")


def patiently(members: Callable[[], Iterable[Running]], seconds: float, go: Callable[[], T]) -> T:
    """Settle what was interrupted in all members, then `go`, which plans and carries out; gives what it gave.

    It goes again while others are quicker; when `seconds` are over, StateLocked names who has the lock.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            for member in members():
                member.wait_for_lock(max(0.0, deadline - time.monotonic()))
                member.settle()
            return go()
        except (StateLocked, PlanOvertaken):
            if time.monotonic() >= deadline:
                raise
