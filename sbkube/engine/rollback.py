"""Undo is doing: from the record of what was done to a plan that puts things back."""

from __future__ import annotations

from sbkube.config.model import ProjectConfig
from sbkube.engine.draft import Draft
from sbkube.engine.prepare import target_of
from sbkube.engine.surroundings import Surroundings
from sbkube.engine.undo import Undo, choose, refuse_unknown, restricted
from sbkube.engine.undo_commands import plan_commands
from sbkube.engine.undo_objects import ObjectUndo
from sbkube.engine.undo_releases import ReleaseUndo
from sbkube.errors import PlanRefused
from sbkube.models.plan import Plan


def plan_rollback(config: ProjectConfig, world: Surroundings, undo: Undo) -> Plan:
    """Plan a rollback from the ledger. Raises DeploymentNotFound, or PlanRefused with everything in the way."""
    target = target_of(config, world)
    details = choose(world, target, undo)
    refuse_unknown(config, undo, details)
    draft = Draft(config, world, target, restricted(undo, details))
    ReleaseUndo(draft, details).plan()
    plan_commands(draft, details, automatic=undo.automatic)
    ObjectUndo(draft, details).plan()
    if draft.problems:
        raise PlanRefused("the rollback needs a decision", problems=draft.problems)
    apps = draft.apps()
    one_at_a_time = not all(scope.settings.parallel_apps for scope in config.scopes.values())
    return Plan(
        project=config.name,
        namespace=config.settings.namespace,
        purpose="rollback",
        cluster=world.cluster.info().name,
        cluster_uid=target.cluster_uid,
        apps=tuple(apps),
        parent=details[0].deployment.deployment_id if details else "",
        warnings=tuple(draft.warnings),
        on_failure="continue",
        # One at a time is in the order of the steps; a limit on top of it could only hold a namespace back.
        max_workers=max(config.settings.max_workers, len(apps) if one_at_a_time else 1),
    )
