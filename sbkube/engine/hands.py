"""What actions work with, and what they have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ClusterError
from sbkube.models.outcome import ObjectImages
from sbkube.models.plan import Operation
from sbkube.models.release import ReleaseRecord
from sbkube.models.resource import ResourceKey
from sbkube.ports import CancelToken, Lock

TRIES = 5


@dataclass(frozen=True, slots=True)
class Hands:
    """What an action needs: the world, the lock that is checked before each request, and the stop sign."""

    world: Surroundings
    lock: Lock
    cancel: CancelToken
    deployment: str = ""  # public id of the deployment that is running
    command: str = ""  # what the user called: apply, rollback …


@dataclass(frozen=True, slots=True)
class Done:
    """What an action saw and left."""

    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    release: ReleaseRecord | None = None
    previous: ReleaseRecord | None = None
    objects: tuple[ObjectImages, ...] = ()
    note: str = ""
    reason: str = ""  # why something that went on is still worth a warning
    output: str = ""


def planned_before(operation: Operation) -> Mapping[str, Any] | None:
    """The live object that the plan was made against."""
    return operation.changes[0].before if operation.changes and operation.key else None


def key_of(operation: Operation) -> ResourceKey:
    """The object that an operation is about."""
    assert operation.key is not None, operation.id
    return operation.key


def until_gone(operation: Operation, hands: Hands, key: ResourceKey) -> None:
    """Until an object is gone or another has its name; raises ClusterError after the operation's timeout."""
    clock = hands.world.clock
    deadline = clock.monotonic() + operation.timeout
    while (live := hands.world.cluster.get(key)) is not None and live["metadata"].get("uid") == operation.uid:
        if hands.cancel.wait(0.1) or clock.monotonic() > deadline:
            held = ", ".join(live["metadata"].get("finalizers") or ())
            why = f"; finalizers hold it: {held}" if held else ""
            raise ClusterError(
                f"{key} is still being deleted{why}",
                code=409,
                reason="Terminating",
                hint="see that what sets the finalizer runs; it is gone as soon as that has done its work",
            )
