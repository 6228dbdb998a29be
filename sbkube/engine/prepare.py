"""From a project to a plan: render everything, look at everything, decide; nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sbkube.apps.base import AppSpec, Around
from sbkube.config.model import ProjectConfig
from sbkube.engine.around import Surrounded, compare_tasks, project_hooks, surround
from sbkube.engine.compare import Compared, Comparer, Live, Terms
from sbkube.engine.derived import in_order
from sbkube.engine.desired import Desired, DesiredApp, render_all, resolve
from sbkube.engine.handover import from_releases, handover_steps, to_release
from sbkube.engine.prune import plan_prune, stale_releases
from sbkube.engine.releases import Tools, plan_release
from sbkube.engine.repair import Repairs
from sbkube.engine.surroundings import ReleaseIndex, Surroundings, at_once
from sbkube.engine.turns import in_turn
from sbkube.errors import FieldConflict, PlanRefused, Problem, ProjectError, UsageError
from sbkube.health import assess
from sbkube.models.deployment_state import LockTarget
from sbkube.models.plan import AppPlan, Change, Effect, Operation, Plan, Verb
from sbkube.models.resource import ResourceKey
from sbkube.models.selection import selects, unknown
from sbkube.plan import labels, order
from sbkube.plan.operations import (
    Step,
    assemble,
    effect_of,
    link_apps,
    link_foundations,
    object_step,
    takeover_step,
)

# Kinds that are what they should be as soon as they exist: nobody has to wait for them.
PASSIVE = frozenset(
    {
        "ConfigMap", "Secret", "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding",
        "NetworkPolicy", "LimitRange", "ResourceQuota", "PriorityClass", "StorageClass", "IngressClass",
        "Namespace", "Endpoints", "EndpointSlice", "Lease", "PodTemplate", "ControllerRevision",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """What a command is restricted to: apps, or `PHASE/` for all of a phase; empty means everything.

    `no_prune` says why nothing may be pruned, `prune` is False where nobody wants it. `hooks` are the stages whose
    hooks of the whole project are run.
    """

    apps: tuple[str, ...] = ()
    no_prune: str = ""
    prune: bool = True
    hooks: tuple[str, ...] = ("apply", "deploy")


def target_of(config: ProjectConfig, world: Surroundings) -> LockTarget:
    """Identity of the project on this cluster."""
    return LockTarget(config.name, world.cluster.info().uid, config.settings.namespace)


def refuse_unknown(names: Iterable[str], known: Iterable[str]) -> None:
    """An app or phase that nobody knows is a slip of the pen: UsageError."""
    apps = list(dict.fromkeys(known))
    name = unknown(names, apps)
    if name is not None:
        what = f"phase named {name[:-1]!r} with apps" if name.endswith("/") else f"app named {name!r}"
        raise UsageError(f"no {what}", hint="apps: " + ", ".join(apps))


def selected_apps(config: ProjectConfig, selection: Selection) -> list[AppSpec]:
    """Enabled apps in dependency order; raises UsageError for a name that does not exist."""
    refuse_unknown(selection.apps, config.apps)
    enabled = {name: app for name, app in config.apps.items() if app.enabled}
    names = order.app_order({name: app.depends_on for name, app in enabled.items()})
    return [enabled[name] for name in names if selects(selection.apps, name)]


def prepare(config: ProjectConfig, world: Surroundings, selection: Selection = Selection()) -> Plan:
    """Plan an apply.

    Raises ProjectError (with all problems of all objects), SurroundingsError, or PlanRefused; whatever it raises,
    nothing was touched.
    """
    info = world.cluster.info()
    index = ReleaseIndex(world.helm)
    apps = selected_apps(config, selection)
    wanted = resolve(config, render_all(config, apps, world, index), world, index)
    return Preparation(config, world, index, wanted).plan(info.name, selection)


class Preparation:
    """The state of one planning run."""

    def __init__(
        self, config: ProjectConfig, world: Surroundings, index: ReleaseIndex, wanted: Sequence[DesiredApp]
    ) -> None:
        self.config = config
        self.world = world
        self.index = index
        self.wanted = wanted
        self.target = target_of(config, world)
        self.recorded = world.ledger.inventory(self.target)
        self.live = Live(world)
        self.warnings: list[str] = [*config.warnings, *(w for a in wanted for w in a.rendered.warnings)]
        self.comparer = Comparer(world, self.live, self.recorded, self.target)
        self.repairs = Repairs(world, self.target)
        self.new_namespaces: frozenset[str] = frozenset()
        self.left = frozenset(
            (r.namespace, r.release_name, r.revision_after)
            for r in world.ledger.releases(self.target)
            if r.verb != Verb.HELM_ADOPT
        )
        self.from_helm: frozenset[tuple[str, str, str, str]] = frozenset()
        self.derived: Mapping[str, tuple[str, ...]] = {}

    def plan(self, cluster: str, selection: Selection) -> Plan:
        """The whole plan."""
        self._look()
        own = self._own_namespaces()
        self.wanted, self.derived = in_order(self.wanted, own)
        namespaces = self._missing_namespaces()
        self.new_namespaces = frozenset(namespaces) | own
        self.from_helm = self._from_helm(selection)
        plans = at_once(lambda app: self._app(app, namespaces), self.wanted, self.config.settings.max_workers)
        refused = [c for _, bad in plans for c in bad]
        if refused:
            raise _refusal(refused)
        apps = [app for app, _ in plans]
        self._refuse_dropped(apps)
        if self.config.settings.prune and selection.prune:
            apps = self._pruned(apps, selection)
        apps = project_hooks(self.config, apps, selection.hooks)
        depends = {a.name: a.depends_on for a in apps}
        settings = self.config.settings
        turns = in_turn(self.config, depends)
        linked = link_foundations(link_apps({a.name: a.operations for a in apps}, depends, turns))
        return Plan(
            project=self.config.name,
            namespace=settings.namespace,
            purpose="apply",
            cluster=cluster,
            cluster_uid=self.target.cluster_uid,
            apps=tuple(replace(app, operations=linked[app.name]) for app in apps),
            warnings=tuple(self.warnings),
            on_failure=settings.on_failure,
            max_workers=settings.max_workers,
        )

    def _refuse_dropped(self, apps: Sequence[AppPlan]) -> None:
        """An upgrade in which Helm would delete what one of our own apps wants."""
        own = {d.key.identity: d for app in self.wanted for d in (*app.objects, *app.task_objects)}
        problems = [
            Problem(
                f"{app.name}: the chart has no {change.key} any more, so Helm would delete what app "
                f"{own[change.key.identity].app} wants",
                own[change.key.identity].source,
                f"annotate the live object helm.sh/resource-policy=keep, and apply {app.name} first",
            )
            for app in apps
            if app.release
            for change in app.changes
            if change.effect is Effect.DELETE and change.key.identity in own
        ]
        if problems:
            raise PlanRefused("an object would be deleted that is wanted", problems=problems)

    def _from_helm(self, selection: Selection) -> frozenset[tuple[str, str, str, str]]:
        """Objects of our own that releases still hold which this plan takes away."""
        if not (self.config.settings.prune and selection.prune) or selection.no_prune:
            return frozenset()
        own = {d.key.identity for app in self.wanted for d in (*app.objects, *app.task_objects)}
        stale = stale_releases(self, selection.apps)
        return frozenset(key.identity for keys in from_releases(stale, own).values() for key in keys)

    def _pruned(self, apps: list[AppPlan], selection: Selection) -> list[AppPlan]:
        pruned = plan_prune(self, apps, selection.apps)
        if not selection.no_prune or not any(op.verb.takes_away for app in pruned for op in app.operations):
            return pruned
        self.warnings.append(f"nothing is pruned: {selection.no_prune}")
        return apps

    def _objects(self) -> Iterable[Desired]:
        for app in self.wanted:
            yield from app.all_objects

    def _look(self) -> None:
        """Look at everything that is wanted, so that apps with the same kinds and namespaces share their lists."""
        used = {name for app in self.wanted for name in _namespaces(app)} | {self.config.settings.namespace}
        self.live.observe([*(d.key for d in self._objects()), *map(namespace_key, sorted(used))])

    def _own_namespaces(self) -> frozenset[str]:
        """Namespaces that the project's own manifests create and that do not exist yet."""
        keys = [d.key for d in self._objects() if d.key.kind == "Namespace" and not d.key.group]
        return frozenset(key.name for key in keys if self.live.absent(key))

    def _missing_namespaces(self) -> dict[str, str]:
        """Missing namespaces that sbkube has to create → the first app that needs each."""
        first: dict[str, AppSpec] = {}
        for app in self.wanted:
            for namespace in _namespaces(app):
                first.setdefault(namespace, app.spec)
        if first:  # the base namespace holds the lock, also when all apps live elsewhere
            first.setdefault(self.config.settings.namespace, next(iter(first.values())))
        own = {d.key.name for d in self._objects() if d.key.kind == "Namespace"}
        keys = {name: namespace_key(name) for name in first if name not in own}
        missing = {name: first[name] for name, key in keys.items() if self.live.absent(key)}
        forbidden = [
            Problem(
                f"{app.name}: namespace {name!r} does not exist and creating it is switched off",
                app.place,
                f"kubectl create namespace {name}, or set create_namespaces: true",
            )
            for name, app in missing.items()
            if not self._may_create(app)
        ]
        if forbidden:
            raise ProjectError("namespaces are missing", problems=forbidden)
        return {name: app.name for name, app in missing.items()}

    def _may_create(self, app: AppSpec) -> bool:
        own: bool | None = getattr(app, "create_namespace", None)
        return self.config.of(app.name).settings.create_namespaces if own is None else own

    def _app(self, app: DesiredApp, namespaces: Mapping[str, str]) -> tuple[AppPlan, list[Compared]]:
        created = [self._namespace(app.spec, n) for n, owner in namespaces.items() if owner == app.spec.name]
        own = app.spec.force_conflicts
        scope = self.config.of(app.spec.name)
        force = scope.settings.force_conflicts if own is None else own
        terms = Terms(self.new_namespaces, force=force, handed=self.from_helm)
        compared = self.comparer.compare_all([*created, *app.objects], terms)
        refused = [c for c in compared if c.problems]
        first = [step for c in compared[: len(created)] for step in object_steps(app.spec.name, c)]
        steps = [step for c in compared[len(created) :] for step in object_steps(app.spec.name, c)]
        changes = [c.change for c in compared]
        if app.release:
            inject = scope.labels_charts_of(app.spec)
            tools = Tools(self.comparer, self.live, self.repairs, inject, self.left)
            handed = to_release(app.release, self.recorded, self.live)
            terms = replace(terms, handed=frozenset(key.identity for key, _ in handed))
            release = plan_release(app.spec.name, app.release, tools, terms)
            if release.steps:
                steps.extend(handover_steps(app.spec.name, app.release, handed))
            self.warnings.extend(release.warnings)
            steps.extend(release.steps)
            changes.extend(release.changes)
            refused.extend(release.refused)
        awaits = self._awaits(app, changes, bool(first or steps))
        timeout = app.spec.timeout or scope.settings.timeout
        if app.rendered.around == Around():
            operations = assemble(app.spec.name, [*first, *steps], awaits, timeout)
            return self._app_plan(app, changes, operations), refused
        operations = assemble(app.spec.name, steps, awaits, timeout)
        tasks = compare_tasks(app, self.comparer, self.live, terms, object_steps)
        for task in tasks:
            changes += [c.change for c in task.compared] or [c for s in task.steps for c in s.operation.changes]
            refused += [c for c in task.compared if c.problems]
        around = Surrounded(app, tasks, tuple(step.operation for step in first), timeout)
        operations = surround(around, operations, lambda c, w: self._awaits(app, c, w))
        return self._app_plan(app, changes, operations), refused

    def _namespace(self, app: AppSpec, name: str) -> Desired:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        ownership = labels.ownership(self.config.name, app.name)
        return Desired(namespace_key(name), labels.decorate(body, ownership, {}, {}), app.name, app.place)

    def _awaits(self, app: DesiredApp, changes: Sequence[Change], writes: bool) -> list[ResourceKey]:
        """What must become ready before the app counts as done; Helm waits for its own objects when it acts."""
        own = {d.key for d in (*app.objects, *app.task_objects)}
        released = app.release is not None and app.release.spec.wait
        result = []
        for change in changes:
            if change.effect is Effect.DELETE or change.key.kind in PASSIVE:
                continue
            if change.key.kind == "CustomResourceDefinition" and change.effect is not Effect.UNCHANGED:
                result.append(change.key)  # whatever the app waits for: others may use the kind next
                continue
            unhealthy = change.effect is Effect.UNCHANGED and not assess(change.before).ready
            if (change.key in own and (writes or unhealthy)) or (change.key not in own and released and unhealthy):
                result.append(change.key)
        return result

    def _source(self, digest: str) -> str:
        """Files may hold secrets, and a plain digest of a short one can be guessed; a commit tells nothing."""
        return digest if digest.startswith("git:") else self.world.ledger.fingerprint({"digest": digest})

    def _app_plan(self, app: DesiredApp, changes: Sequence[Change], operations: tuple[Operation, ...]) -> AppPlan:
        self.world.emit("app.compared", app=app.spec.name, data={"of": len(self.wanted)})
        release = f"{app.release.spec.namespace}/{app.release.spec.name}" if app.release else ""
        return AppPlan(
            name=app.spec.name,
            type=app.spec.type,
            namespace=app.spec.namespace or self.config.settings.namespace,
            depends_on=tuple(dict.fromkeys((*app.spec.depends_on, *self.derived.get(app.spec.name, ())))),
            changes=tuple(changes),
            operations=operations,
            spec=app.spec.snapshot(),
            sources={name: self._source(digest) for name, digest in app.rendered.sources.items()},
            release=release,
            notes=app.rendered.notes,
            on_failure=self.config.of(app.spec.name).settings.on_failure,
        )


