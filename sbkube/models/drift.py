"""What others changed of a project since we last wrote to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from sbkube.models.plan import FieldChange
from sbkube.models.resource import ClusterInfo, ResourceKey


class DriftState(StrEnum):
    """What became of something that we left."""

    CHANGED = "changed"
    MISSING = "missing"  # deleted by somebody
    REPLACED = "replaced"  # deleted, and made again by somebody
    UNKNOWN = "unknown"  # cannot be told: not readable, or what we left cannot be decrypted here


@dataclass(frozen=True, slots=True)
class ObjectDrift:
    """One object that is not as we left it; `fields` go from the value that we left to the one now."""

    key: ResourceKey
    state: DriftState
    fields: tuple[FieldChange, ...] = field(default=(), repr=False)
    note: str = ""
    deployment_id: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseDrift:
    """A Helm release that is not as we left it; `notes` say in what."""

    name: str
    namespace: str
    state: DriftState
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppDrift:
    """One app with what of it is not as we left it, and the number of objects that were looked at."""

    name: str
    looked_at: int
    objects: tuple[ObjectDrift, ...] = ()
    releases: tuple[ReleaseDrift, ...] = ()

    @property
    def states(self) -> tuple[DriftState, ...]:
        """What became of each thing that is not as we left it."""
        return tuple(o.state for o in self.objects) + tuple(r.state for r in self.releases)


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What others changed of a project on a cluster. `parts` are the reports of all projects of a family."""

    cluster: ClusterInfo
    project: str
    namespace: str
    apps: tuple[AppDrift, ...]
    parts: tuple[DriftReport, ...] = ()

    @property
    def each(self) -> tuple[DriftReport, ...]:
        """One report per project, also where there is only one."""
        return self.parts or (self,)

    @property
    def drifted(self) -> bool:
        """Something is known to be different; what cannot be told does not count."""
        return any(state is not DriftState.UNKNOWN for state in self._states())

    @property
    def untold(self) -> int:
        """How much cannot be told."""
        return sum(state is DriftState.UNKNOWN for state in self._states())

    def _states(self) -> Iterator[DriftState]:
        return (state for report in self.each for app in report.apps for state in app.states)
