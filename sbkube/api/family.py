"""A project and the projects that are part of it: planned as a whole, each recorded and locked by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sbkube.api.running import PART_OF
from sbkube.errors import DeploymentNotFound
from sbkube.models.deployment_state import DeploymentRecord

if TYPE_CHECKING:
    from sbkube.api.project import Project
    from sbkube.models.plan import Plan


@dataclass(frozen=True, slots=True)
class Member:
    """One project of a family, and the apps of it that were asked for (none: all). `main`: the one that was
    opened."""

    project: Project
    apps: tuple[str, ...] = ()
    main: bool = False


def members(project: Project, apps: Sequence[str] = ()) -> list[Member]:
    """The family in the order in which it is deployed; only those of whom something was asked for."""
    found = list(_members(project, tuple(apps), main=True))
    if not apps:
        return found
    return [member for member in found if member.apps]


def _members(project: Project, apps: tuple[str, ...], *, main: bool) -> Iterator[Member]:
    before: list[tuple[Project, tuple[str, ...]]] = []
    after: list[tuple[Project, tuple[str, ...]]] = []
    rest = list(apps)
    for phase, first, child in project.children:
        mine = [app for app in apps if app == f"{phase}/" or app.startswith(f"{phase}/")]
        rest = [app for app in rest if app not in mine]
        whole = f"{phase}/" in mine
        inner = tuple(_all(child)) if whole else tuple(app.removeprefix(f"{phase}/") for app in mine)
        (before if first else after).append((child, inner))
    for child, inner in before:
        yield from _members(child, inner, main=False)
    yield Member(project, tuple(rest), main)
    for child, inner in after:
        yield from _members(child, inner, main=False)


def _all(project: Project) -> list[str]:
    names = list(project.config.apps)
    return names + [f"{phase}/" for phase, _, _ in project.children]


def newest_changed(project: Project) -> str:
    """The newest deployment of the main project in which anything of the family changed, "" if there is none."""
    children = [child for _, _, child in project.children]
    for record in _records(project):
        if record.command == "rollback" or changed(record):
            return record.deployment_id
        if any(changed(r) for child in children for r in _with_parent(child, {record.deployment_id})):
            return record.deployment_id
    return ""


def changed(record: DeploymentRecord) -> bool:
    """It changed something."""
    return any((record.counts or {}).values())


def _with_parent(project: Project, ids: set[str]) -> list[DeploymentRecord]:
    return [r for r in _records(project) if r.origin.get(PART_OF) in ids]


def _records(project: Project) -> list[DeploymentRecord]:
    return project.ledger.list_deployments(project=project.config.name, limit=None)


def rollback_plans(project: Project, reference: str, how: dict[str, Any]) -> list[tuple[Member, Plan]]:
    """What a rollback of the family would do: the main project, and the deployments of the others that were part
    of what is undone, the last ones first. Raises DeploymentNotFound, PlanRefused."""
    reference = reference or newest_changed(project)
    if not reference:
        raise DeploymentNotFound("nothing to roll back: nothing was changed here", hint="see `sbkube history`")
    record = project.show(reference).deployment
    undone = {record.deployment_id} | {
        r.deployment_id for r in _records(project) if r.created_at >= record.created_at
    }
    plans = []
    for member in reversed(members(project)):
        if member.main:
            plans.append((member, project.plan_rollback(record.deployment_id, **how)))
            continue
        own = _with_parent(member.project, undone)
        if own:
            first = min(own, key=lambda r: r.id).deployment_id
            plans.append((member, member.project.plan_rollback(first, **how)))
    return plans
