"""May an object be deleted and made anew, because a field of it cannot be changed?

`sbkube.dev/recreate` on an object says so: `never`, `when-safe` or `always`. Jobs are `when-safe` by default, all
else `never`. Safe is what holds no data and, for a Job, does no work right now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbkube.plan import labels, order

ANNOTATION = "sbkube.dev/recreate"
POLICIES = ("never", "when-safe", "always")


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether it may be recreated; if not, why not and the way out."""

    allowed: bool
    reason: str = ""
    hint: str = ""


def ruling(desired: Mapping[str, Any], live: Mapping[str, Any], *, ours: bool) -> Ruling:
    """Judge one object. `ours`: the live one is known to be this project's."""
    given = _annotations(desired).get(ANNOTATION)
    if given is not None and given not in POLICIES:
        return Ruling(False, f"{ANNOTATION} is {given!r}", f"it must be one of {', '.join(POLICIES)}")
    policy = given or ("when-safe" if desired.get("kind") == "Job" else "never")
    if labels.kept(live):
        return Ruling(False, "an annotation on it says that it must not be deleted", "delete it yourself first")
    if not ours and given is None:
        return Ruling(
            False, "it was not created by this project", f"delete it, or annotate it {ANNOTATION}: always"
        )
    if policy == "always":
        return Ruling(True)
    if policy == "never":
        return Ruling(
            False, "", f"delete the object first, or let it be recreated: {ANNOTATION}: {_consent(desired)}"
        )
    if unsafe := _unsafe(live):
        return Ruling(False, unsafe, f"{ANNOTATION}: always recreates it all the same")
    return Ruling(True)


def _consent(desired: Mapping[str, Any]) -> str:
    return "always (its data may be lost)" if holds_data(desired) else "when-safe"


def holds_data(body: Mapping[str, Any]) -> bool:
    """Deleting the object may lose data, or takes others along."""
    claims = (body.get("spec") or {}).get("volumeClaimTemplates")
    return body.get("kind") in order.DATA_BEARING or bool(claims)


def _unsafe(live: Mapping[str, Any]) -> str:
    if holds_data(live):
        return "it may hold data"
    if live.get("kind") == "Job" and (live.get("status") or {}).get("ready"):
        return "the Job is at work"
    return ""


def _annotations(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return (body.get("metadata") or {}).get("annotations") or {}
