"""Whose doing a difference is: ours, drift, or another manager's; and what the policy makes of it.

Planning always sees the answer of a *forced* dry run, so that every conflicting field shows up as a difference.
What is then really forced is decided here, field by field.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sbkube.models.plan import Cause, FieldChange
from sbkube.plan import diff, fieldset
from sbkube.plan.labels import MANAGER

# Who scales by `spec.replicas`: the horizontal autoscaler runs inside the controller manager.
_SCALERS = frozenset({"kube-controller-manager", "horizontal-pod-autoscaler"})
_SCALED, _INJECTED = "spec.replicas", "caBundle"


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger knows of an object: whether we applied it, and at which paths it was `moved` since by others
    (None: the images cannot be read, so nobody can tell). At `reordered` only the order of a list has changed."""

    recorded: bool = False
    moved: frozenset[str] | None = None
    reordered: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Field changes with their causes; `conflicts` may not be overwritten, `left` must not be sent at all."""

    fields: tuple[FieldChange, ...]
    conflicts: tuple[FieldChange, ...] = ()
    left: tuple[FieldChange, ...] = ()

    @property
    def force(self) -> bool:
        """Some field belongs to another manager and is ours to take (back)."""
        return any(f.cause is not Cause.OURS for f in self.fields)

    @property
    def taken(self) -> tuple[FieldChange, ...]:
        """Fields of others that we take because that was consented to."""
        return tuple(f for f in self.fields if f.cause is Cause.THEIRS)


def classify(
    changes: Sequence[FieldChange],
    past: Past,
    *,
    force: bool,
    manager: str = MANAGER,
    predecessors: Iterable[str] = (),
    unasked: Collection[str] = (),
) -> Verdict:
    """Judge every difference of one object.

    `force` is the project's consent to take over fields. What `predecessors` own is taken over without a word:
    their ownership is migrated to us in the same plan. `unasked` are paths that we do not send: a webhook answers
    an apply with changes there, so nothing can conflict.
    """
    ours = {"", manager, *predecessors}
    kept: list[FieldChange] = []
    conflicts: list[FieldChange] = []
    left: list[FieldChange] = []
    for change in changes:
        if _moved(change, past, ours):
            kind = left if left_to_owner(change, ours) else kept
            kind.append(replace(change, cause=Cause.DRIFT if kind is kept else Cause.THEIRS))
        elif change.manager in ours or change.after is None or change.path in unasked:
            # What only goes away belongs to nobody else, or the server would have kept it.
            kept.append(change)
        elif left_to_owner(change, ours):
            left.append(replace(change, cause=Cause.THEIRS))
        else:
            (kept if force else conflicts).append(replace(change, cause=Cause.THEIRS))
    return Verdict(tuple(kept), tuple(conflicts), tuple(left))


def _moved(change: FieldChange, past: Past, ours: set[str]) -> bool:
    """Somebody changed what we had set: the live value is not the one that we left."""
    if not past.recorded:
        return False
    if past.moved is None:
        return change.manager not in ours
    if change.path in past.reordered:
        return True
    return any(_within(change.path, path) or _within(path, change.path) for path in past.moved)


def _within(path: str, outer: str) -> bool:
    return path == outer or (path.startswith(outer) and path[len(outer)] in ".[")


def left_to_owner(change: FieldChange, ours: Iterable[str] = (MANAGER,)) -> bool:
    """Fields that others are there to set: replicas by an autoscaler, CA bundles by whoever issues them."""
    if change.manager in {"", *ours}:
        return False
    if change.path == _SCALED:
        return change.manager in _SCALERS
    return change.path.rpartition(".")[2] == _INJECTED


def moved_since(
    after: Mapping[str, Any], live: Mapping[str, Any], manager: str = MANAGER
) -> tuple[FieldChange, ...]:
    """What others changed of the fields that `manager` owned right after its last write.

    `after` is the object as it was then. Each change goes from the value then to the one now, and names who set
    it. Lists that are owned as a whole are compared as a whole, so that an item added by others shows.
    """
    owned = fieldset.owned_tree(after, manager, updates=True)
    then, now = fieldset.extract(after, owned), fieldset.extract(live, owned)
    return tuple(replace(c, cause=Cause.DRIFT) for c in diff.compare(then, now, manager, owners=live))
