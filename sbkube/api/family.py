"""A project and the projects that are part of it: planned as a whole, each recorded and locked by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sbkube.errors import DeploymentNotFound, UsageError
from sbkube.models.deployment_state import PART_OF, DeploymentRecord, LockTarget

if TYPE_CHECKING:
    from sbkube.api.acting import Acting
    from sbkube.api.project import Project
    from sbkube.config.model import Child
    from sbkube.engine.inspect import StatusReport
    from sbkube.models.drift import DriftReport
    from sbkube.models.plan import Plan

T = TypeVar("T")
Report = TypeVar("Report", "DriftReport", "StatusReport")


@dataclass(frozen=True, slots=True)
class Member:
    """One project of a family, and the apps of it that were asked for (none: all).

    `main`: the one that was opened. `prefix` comes before the names of its apps, as seen from there.
    """

    project: Project
    apps: tuple[str, ...] = ()
    main: bool = False
    prefix: str = ""


def members(project: Project, apps: Sequence[str] = ()) -> list[Member]:
    """The family in the order in which it is deployed; only those of whom something was asked for.

    Raises PlanRefused where two of them are the same project on the same cluster.
    """
    found = parts(project, apps)
    if any(child.context for child, _ in project.children):
        project.refuse_same_cluster([member.project for member in found])
    return found


def parts(project: Project, apps: Sequence[str] = ()) -> list[Member]:
    """The same without a look at the clusters."""
    found = [m for m in _members(project, tuple(apps), main=True) if m.apps or not apps]
    for number, member in enumerate(found):
        member.project.coming = frozenset(m.project.config.name for m in found[:number])
    return found


def _members(project: Project, apps: tuple[str, ...], *, main: bool, prefix: str = "") -> Iterator[Member]:
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
            yield from _members(other, inner, main=False, prefix=_prefix(prefix, child))
    yield Member(project, tuple(rest), main, prefix)
    for child, other, inner in asked:
        if not child.first:
            yield from _members(other, inner, main=False, prefix=_prefix(prefix, child))


def _prefix(prefix: str, child: Child) -> str:
    return prefix if child.context else f"{prefix}{child.phase}/"


def selected(child: Child, name: str) -> bool:
    """Whether an app, or a phase as `PHASE/`, is of this context."""
    apps = child.config.apps
    return name in apps or (name.endswith("/") and any(app.startswith(name) for app in apps))


def _all(project: Project) -> list[str]:
    own = [f"{child.phase}/" if child.phase else "" for child, _ in project.children]
    return [*project.config.apps, *filter(None, own)]


def reported(family: Sequence[Member], look: Callable[[Member], Report]) -> Report:
    """The report on the project that was opened, else on the first one, with those on all."""
    found = tuple(map(look, family))
    main = next((report for member, report in zip(family, found, strict=True) if member.main), found[0])
    return replace(main, parts=found) if len(found) > 1 else main


def newest_changed(project: Acting) -> str:
    """The newest deployment of the main project in which anything of the family changed, "" if there is none."""
    children = [member.project for member in project.family() if not member.main]
    for record in _records(project):
        own = (r for child in children for r in _with_parent(child, {record.deployment_id}))
        if any(_changed(project, r) for r in (record, *own)):
            return record.deployment_id
    return ""


def _changed(project: Acting, record: DeploymentRecord) -> bool:
    """It changed something."""
    from sbkube.engine.undo import changed_something

    return changed_something(project.ledger.detail(record.deployment_id))


def _with_parent(project: Acting, ids: set[str]) -> list[DeploymentRecord]:
    return [r for r in _records(project) if r.origin.get(PART_OF) in ids]


def _records(project: Acting) -> list[DeploymentRecord]:
    target = project.target
    return project.ledger.list_deployments(project=target.project, cluster=target.cluster_uid, limit=None)


def _owner(family: Sequence[Member], reference: str) -> Member:
    """The member that a deployment is of: the main one, unless it is that of another."""
    main = next(member for member in family if member.main)
    if reference.partition("~")[0] == "latest" or not reference:
        return main
    record = main.project.show(reference).deployment
    target = LockTarget(record.project, record.cluster_uid, record.namespace)
    same = (m for m in family if m.project.target == target)
    return next(same, main)


def apply_plans(
    family: Sequence[Member], ahead: Callable[[Member], T], **how: Any
) -> tuple[list[tuple[Member, Plan]], T | None]:
    """What an apply of the family would do; `how` are the arguments of `Planning.plan`.

    Before a project is planned, `ahead` runs its hooks that come before that. As soon as it gives something, that
    is given, and no plan.
    """
    plans = []
    for member in family:
        if wrong := ahead(member):
            return [], wrong
        plans.append((member, member.project.plan(member.apps, **how)))
    return plans, None


def delete_plans(family: Sequence[Member], *, delete_data: bool = False) -> list[tuple[Member, Plan]]:
    """What a delete of the family would do, in reverse order."""
    return [(m, m.project.plan_delete(m.apps, delete_data=delete_data)) for m in reversed(family)]


def resume_plans(
    project: Acting, reference: str = "", *, rerun: Sequence[str] = (), skip: Sequence[str] = ()
) -> list[tuple[Member, Plan]]:
    """What is left to do of the family, in the order in which the interrupted run would have done it. `reference`
    is one of its deployments; the other arguments are those of `Planning.plan_resume`. Raises UsageError for a
    command that is to be run again and left out."""
    if both := set(rerun) & set(skip):
        raise UsageError(f"{', '.join(sorted(both))}: run again or left out, not both", hint="say one of them")
    found: list[tuple[int, Member, Plan]] = []
    family = project.family()
    owner = _owner(family, reference)
    for member in family:
        plan = member.project.plan_resume(reference if member is owner else "", rerun=rerun, skip=skip)
        if plan is not None:
            found.append((member.project.show(plan.parent).deployment.id, member, plan))
    return [(member, plan) for _, member, plan in sorted(found, key=lambda one: one[0])]


def rollback_plans(
    project: Acting, reference: str = "", *, to: str = "", apps: Sequence[str] = (), **how: Any
) -> list[tuple[Member, Plan]]:
    """What a rollback of the family would do: of the main project, and of the deployments of the others that were
    part of what is undone, in the order in which it has to happen.

    A deployment of one of the others is undone by itself; with `apps` only these are. `how` are arguments of
    `Planning.plan_rollback`. Raises DeploymentNotFound, PlanRefused.
    """
    chosen, whole = project.family(apps), project.family()
    if len(whole) == 1:
        return [(m, m.project.plan_rollback(reference, to=to, apps=m.apps, **how)) for m in chosen]
    if (owner := _owner(whole, reference or to)) and not owner.main:
        own = next((member.apps for member in chosen if member.project is owner.project), ())
        return [(owner, owner.project.plan_rollback(reference, to=to, apps=own, **how))]
    if apps and not (reference or to):
        return _ordered([(m, m.project.plan_rollback(apps=m.apps, **how)) for m in chosen])
    reference = reference or ("" if to else newest_changed(project))
    if not (reference or to):
        raise DeploymentNotFound("nothing to roll back: nothing was changed here", hint="see `sbkube history`")
    record = project.show(reference or to).deployment
    after = [r for r in _records(project) if r.id > record.id or (reference and r.id == record.id)]
    plans: list[tuple[Member, Plan]] = []
    for member in chosen:
        if member.main:
            name = record.deployment_id
            plan = project.plan_rollback("" if to else name, to=name if to else "", apps=member.apps, **how)
            plans.append((member, plan))
        elif own_records := _with_parent(member.project, {r.deployment_id for r in after}):
            first = min(own_records, key=lambda r: r.id).deployment_id
            plans.append((member, member.project.plan_rollback(first, apps=member.apps, **how)))
    if not plans:
        raise DeploymentNotFound(f"these apps had no part in {record.deployment_id}", hint="see `sbkube history`")
    return _ordered(plans)


def _ordered(plans: list[tuple[Member, Plan]]) -> list[tuple[Member, Plan]]:
    return plans if _brings_back(plans) else plans[::-1]


def _brings_back(plans: Sequence[tuple[Member, Plan]]) -> bool:
    """It is rather put back than taken away: in the order in which it is deployed, not against it."""
    counts = [plan.counts() for _, plan in plans]
    return sum(c["create"] for c in counts) > sum(c["delete"] for c in counts)
