"""A deployment with as much of it as one page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sbkube.models.deployment_state import DeploymentDetail, ResourceRecord


@dataclass(frozen=True, slots=True)
class Outline:
    """`detail` has the first of the objects only, those that were not applied before all others. `objects` tells
    how many each app has. `timed` are, without images, the first of those that were begun, app by app and in the
    order of time; `untold` is how many more there are."""

    detail: DeploymentDetail
    objects: Mapping[str, int] = field(default_factory=dict)
    timed: tuple[ResourceRecord, ...] = ()
    untold: int = 0
