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
    from sbkube.config.model import Child
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
    if any(child.context for child, _ in project.children):
        project.refuse_same_cluster()
    found = list(_members(project, tuple(apps), main=True))
    if not apps:
        return found
    return [member for member in found if member.apps]


def _members(project: Project, apps: tuple[str, ...], *, main: bool) -> Iterator[Member]:
    rest = list(apps)
    asked: list[tuple[Child, Project, tuple[str, ...]]] = []
    for child, other in project.children:
        if child.context:
            mine = [name for name in apps if selected(child, name)]
            rest = [name for name in rest if name not in child.config.apps]
            asked.append((child, other, tuple(mine)))
            continue
        mine = [name for name in apps if name.startswith(f"{child.phase}/")]
        rest = [name for name in rest if name not in mine]
        whole = f"{child.phase}/" in mine
        below = _all(other) if whole else [name.removeprefix(f"{child.phase}/") for name in mine]
        asked.append((child, other, tuple(below)))
    for child, other, inner in asked:
        if child.first:
            yield from _members(other, inner, main=False)
    yield Member(project, tuple(rest), main)
    for child, other, inner in asked:
        if not child.first:
            yield from _members(other, inner, main=False)


def selected(child: Child, name: str) -> bool:
    """Whether an app, or a phase as `PHASE/`, is of this context."""
    apps = child.config.apps
    return name in apps or (name.endswith("/") and any(app.startswith(name) for app in apps))


def _all(project: Project) -> list[str]:
    own = [f"{child.phase}/" if child.phase else "" for child, _ in project.children]
    return [*project.config.apps, *filter(None, own)]


def newest_changed(project: Project) -> str:
    """The newest deployment of the main project in which anything of the family changed, "" if there is none."""
    children = [child for _, child in project.children]
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
    target = project.target
    return project.ledger.list_deployments(project=target.project, cluster=target.cluster_uid, limit=None)


def resume_plans(project: Project, reference: str, how: dict[str, Any]) -> list[tuple[Member, Plan]]:
    """What is left to do of the family, in the order in which the interrupted run would have done it. `reference`
    is a deployment of the main project."""
    found: list[tuple[int, Member, Plan]] = []
    for member in members(project):
        plan = member.project.plan_resume(reference if member.main else "", **how)
        if plan is not None:
            found.append((member.project.show(plan.parent).deployment.id, member, plan))
    return [(member, plan) for _, member, plan in sorted(found, key=lambda one: one[0])]


def rollback_plans(project: Project, reference: str, how: dict[str, Any]) -> list[tuple[Member, Plan]]:
    """What a rollback of the family would do: the main project, and the deployments of the others that were part
    of what is undone, in the order in which it has to happen. Raises DeploymentNotFound, PlanRefused."""
    reference = reference or newest_changed(project)
    if not reference:
        raise DeploymentNotFound("nothing to roll back: nothing was changed here", hint="see `sbkube history`")
    record = project.show(reference).deployment
    undone = {record.deployment_id} | {
        r.deployment_id for r in _records(project) if r.created_at >= record.created_at
    }
    plans: list[tuple[Member, Plan]] = []
    for member in members(project):
        if member.main:
            plans.append((member, project.plan_rollback(record.deployment_id, **how)))
            continue
        own = _with_parent(member.project, undone)
        if own:
            first = min(own, key=lambda r: r.id).deployment_id
            plans.append((member, member.project.plan_rollback(first, **how)))
    return plans if _brings_back(plans) else plans[::-1]


def _brings_back(plans: Sequence[tuple[Member, Plan]]) -> bool:
    """It is rather put back than taken away: in the order in which it is deployed, not against it."""
    counts = [plan.counts() for _, plan in plans]
    return sum(c["create"] for c in counts) > sum(c["delete"] for c in counts)
