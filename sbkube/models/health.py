"""What the readiness rules say about one object."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HealthStatus(StrEnum):
    """The words of kstatus, plus `unknown`."""

    READY = "ready"
    IN_PROGRESS = "in_progress"
    FAILED = "failed"
    TERMINATING = "terminating"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """Status of an object; `reason` is a short CamelCase word, `message` a sentence for people."""

    status: HealthStatus
    reason: str = ""
    message: str = ""

    @property
    def ready(self) -> bool:
        """Nothing more to wait for."""
        return self.status is HealthStatus.READY

    @property
    def failed(self) -> bool:
        """Waiting longer will not help."""
        return self.status is HealthStatus.FAILED


@dataclass(frozen=True, slots=True)
class Culprit:
    """The object at the bottom of a failure: a pod, a container's reason, its last events and log lines."""

    subject: str
    reason: str
    message: str
    events: tuple[str, ...] = ()
    log: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line that names the reason, then the culprit: where it is cut, the reason is still read."""
        tail = f": {self.message}" if self.message else ""
        return f"{self.reason}: {self.subject}{tail}"
