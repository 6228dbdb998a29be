"""What is to be undone: one deployment, everything since one, or the newest that changed something."""

from __future__ import annotations

from dataclasses import dataclass

from sbkube.engine.surroundings import Surroundings
from sbkube.errors import DeploymentNotFound
from sbkube.models.deployment_state import DeploymentDetail, LockTarget
from sbkube.models.outcome import OpState


@dataclass(frozen=True, slots=True)
class Undo:
    """What to roll back: to the state before `reference`, or to the one that `to` left; neither: the newest."""

    reference: str = ""
    to: str = ""
    apps: tuple[str, ...] = ()
    force: bool = False
    consent: bool = False


def choose(world: Surroundings, target: LockTarget, undo: Undo) -> tuple[DeploymentDetail, ...]:
    """The deployments to undo, oldest first."""
    if undo.to:
        kept = world.ledger.detail(undo.to, target).deployment.deployment_id
        return world.ledger.since(kept, target)[1:]
    if undo.reference:
        first = world.ledger.detail(undo.reference, target).deployment.deployment_id
        return world.ledger.since(first, target)
    number = 0
    while True:
        try:
            detail = world.ledger.detail(f"latest~{number}", target)
        except DeploymentNotFound:
            raise DeploymentNotFound(
                f"nothing to roll back: no deployment of {target.project} changed anything here",
                hint="see `sbkube history`",
            ) from None
        if changed_something(detail):
            return (detail,)
        number += 1


def changed_something(detail: DeploymentDetail) -> bool:
    """An operation of the deployment took effect."""
    if any(took_effect(row.state) for row in detail.resources):
        return True
    return any(took_effect(row.state) or row.revision_after > row.revision_before for row in detail.releases)


def took_effect(state: OpState) -> bool:
    """The cluster is different because of it."""
    return state is OpState.APPLIED