def object_steps(app: str, compared: Compared) -> list[Step]:
    """What to do for one object of our own: nothing, a write, or a takeover and then a write."""
    change = compared.change
    verb = effect_of(change)
    if verb is None:
        return []
    step = object_step(app, verb, change, compared.body, force=compared.force)
    if not compared.predecessors or change.before is None:
        return [step]
    first = takeover_step(app, change, compared.predecessors)
    needs = (*step.operation.needs, first.operation.id)
    return [first, replace(step, operation=replace(step.operation, needs=needs))]


def _namespaces(app: DesiredApp) -> Iterator[str]:
    """The namespaces that an app needs."""
    used = [d.key.namespace for d in app.all_objects]
    used += [app.spec.namespace or ""] if app.rendered.around != Around() else []
    used += [app.release.spec.namespace] if app.release else []
    return filter(None, used)


def namespace_key(name: str) -> ResourceKey:
    """Key of a Namespace."""
    return ResourceKey("", "v1", "Namespace", "", name)


def _refusal(refused: Collection[Compared]) -> PlanRefused:
    problems = [problem for c in refused for problem in c.problems]
    conflicts = all(c.change.effect is Effect.CHANGE for c in refused)
    if conflicts:
        return FieldConflict("fields belong to other managers", problems=problems)
    return PlanRefused("the cluster refuses some objects", problems=problems)
