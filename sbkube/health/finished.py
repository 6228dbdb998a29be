"""Whether something that is meant to end has ended: Jobs and Pods that run as Helm's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from sbkube.health.conditions import holds, section


class Ending(Enum):
    """How far it is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_PHASES = {"Succeeded": Ending.SUCCEEDED, "Failed": Ending.FAILED}


def ending(body: Mapping[str, Any]) -> Ending:
    """Jobs by their conditions, Pods by their phase; whatever else has been created has succeeded, as for Helm.

    Source: Helm's `kube.Waiter.WatchUntilReady`.
    """
    match body.get("kind"):
        case "Job":
            if holds(body, "Failed"):
                return Ending.FAILED
            return Ending.SUCCEEDED if holds(body, "Complete") else Ending.RUNNING
        case "Pod":
            return _PHASES.get(str(section(body, "status").get("phase")), Ending.RUNNING)
    return Ending.SUCCEEDED
