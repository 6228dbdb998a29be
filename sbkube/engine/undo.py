"""What is to be undone: one deployment, everything since one, or the newest that changed something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sbkube.config.model import ProjectConfig
from sbkube.engine.surroundings import Surroundings
from sbkube.errors import DeploymentNotFound, PlanRefused, UsageError
from sbkube.models.deployment_state import (
    RESUME,
    DeploymentDetail,
    DeploymentStatus,
    HelmReleaseRecord,
    LockTarget,
    ResourceRecord,
)
from sbkube.models.outcome import OpState
from sbkube.models.plan import Verb
from sbkube.models.selection import selects, unknown

_WENT_WELL = frozenset({DeploymentStatus.SUCCESS, DeploymentStatus.PENDING})


@dataclass(frozen=True, slots=True)
class Undo:
    """What to roll back: to the state before `reference`, or to the one that `to` left; neither: the newest.

    `apps` restricts it to these; `scope` to those that did not succeed (`app`) or to their phases (`phase`).
    `force` goes over what others have changed since, `consent` deletes what holds data. `automatic`: it is a
    failed run that undoes itself.
    """

    reference: str = ""
    to: str = ""
    apps: tuple[str, ...] = ()
    force: bool = False
    consent: bool = False
    scope: str = "all"
    automatic: bool = False


def choose(world: Surroundings, target: LockTarget, undo: Undo) -> tuple[DeploymentDetail, ...]:
    """The deployments to undo, oldest first. Raises DeploymentNotFound."""
    if undo.to:
        kept = world.ledger.detail(undo.to, target).deployment.deployment_id
        _refuse_forgotten(world, target, kept)
        return world.ledger.since(kept, target)[1:]
    if undo.reference:
        first = _beginning(world, target, world.ledger.detail(undo.reference, target))
        _refuse_forgotten(world, target, first)
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
            first = _beginning(world, target, detail)
            alone = first == detail.deployment.deployment_id
            return (detail,) if alone else world.ledger.since(first, target)
        number += 1


def _refuse_forgotten(world: Surroundings, target: LockTarget, deployment: str) -> None:
    """What lies between here and there must be known: going back over a gap would be a guess."""
    if world.ledger.forgotten_since(deployment, target):
        raise PlanRefused(
            f"deployments that were made after {deployment} have been forgotten (retention, `state prune`)",
            hint="go back to a newer one: sbkube rollback --list",
        )


def _beginning(world: Surroundings, target: LockTarget, detail: DeploymentDetail) -> str:
    """A resumed deployment is one story with the interrupted ones that it goes on with: the id of the first."""
    first = detail.deployment
    while first.command == RESUME and first.parent:
        first = world.ledger.detail(first.parent, target).deployment
    return first.deployment_id


def refuse_unknown(config: ProjectConfig, undo: Undo, details: Sequence[DeploymentDetail]) -> None:
    """An app that neither the project nor the deployments to undo know is a slip of the pen: UsageError."""
    known = {app.app_name for detail in details for app in detail.apps} | set(config.apps)
    if (name := unknown(undo.apps, known)) is not None:
        raise UsageError(f"no app or phase named {name.rstrip('/')!r}", hint="apps: " + ", ".join(sorted(known)))


def restricted(undo: Undo, details: Sequence[DeploymentDetail]) -> Undo:
    """With `scope` made into names of apps."""
    if undo.scope == "all":
        return undo
    apps = [app for detail in details for app in detail.apps]
    bad = {app.app_name for app in apps if app.status not in _WENT_WELL}
    if undo.scope == "phase":
        phases = {_phase(name) for name in bad}
        bad = {app.app_name for app in apps if _phase(app.app_name) in phases}
    return replace(undo, apps=tuple(sorted(name for name in bad if selects(undo.apps, name))))


def _phase(app: str) -> str:
    return app.rpartition("/")[0]


def changed_something(detail: DeploymentDetail) -> bool:
    """An operation of the deployment took effect."""
    if any(took_effect(row) or undoes(row) for row in detail.resources):
        return True
    return any(row.state is OpState.APPLIED or _begun(row) for row in detail.releases)


def _begun(row: HelmReleaseRecord) -> bool:
    """A Helm action that ended badly, but not before it had begun."""
    gone = row.verb == Verb.HELM_UNINSTALL and row.state is OpState.FAILED
    return gone or row.revision_after > row.revision_before


def took_effect(row: ResourceRecord) -> bool:
    """The cluster is different because of it: it was done, or it failed and left an object that was seen."""
    if row.verb == Verb.RUN:
        return False  # nobody knows what a command does
    return row.state is OpState.APPLIED or (row.after is not None and row.before != row.after)


def _undoes(command: Mapping[str, Any]) -> bool:
    return bool(command.get("undo") or command.get("undo_manifests"))


def undoes(row: ResourceRecord) -> bool:
    """It is a command that was begun, and that names commands that undo it."""
    return row.verb == Verb.RUN and not row.state.open and _undoes(row.intent or {})
