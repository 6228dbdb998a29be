"""The status that a CustomResourceDefinition gets: its names are accepted and it is established at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def establish(new: Json, old: Json | None) -> None:
    """Writes accepted names, stored versions and the two conditions into `new`."""
    spec = new.get("spec") or {}
    names = spec.get("names") or {}
    status = dict((old or {}).get("status") or {})
    status["acceptedNames"] = dict(names)
    stored = list(status.get("storedVersions") or [])
    named = [v.get("name", "") for v in spec.get("versions") or () if v.get("storage")]
    stored += [n for n in named if n not in stored]
    status["storedVersions"] = stored
    if not status.get("conditions"):
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        texts = (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
        status["conditions"] = [
            {"type": t, "status": "True", "lastTransitionTime": now, "reason": r, "message": m}
            for t, r, m in texts
        ]
    new["status"] = status
