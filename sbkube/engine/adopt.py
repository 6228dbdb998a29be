"""`adopt`: take over objects and Helm releases that exist already and that the project describes.

An adoption writes our labels and field ownership, nothing else, so that the plan afterwards is empty. What differs
from the project is refused, unless that is consented to: then it is changed as an apply would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sbkube.config.model import ProjectConfig
from sbkube.engine.compare import Compared, Terms
from sbkube.engine.desired import Desired, DesiredApp, DesiredRelease, render_all, resolve
from sbkube.engine.prepare import Preparation, Selection, object_steps, selected_apps
from sbkube.engine.releases import ReleasePlan, Tools, plan_release
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.errors import PlanRefused, Problem
from sbkube.models.plan import AppPlan, Change, Effect, FieldChange, Plan, Verb
from sbkube.models.release import ReleaseRecord
from sbkube.models.resource import ResourceKey
from sbkube.plan import labels
from sbkube.plan.operations import ReleaseStep, Step, assemble, release_step
from sbkube.plan.redact import LAST_APPLIED

_FIRST = -1  # a wave before everything else
_AGREE = "make the project say what is there, or take the project's values: --force"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to adopt: `KIND/NAME` of objects and names of releases (none: all that exist), of some apps.

    `force`: also what differs or belongs to another project.
    """

    names: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    force: bool = False


def plan_adopt(config: ProjectConfig, world: Surroundings, wish: Wish) -> Plan:
    """Plan an adoption. Raises PlanRefused with everything that differs, is not there, or belongs to others."""
    index = ReleaseIndex(world.helm)
    apps = selected_apps(config, Selection(wish.apps))
    wanted = resolve(config, render_all(config, apps, world, index), world, index)
    return _Adoption(Preparation(config, world, index, wanted), wish).plan()


@dataclass
class _Adoption:
    run: Preparation
    wish: Wish
    problems: list[Problem] = field(default_factory=list)
    found: set[str] = field(default_factory=set)

    def plan(self) -> Plan:
        run = self.run
        self.terms = Terms(force=self.wish.force, steal=self.wish.force)
        apps = [plan for app in run.wanted if (plan := self._app(app)) is not None]
        for name in self.wish.names:
            if name not in self.found:
                hint = "name it as KIND/NAME, or a release by its name"
                self.problems.append(Problem(f"{name} is not described by the project", None, hint))
        if self.problems:
            raise PlanRefused("not everything can be adopted as it is", problems=self.problems)
        return Plan(
            project=run.config.name,
            namespace=run.config.settings.namespace,
            purpose="adopt",
            cluster=run.world.cluster.info().name,
            cluster_uid=run.target.cluster_uid,
            apps=tuple(apps),
            warnings=tuple(run.warnings),
            max_workers=run.config.settings.max_workers,
        )

    def _app(self, app: DesiredApp) -> AppPlan | None:
        name = app.spec.name
        chosen = [item for item in app.objects if self._chosen(f"{item.key.kind}/{item.key.name}")]
        self.run.live.observe(item.key for item in chosen)
        present = [item for item in chosen if self._present(item)]
        compared = [self._judged(c) for c in self.run.comparer.compare_all(present, self.terms)]
        steps = [step for c in compared for step in self._steps(name, c)]
        changes = [c.change for c in compared]
        if app.release is not None and self._chosen(app.release.spec.name):
            release = self._release(app, app.release)
            steps.extend(release.steps)
            changes.extend(release.changes)
        if not steps:
            return None
        operations = assemble(name, steps, (), self.run.config.settings.timeout)
        namespace = app.spec.namespace or self.run.config.settings.namespace
        release_name = f"{app.release.spec.namespace}/{app.release.spec.name}" if app.release else ""
        return AppPlan(
            name, app.spec.type, namespace, changes=tuple(changes), operations=operations,
            spec=app.spec.snapshot(), release=release_name,
        )  # fmt: skip

    def _chosen(self, name: str) -> bool:
        hits = [given for given in self.wish.names if given.lower() == name.lower()]
        self.found.update(hits)
        return bool(hits) or not self.wish.names

    def _present(self, item: Desired) -> bool:
        """It exists and is not ours yet; what was named and does not exist is a problem."""
        live = self.run.live
        if why := live.hidden(item.key):
            self._problem(item, f"it cannot be read: {why}", "ask for the right to do so")
            return False
        body = live.get(item.key)
        if body is None:
            if self.wish.names:
                self._problem(item, "it does not exist", "sbkube apply creates it")
            return False
        known = self.run.recorded.get(item.key)
        if known is None or known.uid != body["metadata"].get("uid") or known.verb == Verb.MIGRATE:
            return True
        if self.wish.names:
            self.run.warnings.append(f"{item.key} belongs to the project already")
        return False

    def _problem(self, item: Desired, message: str, hint: str) -> None:
        self.problems.append(Problem(f"{item.app}: {item.key}: {message}", item.source, hint))

    def _judged(self, compared: Compared) -> Compared:
        """Refuse what would change more than labels and ownership."""
        change = compared.change
        self.problems.extend(compared.problems)
        differs = [f for f in change.fields if not _ownership_only(f)]
        if change.effect in {Effect.UNKNOWN, Effect.RECREATE} and not compared.problems:
            text = f"{change.key}: {change.note or 'it would have to be recreated'}"
            self.problems.append(Problem(text, change.source, "apply it instead"))
        elif differs and not self.wish.force and not compared.problems:
            shown = ", ".join(f.path for f in differs)
            text = f"{change.key} differs from the project in {shown}"
            self.problems.append(Problem(text, change.source, _AGREE))
        note = "; ".join(filter(None, ("adopted", change.note)))
        return replace(compared, change=replace(change, effect=Effect.CHANGE, note=note))

    @staticmethod
    def _steps(app: str, compared: Compared) -> Iterator[Step]:
        for step in object_steps(app, compared):
            yield replace(step, awaits=())

    def _release(self, app: DesiredApp, wanted: DesiredRelease) -> ReleasePlan:
        name, current, run = app.spec.name, wanted.current, self.run
        where = f"{wanted.spec.namespace}/{wanted.spec.name}"
        if current is None:
            if self.wish.names:
                hint = "sbkube apply installs it"
                self.problems.append(Problem(f"{name}: release {where} does not exist", app.spec.place, hint))
            return ReleasePlan((), ())
        if current.labels.get(labels.PROJECT) == wanted.spec.labels[labels.PROJECT]:
            if self.wish.names:
                run.warnings.append(f"release {where} belongs to the project already")
            return ReleasePlan((), ())
        tools = Tools(run.comparer, run.live, run.repairs, inject=False, left=run.left)
        planned = plan_release(name, wanted, tools, self.terms)
        self.problems.extend(problem for c in planned.refused for problem in c.problems)
        if planned.steps and not (self.wish.force or planned.refused):
            self.problems.append(_differing(name, where, planned.changes, app))
        change = _record_change(current)
        step = _adoption(name, current, wanted, planned.changes)
        return ReleasePlan((*planned.changes, change), (step, *planned.steps))


