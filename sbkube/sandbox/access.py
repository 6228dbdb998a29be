"""What a request asks for beside its object, and the selectors of a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Options:
    """How to write.

    `manager`: the field manager; `validation`: Ignore, Warn or Strict; `repeated`: paths of members that the body
    has twice; `warnings` is filled by the API.
    """

    manager: str = "sandbox-controller"
    dry_run: bool = False
    force: bool = False
    validation: str = "Warn"
    repeated: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Deletion:
    """DeleteOptions, read: `propagation` is Background, Foreground, Orphan or "" (the kind's default)."""

    propagation: str = ""
    grace: int | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False

    @staticmethod
    def of(body: Json, query: Mapping[str, str]) -> Deletion:
        """From a DeleteOptions body and query values (the body wins)."""
        pre = body.get("preconditions") or {}
        propagation = body.get("propagationPolicy") or query.get("propagationPolicy", "")
        orphan = body.get("orphanDependents")
        if not propagation and orphan is not None:
            propagation = "Orphan" if orphan else "Background"
        grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
        return Deletion(
            propagation=str(propagation),
            grace=None if grace is None else int(grace),
            uid=pre.get("uid") or "",
            resource_version=pre.get("resourceVersion") or "",
            dry_run=bool(body.get("dryRun") or query.get("dryRun")),
        )
