"""Parts of projects: those that are gone and left objects behind, and those that are deployed by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sbkube.models.deployment_state import PART_OF, Together

if TYPE_CHECKING:
    from sbkube.api.planning import Planning
    from sbkube.config.model import ProjectConfig


def left_behind(project: Planning) -> list[str]:
    """What to tell of projects and contexts that were deployed along with this one, are no part of it any more and
    still have objects. Nothing of them is deleted by the way: their records and locks are their own.
    """
    present = set(_parts(project.config))
    found = []
    for part in project.ledger.together(project.target):
        name = part.target.project
        if {(name, ""), (name, part.context)} & present:
            continue
        owned = project.ledger.inventory(part.target)
        if owned:
            apps = sorted({known.app for known in owned.values() if known.app})
            found.append(_told(project, part, apps, len(owned)))
    return found


def deployed_elsewhere(project: Planning) -> list[str]:
    """A part that is deployed by itself for the first time, into another namespace than the one it inherited."""
    target = project.target
    if project.on_top_of:
        return []
    found = project.ledger.list_deployments(project=target.project, cluster=target.cluster_uid, limit=1)
    return [
        f"{target.project} was deployed to namespace {record.namespace} as a part of another project, and is new "
        f"in {target.namespace}; to change what is there: `-n {record.namespace}`"
        for record in found
        if record.namespace != target.namespace and record.origin.get(PART_OF)
    ]


def _parts(config: ProjectConfig) -> Iterator[tuple[str, str]]:
    for child in config.children:
        yield child.config.name, child.context
        yield from _parts(child.config)


def _told(project: Planning, part: Together, apps: list[str], count: int) -> str:
    name, place = part.target.project, part.target.namespace
    what = f"{count} object{'s' if count > 1 else ''} of"
    if name == project.config.name:
        chosen = "".join(f" --app {app}" for app in apps)
        left = f"{what} {', '.join(apps)} in the context {part.context} belong to no app any more"
        return f"{left}; to delete: `sbkube delete --context {part.context} -n {place}{chosen}`"
    left = f"{what} {name}, which is no part of this project any more, are still there"
    return f"{left}; to delete: `sbkube delete -f {part.file} -n {place}`"
