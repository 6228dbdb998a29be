"""What came of an operation, and the messages that a run emits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sbkube.models.health import Culprit
from sbkube.models.release import ReleaseRecord
from sbkube.models.resource import ResourceKey


class OpState(StrEnum):
    """Life of an operation in the journal. Only `INTENDED` is open; all others are final."""

    INTENDED = "intended"
    APPLIED = "applied"
    FAILED = "failed"
    SUPERSEDED = "superseded"  # another run did or undid it
    ABANDONED = "abandoned"  # was never begun, or was cut off and must not be repeated

    @property
    def open(self) -> bool:
        """Nobody knows yet what came of it."""
        return self is OpState.INTENDED


@dataclass(frozen=True, slots=True)
class ObjectImages:
    """One object of a release, before and after a Helm action (None: absent)."""

    key: ResourceKey
    before: Mapping[str, Any] | None = field(default=None, repr=False)
    after: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one operation. `after` is the live object as the server answered; times are aware UTC.

    For Helm operations `previous` and `release` are the newest revision before and after the action.
    """

    operation: str
    state: OpState
    started: datetime
    ended: datetime
    before: Mapping[str, Any] | None = field(default=None, repr=False)
    after: Mapping[str, Any] | None = field(default=None, repr=False)
    reason: str = ""
    message: str = ""
    culprit: Culprit | None = None
    release: ReleaseRecord | None = None
    previous: ReleaseRecord | None = None
    objects: tuple[ObjectImages, ...] = ()
    output: str = field(default="", repr=False)  # of a command

    @property
    def ok(self) -> bool:
        """The operation did what it should."""
        return self.state is OpState.APPLIED


@dataclass(frozen=True, slots=True)
class Event:
    """A message while something runs. `kind` is a stable word: `deployment.started`, `app.started`,
    `operation.started`, `operation.ended`, `wait.progress`, `app.ended`, `deployment.ended`, `warning`; while
    planning `app.compared`, whose `data` says of how many. The `data` of `wait.progress` has a line for each
    object that is not ready."""

    kind: str
    time: datetime
    app: str = ""
    subject: str = ""
    status: str = ""
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
