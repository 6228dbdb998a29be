"""`delete`: a plan in which nothing is wanted any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sbkube.config.model import ProjectConfig
from sbkube.engine.compare import Live
from sbkube.engine.emptied import NAMESPACES, Emptied
from sbkube.engine.labelled import labelled
from sbkube.engine.prepare import Selection, refuse_unknown, target_of
from sbkube.engine.prune import Removal, known_releases, own_objects, removal_steps
from sbkube.engine.repair import Repairs
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.errors import StateError
from sbkube.models.deployment_state import LockTarget
from sbkube.models.plan import AppPlan, Plan
from sbkube.models.resource import ResourceKey
from sbkube.models.selection import selects
from sbkube.plan import labels, order
from sbkube.plan.operations import assemble_deletion, link_apps
from sbkube.ports import Recorded


def plan_delete(
    config: ProjectConfig, world: Surroundings, selection: Selection, *, consent: bool = False
) -> Plan:
    """Plan the deletion of everything that the project created (of the selected apps).

    `consent` allows to delete objects that hold data. Namespaces go if we created them and they are empty then.
    """
    target = target_of(config, world)
    recorded = world.ledger.inventory(target)
    chosen = {key: known for key, known in own_objects(recorded).items() if selects(selection.apps, known.app)}
    index = ReleaseIndex(world.helm)
    namespaces = {key.namespace for key in recorded if key.namespace} | {config.settings.namespace}
    namespaces |= {app.namespace for app in config.apps.values() if app.namespace}
    releases = [
        record
        for record in known_releases(world, target, index, namespaces, recorded)
        if selects(selection.apps, labels.app_of(record.labels))
    ]
    warnings: list[str] = []
    known = {k.app for k in recorded.values()} | {labels.app_of(r.labels) for r in releases}
    refuse_unknown(selection.apps, [*config.apps, *sorted(known)])
    live = Live(world)
    own_namespaces = {k: v for k, v in chosen.items() if k.kind == "Namespace"}
    objects = {k: v for k, v in chosen.items() if k not in own_namespaces}
    if not recorded and not releases:
        _refuse_unrecorded(world, target)
    removal = Removal(
        live, config.name, config.settings.timeout, warnings, Repairs(world, target), consent=consent
    )
    apps = _in_reverse(config, removal.plans(objects, releases))
    emptied = Emptied(world, live, apps)
    tail = _namespaces(config, own_namespaces, emptied, warnings, apps)
    return Plan(
        project=config.name,
        namespace=config.settings.namespace,
        purpose="delete",
        cluster=world.cluster.info().name,
        cluster_uid=target.cluster_uid,
        apps=(*apps, *tail),
        warnings=tuple(warnings),
        on_failure="continue",
        max_workers=config.settings.max_workers,
    )


def _refuse_unrecorded(world: Surroundings, target: LockTarget) -> None:
    """The ledger is empty; what carries our label is then not deleted by its name alone, and not kept silent."""
    found = labelled(world, target.project)
    if found:
        named = ", ".join(map(str, found[:3])) + (" …" if len(found) > 3 else "")
        raise StateError(
            f"the state database knows nothing of {target.project} from namespace {target.namespace} on this "
            f"cluster, but {len(found)} objects carry its label ({named}); nothing was deleted",
            hint="use the state database that it was deployed with, or make one: sbkube state rebuild",
        )


def _in_reverse(config: ProjectConfig, apps: list[AppPlan]) -> list[AppPlan]:
    """Dependents go first."""
    by_name = {app.name: app for app in apps}
    needs: dict[str, list[str]] = {app.name: [] for app in reversed(apps)}
    for name, spec in config.apps.items():
        for dependency in spec.depends_on:
            if name in by_name and dependency in by_name:
                needs[dependency].append(name)
    names = order.app_order(needs)
    linked = link_apps({n: by_name[n].operations for n in names}, needs)
    return [replace(by_name[n], operations=linked[n]) for n in names]


def _namespaces(
    config: ProjectConfig,
    candidates: Mapping[ResourceKey, Recorded],
    emptied: Emptied,
    warnings: list[str],
    apps: list[AppPlan],
) -> list[AppPlan]:
    """Our namespaces as a last step of their own, behind everything else."""
    timeout = config.settings.timeout
    changes, steps = [], []
    for key, known in candidates.items():
        change = emptied.namespace(key, known, config.name, warnings)
        if change is None:
            continue
        changes.append(change)
        steps.extend(removal_steps(NAMESPACES, change, known))
    if not changes:
        return []
    before = tuple(op.id for app in apps for op in app.operations)
    operations = assemble_deletion(NAMESPACES, steps, timeout)
    linked = tuple(op if op.needs else replace(op, needs=before) for op in operations)
    return [AppPlan(NAMESPACES, "removed", "", changes=tuple(changes), operations=linked)]
