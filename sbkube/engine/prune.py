"""What earlier deployments left and nobody wants any more; `delete` is the same with nothing wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sbkube.engine.compare import Live
from sbkube.engine.continuation import chained, told
from sbkube.engine.desired import render_all, resolve
from sbkube.engine.handover import dissolve_steps, from_releases
from sbkube.engine.releases import manifest_keys
from sbkube.engine.repair import Repairs
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.errors import ProjectError
from sbkube.models.deployment_state import LockTarget
from sbkube.models.plan import BESIDE, AppPlan, Change, Effect, Verb
from sbkube.models.release import RELEASE_STORAGE, ReleaseRecord, ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.models.selection import named, selects
from sbkube.plan import labels, order
from sbkube.plan.operations import ReleaseStep, Step, assemble_deletion, object_step, release_step
from sbkube.ports import KEPT, HelmPort, Recorded

if TYPE_CHECKING:
    from sbkube.engine.prepare import Preparation


NOTHING: Mapping[str, Sequence[ResourceKey]] = {}


def own_objects(recorded: Mapping[ResourceKey, Recorded]) -> dict[ResourceKey, Recorded]:
    """Recorded objects that are ours to delete: neither Helm's objects nor Helm's records of releases."""
    return {
        key: known
        for key, known in recorded.items()
        if known.verb not in BESIDE and known.verb != Verb.MIGRATE.value and not is_release_storage(key)
    }


def is_release_storage(key: ResourceKey) -> bool:
    """The Secret in which Helm keeps a revision."""
    return key.kind == "Secret" and not key.group and key.name.startswith(RELEASE_STORAGE)


def plan_prune(run: Preparation, apps: list[AppPlan], selection: Collection[str]) -> list[AppPlan]:
    """Add deletions of what the project created and wants no more; only within the selected apps."""
    leftover = {key: known for key, known in own_objects(run.recorded).items() if selects(selection, known.app)}
    stale = stale_releases(run, selection)
    wanted = Wanted.of(apps, run.config.settings.namespace)
    leftover, stale = wanted.without(leftover, stale)
    staying = wanted.objects
    if (leftover or stale) and selection:
        others = _wanted_by_others(run, selection)
        leftover, stale = others.without(leftover, stale) if others else ({}, [])
        staying |= others.objects if others else frozenset()
    if not leftover and not stale:
        return apps
    timeout, helm = run.config.settings.timeout, run.world.helm
    removal = Removal(run.live, run.config.name, timeout, run.warnings, run.repairs, helm=helm)
    dissolved = from_releases(stale, staying)
    return _added(apps, removal.plans(leftover, stale, dissolved))


def stale_releases(run: Preparation, selection: Collection[str]) -> list[ReleaseRecord]:
    """Releases of this project that no rendered app wants; only those of the selected apps."""
    namespaces = {key.namespace for key in run.recorded if key.namespace}
    namespaces |= {app.spec.namespace or run.config.settings.namespace for app in run.wanted}
    specs = [app.release.spec for app in run.wanted if app.release]
    wanted = {(spec.namespace, spec.name) for spec in specs}
    return [
        record
        for record in known_releases(run.world, run.target, run.index, namespaces, run.recorded)
        if (record.namespace, record.name) not in wanted and selects(selection, labels.app_of(record.labels))
    ]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Objects (by identity) and releases (`NAMESPACE/NAME`) that some app wants."""

    objects: frozenset[tuple[str, str, str, str]]
    releases: frozenset[str]

    @classmethod
    def of(cls, apps: Sequence[AppPlan], base: str) -> Wanted:
        """What the plans of apps are about. A namespace is wanted as long as something is in it."""
        keys = [change.key for app in apps for change in app.changes]
        places = {key.namespace for key in keys} | {base}
        namespaces = {("", "Namespace", "", name) for name in places if name}
        return cls(
            frozenset({key.identity for key in keys} | namespaces),
            frozenset(app.release for app in apps if app.release),
        )

    def without(
        self, objects: Mapping[ResourceKey, Recorded], releases: Sequence[ReleaseRecord]
    ) -> tuple[dict[ResourceKey, Recorded], list[ReleaseRecord]]:
        """What of these nobody wants."""
        return (
            {key: known for key, known in objects.items() if key.identity not in self.objects},
            [record for record in releases if f"{record.namespace}/{record.name}" not in self.releases],
        )


