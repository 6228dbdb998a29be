"""What was found in a cluster without any record of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sbkube.models.release import ReleaseRecord
from sbkube.models.resource import ResourceKey


@dataclass(frozen=True, slots=True)
class FoundObject:
    """A live object of an app; `desired` is what sbkube owns of it, None where it belongs to a Helm release."""

    key: ResourceKey
    body: Mapping[str, Any] = field(repr=False)
    desired: Mapping[str, Any] | None = field(default=None, repr=False)
    helm: bool = False


@dataclass(frozen=True, slots=True)
class FoundApp:
    """An app with what was found of it."""

    name: str
    type: str
    namespace: str
    objects: tuple[FoundObject, ...]
    release: ReleaseRecord | None = None