def _differing(app: str, where: str, changes: Sequence[Change], desired: DesiredApp) -> Problem:
    paths = [f"{c.key.kind}/{c.key.name} {f.path}" for c in changes for f in c.fields if c.effect is Effect.CHANGE]
    others = [f"{c.key.kind}/{c.key.name}" for c in changes if c.effect in {Effect.CREATE, Effect.DELETE}]
    shown = ", ".join([*paths, *others][:8]) or "its chart, version or values"
    return Problem(f"{app}: release {where} differs from the project in {shown}", desired.spec.place, _AGREE)


def _record_change(current: ReleaseRecord) -> Change:
    name = f"sh.helm.release.v1.{current.name}.v{current.revision}"
    key = ResourceKey("", "v1", "Secret", current.namespace, name)
    note = f"release {current.namespace}/{current.name} is adopted: Helm's record of it gets our labels"
    return Change(key, Effect.CHANGE, None, None, note=note)


def _adoption(app: str, current: ReleaseRecord, wanted: DesiredRelease, changes: Sequence[Change]) -> Step:
    """The release is ours before anything else happens to it. Its objects get our labels with the next change."""
    spec = replace(wanted.spec, values={}, chart="", chart_digest="")
    own = tuple(change for change in changes if change.before is not None)
    step = release_step(app, ReleaseStep(Verb.HELM_ADOPT, spec, current.revision, changes=own))
    return replace(step, wave=_FIRST)


def _ownership_only(change: FieldChange) -> bool:
    """Our labels, or kubectl's note to itself."""
    path, ours = change.path, {labels.PROJECT, labels.APP, labels.MANAGED_BY}
    if path == "metadata.labels":
        return set(change.after or {}) <= ours and not change.before
    if path == "metadata.annotations":
        return set(change.before or {}) <= {LAST_APPLIED} and not change.after
    named = {f"metadata.labels[{name!r}]" for name in ours} | {f"metadata.annotations[{LAST_APPLIED!r}]"}
    return path in named