def _wanted_by_others(run: Preparation, selection: Collection[str]) -> Wanted | None:
    """What the apps want that were not selected: it may have moved to them. None, with a warning, if unknown."""
    others = [app for app in run.config.apps.values() if app.enabled and not named(selection, app.name)]
    try:
        desired = resolve(run.config, render_all(run.config, others, run.world, run.index), run.world, run.index)
    except ProjectError as error:
        run.warnings.append(f"nothing is pruned, since other apps may want it and cannot be rendered: {error}")
        return None
    keys = [d.key for app in desired for d in app.all_objects]
    namespaces = {("", "Namespace", "", key.namespace) for key in keys if key.namespace}
    specs = [app.release.spec for app in desired if app.release]
    return Wanted(
        frozenset({key.identity for key in keys} | namespaces),
        frozenset(f"{spec.namespace}/{spec.name}" for spec in specs),
    )


def _added(apps: list[AppPlan], removed: Sequence[AppPlan]) -> list[AppPlan]:
    """Deletions of an app that still exists come after its other operations."""
    extra = {plan.name: plan for plan in removed}
    merged = []
    for app in apps:
        more = extra.pop(app.name, None)
        if more is not None:
            ends = tuple(op.id for op in app.operations)
            later = tuple(op if op.needs else replace(op, needs=ends) for op in more.operations)
            app = replace(app, changes=app.changes + more.changes, operations=app.operations + later)
        merged.append(app)
    return [*merged, *extra.values()]


GONE = "deleted by somebody else"


def removal_steps(app: str, change: Change, known: Recorded) -> list[Step]:
    """Delete it; or, where others have done so, note that in the ledger, so that it is missed no longer."""
    if change.effect is Effect.DELETE:
        return [object_step(app, Verb.DELETE, change, None)]
    if not change.note.startswith(GONE):
        return []
    step = object_step(app, Verb.FORGET, replace(change, before=None), None)
    return [replace(step, awaits=(), operation=replace(step.operation, uid=known.uid))]


def project_releases(index: ReleaseIndex, namespaces: Collection[str], project: str) -> list[ReleaseRecord]:
    """Releases whose storage carries the project's label."""
    name = labels.label_value(project)
    return [
        record
        for namespace in sorted(namespaces)
        for record in index.of(namespace).values()
        if record.labels.get(labels.PROJECT) == name
    ]


def known_releases(
    world: Surroundings,
    target: LockTarget,
    index: ReleaseIndex,
    namespaces: Collection[str],
    recorded: Mapping[ResourceKey, Recorded],
) -> list[ReleaseRecord]:
    """Those of them that this project deployed from this base namespace, as the ledger knows.

    A project may be deployed twice to one cluster, from two base namespaces: each leaves the other's alone.
    """
    ours = {(row.namespace, row.release_name) for row in world.ledger.releases(target)}
    places = {*namespaces, *(namespace for namespace, _ in ours)}
    ours |= {(key.namespace, _release_of(key)) for key in recorded if is_release_storage(key)}  # adopted
    known = {key.identity for key in recorded}
    return [
        record
        for record in project_releases(index, places, target.project)
        if (record.namespace, record.name) in ours or any(key.identity in known for key in manifest_keys(record))
    ]


def _release_of(key: ResourceKey) -> str:
    """The release that a Secret of Helm's is a record of."""
    return key.name.removeprefix(RELEASE_STORAGE).rpartition(".v")[0]


