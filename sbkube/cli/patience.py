"""`--wait-for-lock`: while somebody else deploys, wait; and plan anew on top of what he has done."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sbkube.cli.durations import seconds
from sbkube.cli.session import Session

if TYPE_CHECKING:
    from sbkube.api import Project


def patiently(session: Session, project: Project, lock_wait: str | None, go: Callable[[], int]) -> int:
    """Settle what was interrupted, then `go`, which plans and carries out; gives the exit code.

    A dry run neither waits nor settles. With a wait (`5m`) it goes again while others are quicker; without one,
    and when the time is over, StateLocked names who has the lock.
    """
    from sbkube.errors import PlanOvertaken, StateLocked

    if session.options.dry_run:
        return go()
    deadline = time.monotonic() + (seconds(lock_wait) if lock_wait else 0)
    while True:
        try:
            for member in session.members(project):
                member.project.wait_for_lock(max(0.0, deadline - time.monotonic()))
                member.project.settle()
            return go()
        except (StateLocked, PlanOvertaken):
            if time.monotonic() >= deadline:
                raise
