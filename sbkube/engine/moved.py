"""What others have made of an object since we left it: only what we set counts, and who changed it is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sbkube.errors import Problem
from sbkube.models.plan import Cause, FieldChange
from sbkube.models.resource import ResourceKey
from sbkube.plan import classify
from sbkube.plan.labels import MANAGER

Body = Mapping[str, Any]
LOOK = "look at it, then use --force"


def fields_moved(left: Body, live: Body, manager: str) -> tuple[FieldChange, ...]:
    """Fields that `manager` owned in the object as it was left and that have another value now.

    Controllers write into every object, so what others own is no matter; nor is what belongs to an autoscaler, or
    what we wrote by another way than apply (labels on objects of Helm).
    """
    ours = {manager, MANAGER}
    found = classify.moved_since(left, live, manager)
    return tuple(c for c in found if c.manager not in ours and not classify.left_to_owner(c, ours))


def why_moved(key: ResourceKey, left: Body | None, live: Body | None, manager: str) -> Problem | None:
    """What stands in the way of putting an object back, or None. `left` is None where we had deleted it."""
    if left is None:
        return None if live is None else Problem(f"{key} exists again{_created(live)}", None, LOOK)
    if live is None:
        return Problem(f"{key} was deleted by somebody since", None, "--force makes it anew")
    if _uid(left) and _uid(live) != _uid(left):
        return Problem(f"{key} was replaced by another of its name{_created(live)}", None, LOOK)
    fields = fields_moved(left, live, manager)
    if not fields:
        return None
    return Problem(f"{key} was changed since: {described(fields)}", None, LOOK)


def described(fields: Sequence[FieldChange]) -> str:
    """`spec.replicas by kubectl-edit at 2026-05-01T12:00:00Z, …`: never values, they may be secret."""
    parts = []
    for change in fields:
        who = f" by {change.manager}" if change.manager else " by somebody"
        when = f" at {change.time}" if change.time else ""
        parts.append(f"{change.path}{who}{when}")
    return ", ".join(parts)


def marked(fields: Sequence[FieldChange], moved: Sequence[FieldChange]) -> tuple[FieldChange, ...]:
    """The changes of a plan, those marked as drift that take back what others did."""
    foreign = {change.path for change in moved}
    return tuple(replace(c, cause=Cause.DRIFT) if c.path in foreign else c for c in fields)


def _created(live: Body) -> str:
    meta = live.get("metadata") or {}
    managers = [str(e.get("manager")) for e in meta.get("managedFields") or () if e.get("manager")]
    who = f" by {managers[0]}" if managers else ""
    return f" (made{who} at {meta.get('creationTimestamp', 'an unknown time')})"


def _uid(body: Body) -> str:
    return str((body.get("metadata") or {}).get("uid", ""))
