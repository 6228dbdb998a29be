"""How every state looks: a mark and a style each. The one place where that is decided."""

from __future__ import annotations

from collections.abc import Mapping

from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.drift import DriftState
from sbkube.models.health import HealthStatus
from sbkube.models.outcome import OpState
from sbkube.models.plan import Effect

Look = tuple[str, str]  # mark, and a style that `Ink.paint` knows

DEPLOYMENTS: Mapping[DeploymentStatus, Look] = {
    DeploymentStatus.SUCCESS: ("✓", "green"),
    DeploymentStatus.FAILED: ("✗", "red"),
    DeploymentStatus.PARTIALLY_FAILED: ("✗", "red"),
    DeploymentStatus.ROLLED_BACK: ("!", "yellow"),
    DeploymentStatus.INTERRUPTED: ("!", "yellow"),
    DeploymentStatus.IN_PROGRESS: ("…", "cyan"),
    DeploymentStatus.PENDING: ("-", "dim"),
}
OPERATIONS: Mapping[OpState, Look] = {
    OpState.APPLIED: ("✓", "green"),
    OpState.FAILED: ("✗", "red"),
    OpState.INTENDED: ("…", "yellow"),
    OpState.SUPERSEDED: ("»", "dim"),
    OpState.ABANDONED: ("-", "dim"),
}
EFFECTS: Mapping[Effect, Look] = {
    Effect.CREATE: ("+", "green"),
    Effect.CHANGE: ("~", "yellow"),
    Effect.DELETE: ("-", "red"),
    Effect.RECREATE: ("±", "red"),
    Effect.UNKNOWN: ("?", "yellow"),
    Effect.UNCHANGED: ("=", "dim"),
}
HEALTH: Mapping[HealthStatus, Look] = {
    HealthStatus.READY: ("●", "green"),
    HealthStatus.IN_PROGRESS: ("◐", "yellow"),
    HealthStatus.FAILED: ("✗", "red"),
    HealthStatus.TERMINATING: ("◌", "yellow"),
    HealthStatus.MISSING: ("✗", "red"),
    HealthStatus.UNKNOWN: ("?", "dim"),
}
DRIFT: Mapping[DriftState, Look] = {
    DriftState.CHANGED: ("~", "yellow"),
    DriftState.MISSING: ("-", "red"),
    DriftState.REPLACED: ("±", "red"),
    DriftState.UNKNOWN: ("?", "dim"),
}
EVENTS: Mapping[str, str] = {"warning": "yellow", "command.output": "dim"}  # all others tell of a failure: red
