"""What a project had in its cluster at some moment of its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sbkube.models.resource import ResourceKey


@dataclass(frozen=True, slots=True)
class ReleaseThen:
    """A release as a deployment left it; `values` are None where they cannot be decrypted here."""

    chart: str
    version: str
    revision: int
    values: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Then:
    """What was there when a deployment had ended. `hidden` are objects whose images cannot be decrypted here."""

    deployment_id: str
    objects: Mapping[ResourceKey, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    releases: Mapping[str, ReleaseThen] = field(default_factory=dict)
    hidden: frozenset[ResourceKey] = frozenset()
