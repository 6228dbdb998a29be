"""`--wait-for-lock`: while somebody else deploys, wait; and plan anew on top of what he has done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    from sbkube.api import patience

    if session.options.dry_run:
        return go()

    def members() -> Iterator[Project]:
        return (member.project for member in session.members(project))

    return patience.patiently(members, seconds(lock_wait) if lock_wait else 0, go)
