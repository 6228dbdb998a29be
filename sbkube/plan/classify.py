"""Whose doing a difference is: ours, drift, or another manager's; and what the policy makes of it.

Planning always sees the answer of a *forced* dry run, so that every conflicting field shows up as a difference.
What is then really forced is decided here, field by field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sbkube.models.plan import Cause, FieldChange
from sbkube.plan.labels import HELM_MANAGER, MANAGER

# Managers whose values we never fight over, and what they own.
_LEFT_TO_OWNER: tuple[tuple[str, str], ...] = (
    ("spec.replicas", "horizontal-pod-autoscaler"),
    ("spec.replicas", "kube-controller-manager"),
    ("caBundle", "cert-manager-cainjector"),
    ("caBundle", "cainjector"),
)
# Client-side tools whose fields are taken over without a word: kubectl apply and Helm's older way.
_PREDECESSORS = frozenset({"kubectl-client-side-apply", "before-first-apply", HELM_MANAGER, MANAGER})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Field changes with their causes; `conflicts` may not be overwritten, `left` must not be sent at all."""

    fields: tuple[FieldChange, ...]
    conflicts: tuple[FieldChange, ...] = ()
    left: tuple[FieldChange, ...] = ()

    @property
    def force(self) -> bool:
        """Some field belongs to another manager and is ours to take (back)."""
        return any(f.manager not in ("", MANAGER) for f in self.fields)


def classify(changes: Sequence[FieldChange], *, recorded: bool, force: bool, manager: str = MANAGER) -> Verdict:
    """Judge every difference of one object.

    `recorded` says that this project applied the object before: a field of ours that now belongs to a person or
    tool with an Update was changed behind our back (drift). `force` is the project's consent to take over fields.
    """
    kept: list[FieldChange] = []
    conflicts: list[FieldChange] = []
    left: list[FieldChange] = []
    for change in changes:
        if change.manager in _PREDECESSORS or change.manager == manager or not change.manager:
            kept.append(change)
        elif any(change.path.endswith(path) and change.manager == owner for path, owner in _LEFT_TO_OWNER):
            left.append(replace(change, cause=Cause.THEIRS))
        elif recorded:
            kept.append(replace(change, cause=Cause.DRIFT))
        elif force:
            kept.append(replace(change, cause=Cause.THEIRS))
        else:
            conflicts.append(replace(change, cause=Cause.THEIRS))
    return Verdict(tuple(kept), tuple(conflicts), tuple(left))


def without(body: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """A manifest without the plain fields at `paths` (`spec.replicas`)."""
    result = dict(body)
    for path in paths:
        result = _drop(result, path.split("."))
    return result


def _drop(node: dict[str, Any], steps: list[str]) -> dict[str, Any]:
    head, rest = steps[0], steps[1:]
    if head not in node:
        return node
    if not rest:
        return {key: value for key, value in node.items() if key != head}
    child = node[head]
    return {**node, head: _drop(dict(child), rest)} if isinstance(child, Mapping) else node