class Removal:
    """Plans deletions, by the rule: the recorded uid, our mark on it, not kept, and no data without consent."""

    def __init__(
        self,
        live: Live,
        project: str,
        timeout: float,
        warnings: list[str],
        repairs: Repairs,
        *,
        consent: bool = False,
        helm: HelmPort | None = None,
    ) -> None:
        """`consent` allows the deletion of objects that hold data. `timeout` is in seconds. `helm` is needed where
        releases are taken apart."""
        self._helm = helm
        self._repairs = repairs
        self._live = live
        self._project = project
        self._timeout = timeout
        self._warnings = warnings
        self._consent = consent

    def plans(
        self,
        objects: Mapping[ResourceKey, Recorded],
        releases: Sequence[ReleaseRecord],
        dissolved: Mapping[str, Sequence[ResourceKey]] = NOTHING,
    ) -> list[AppPlan]:
        """One plan per app that something is removed of. Of the releases in `dissolved` these objects stay."""
        self._live.observe(objects)
        steps: dict[str, list[Step]] = defaultdict(list)
        changes: dict[str, list[Change]] = defaultdict(list)
        for key in sorted(objects, key=order.sort_key):
            change = self.deletion(key, objects[key])
            if change is not None:
                changes[objects[key].app].append(change)
                steps[objects[key].app].extend(removal_steps(objects[key].app, change, objects[key]))
        released: dict[str, str] = {}
        for record in releases:
            app = labels.app_of(record.labels) or record.name
            name = f"{record.namespace}/{record.name}"
            staying = dissolved.get(name, ())
            uninstalling = self._dissolve(app, record, staying) if staying else self.uninstall(app, record)
            released[app] = name
            steps[app].extend(uninstalling)
            changes[app].extend(change for step in uninstalling for change in step.operation.changes)
        return [self._app_plan(app, changes[app], steps[app], released.get(app, "")) for app in changes]

    def deletion(self, key: ResourceKey, known: Recorded) -> Change | None:
        """Delete one object, keep it with a warning, or nothing when it is gone already."""
        body = self._live.get(key)
        if body is None:
            return Change(key, Effect.UNCHANGED, None, None, note=GONE)
        if (body.get("metadata") or {}).get("uid") != known.uid:
            self._warnings.append(f"{key} is kept: it is not the object that we created")
            return Change(key, Effect.UNCHANGED, body, body, note=f"{GONE}, and made again")
        if (body.get("metadata") or {}).get("deletionTimestamp"):
            return None
        reason = self._reason_to_keep(key, body, known)
        if reason:
            self._warnings.append(f"{key} is kept: {reason}")
            return Change(key, Effect.UNCHANGED, body, body, note=f"kept: {reason}")
        return Change(key, Effect.DELETE, body, None)

    def _reason_to_keep(self, key: ResourceKey, body: Mapping[str, object], known: Recorded) -> str:
        if known.verb == KEPT:
            return "it was there before us"
        if not labels.ours(body, self._project):
            return "neither our label nor our field manager is on it"
        if labels.kept(body):
            return "an annotation on it says so"
        if key.kind in order.DATA_BEARING and not self._consent:
            return "it may hold data (--delete-data deletes it)"
        return ""

    def uninstall(self, app: str, record: ReleaseRecord) -> list[Step]:
        """Uninstall a release, naming every object that goes with it; what was cut off is gone on with."""
        freeing = [step.operation for step in self._repairs.steps(record, app)]
        keys = manifest_keys(record)
        self._live.observe(keys)
        found = [(key, self._live.seen(key)) for key in keys]
        changes = tuple(
            Change(key, Effect.UNCHANGED, body, body, note="kept: its resource policy says so")
            if labels.kept(body)
            else Change(key, Effect.DELETE, body, None)
            for key, body in found
            if body is not None
        )
        spec = ReleaseSpec(
            name=record.name,
            namespace=record.namespace,
            chart="",
            values={},
            chart_name=record.chart_name,
            chart_version=record.chart_version,
            timeout=self._timeout,
        )
        step = release_step(app, ReleaseStep(Verb.HELM_UNINSTALL, spec, record.revision, changes=changes))
        cut, left = self._repairs.cut_off(record), None
        if cut is not None and cut.verb is Verb.HELM_UNINSTALL:
            freeing, left = [], self._repairs.hooks(cut)  # Helm goes on with an uninstallation by itself
            self._warnings.extend(told(left, f"{record.namespace}/{record.name}"))
        return [replace(step, operation=op) for op in chained(step.operation, freeing, left)]

    def _dissolve(self, app: str, record: ReleaseRecord, staying: Sequence[ResourceKey]) -> list[Step]:
        """Take a release apart around objects that stay; Helm would delete those too."""
        kept = ", ".join(map(str, staying))
        self._warnings.append(
            f"release {record.namespace}/{record.name} is taken apart and not uninstalled, because {kept} stays: "
            "its hooks for deletion do not run"
        )
        assert self._helm is not None
        return dissolve_steps(app, record, staying, self._live, self._helm)

    def _app_plan(self, app: str, changes: Sequence[Change], steps: Sequence[Step], release: str) -> AppPlan:
        namespace = next((c.key.namespace for c in changes if c.key.namespace), "")
        operations = assemble_deletion(app, steps, self._timeout)
        return AppPlan(
            name=app,
            type="removed",
            namespace=namespace,
            changes=tuple(changes),
            operations=operations,
            release=release,
        )
