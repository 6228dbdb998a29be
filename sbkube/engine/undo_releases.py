"""Undoing what was done to Helm releases: back to a revision, put back from the record, or uninstalled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sbkube.engine.compare import Comparer, Terms
from sbkube.engine.continuation import chained
from sbkube.engine.desired import Desired
from sbkube.engine.draft import Draft
from sbkube.engine.moved import LOOK, why_moved
from sbkube.engine.releases import label_steps, manifest_keys, stored_objects
from sbkube.models.deployment_state import DeploymentDetail, HelmReleaseRecord, ResourceRecord
from sbkube.models.outcome import OpState
from sbkube.models.plan import Change, Effect, Verb
from sbkube.models.release import ReleaseRecord, ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.plan import labels
from sbkube.plan.labels import HELM_MANAGER
from sbkube.plan.operations import ReleaseStep, object_step, release_step

_FIRST = -1  # a wave before everything else
_LAST = 6  # and one behind it
_OPPOSITE = {Verb.HELM_ADOPT.value: Verb.HELM_GIVE_BACK, Verb.HELM_GIVE_BACK.value: Verb.HELM_ADOPT}
_TOUCHED = frozenset({OpState.APPLIED, OpState.FAILED})


@dataclass(slots=True)
class _Touched:
    """One release through the deployments to undo: first and last record, and where the first one is from."""

    first: HelmReleaseRecord
    deployment: str
    last: HelmReleaseRecord
    objects: Sequence[ResourceRecord] = ()  # of the last action
    whose: HelmReleaseRecord | None = None  # the first one that made it ours, or gave it back
    absent: bool = False  # there was no release before: its record was put back by the same deployment


class ReleaseUndo:
    """Plans the way back of every release that the deployments touched."""

    def __init__(self, draft: Draft, details: Sequence[DeploymentDetail]) -> None:
        self._draft = draft
        self._details = details

    def plan(self) -> None:
        """Add changes and steps to the draft, or what stands in their way. Raises PlanRefused for a stuck one."""
        touched = self._touched()
        self._draft.live.observe(row.key for item in touched.values() for row in item.objects)
        for item in touched.values():
            if self._draft.undo.force or not (self._release_moved(item.last) or self._objects_moved(item)):
                self._release(item)

    def _touched(self) -> dict[tuple[str, str], _Touched]:
        touched: dict[tuple[str, str], _Touched] = {}
        for detail in self._details:
            for row in detail.releases:
                if row.state not in _TOUCHED or row.verb == Verb.HELM_REPAIR:
                    continue
                if not self._draft.wants(row.app_name):
                    continue
                name, deployment = (row.namespace, row.release_name), detail.deployment.deployment_id
                item = touched.setdefault(name, _Touched(row, deployment, row, absent=_put_back_by(detail, row)))
                item.last = row
                if row.verb in _OPPOSITE:
                    item.whose = item.whose or row
                item.objects = [r for r in detail.resources if r.operation == row.operation and r.verb == "helm"]
        return touched

    def _release_moved(self, last: HelmReleaseRecord) -> bool:
        """Somebody else acted on the release since; then the plan wants `--force`."""
        current = self._draft.index.get(last.namespace, last.release_name)
        left = last.revision_after or (0 if last.verb == Verb.HELM_UNINSTALL else last.revision_before)
        now = current.revision if current else 0
        if now == left:
            return False
        name = f"release {last.namespace}/{last.release_name}"
        if current is None:
            self._draft.problem(f"{name} was uninstalled by somebody since", "--force puts it back")
        else:
            when = f" at {current.updated}" if current.updated else ""
            self._draft.problem(
                f"{name} is at revision {now}, we left it at {left}: somebody else has changed it{when}", LOOK
            )
        return True

    def _objects_moved(self, item: _Touched) -> bool:
        """Somebody edited objects of the release since: each is named with its fields."""
        found = [
            why_moved(row.key, row.after, self._draft.live.get(row.key), HELM_MANAGER)
            for row in item.objects
            if row.after is not None
        ]
        problems = [problem for problem in found if problem is not None]
        self._draft.problems.extend(problems)
        return bool(problems)

    def _release(self, item: _Touched) -> None:
        row, draft = item.first, self._draft
        current = draft.index.get(row.namespace, row.release_name)
        draft.release(row.app_name, f"{row.namespace}/{row.release_name}")
        if not row.revision_before or item.absent:
            if current is not None:
                for step in draft.removal.uninstall(row.app_name, current):
                    draft.take_away(row.app_name, step)
                    draft.show(row.app_name, *step.operation.changes)
            return
        recorded = self._recorded(item)
        history = draft.world.helm.history(row.release_name, row.namespace)
        old = next((r for r in history if r.revision == row.revision_before), None)
        if old is not None and (recorded is None or same_content(old, recorded)):
            if current is None or current.status != "deployed" or not same_content(current, old):
                self._back_to(item, old, current)
            self._whose(item, old)
        elif recorded is None:
            draft.problem(
                f"release {row.namespace}/{row.release_name}: Helm has lost revision {row.revision_before}, "
                "and its record cannot be read here",
                "set SBKUBE_STATE_KEY to the key it was recorded under",
            )
        else:
            self._put_back(item, recorded, history, current)

    def _recorded(self, item: _Touched) -> ReleaseRecord | None:
        """The release as it was before, from our own record, or None where that cannot be read."""
        world, row = self._draft.world, item.first
        raw = world.ledger.release_record(item.deployment, row.operation)
        return world.helm.decode(raw, row.namespace) if raw else None

    def _put_back(
        self,
        item: _Touched,
        recorded: ReleaseRecord,
        history: Sequence[ReleaseRecord],
        current: ReleaseRecord | None,
    ) -> None:
        """Helm has forgotten the revision: store its recorded release object again, then roll back to it.

        Where its number belongs to a later release of the same name, a free number below is taken; where there is
        none, that release is uninstalled first.
        """
        app, draft = item.first.app_name, self._draft
        revision = _free_number(recorded.revision, [r.revision for r in history])
        if not revision and current is not None:
            uninstalling = draft.removal.uninstall(app, current)
            for step in uninstalling:
                draft.put_back(app, replace(step, wave=_FIRST))
                draft.show(app, *step.operation.changes)
            gone = {change.key.identity for step in uninstalling for change in step.operation.changes}
            revision, current = recorded.revision, None
        else:
            gone = set()
        owner = labels.ownership(draft.config.name, app)
        record = replace(recorded, revision=revision, labels=owner)
        body = draft.world.helm.storage_object(record)
        key = ResourceKey.of(body)
        change = Change(key, Effect.CREATE, None, body, note="Helm's record of the release")
        draft.show(app, change)
        draft.put_back(app, object_step(app, Verb.CREATE, change, body))
        self._back_to(item, record, current, gone)
        self._whose(item, record)

    def _whose(self, item: _Touched, old: ReleaseRecord) -> None:
        """The release belongs to who had it before: an adoption is undone, or made again."""
        if item.whose is None:
            return
        row, draft = item.whose, self._draft
        app, verb = row.app_name, _OPPOSITE[row.verb]
        own = labels.ownership(draft.config.name, app)
        spec = ReleaseSpec(
            row.release_name, row.namespace, "", {},
            chart_name=old.chart_name, chart_version=old.chart_version, labels=own,
        )  # fmt: skip
        objects = stored_objects(old)
        draft.live.observe(key for key, _ in objects)
        seen = ((key, draft.live.seen(key)) for key, _ in objects)
        changes = tuple(Change(key, Effect.UNCHANGED, live, live) for key, live in seen if live is not None)
        step = release_step(app, ReleaseStep(verb, spec, row.revision_before, changes=changes))
        draft.put_back(app, replace(step, wave=_LAST))
        if verb is Verb.HELM_GIVE_BACK:
            draft.warnings.append(f"release {row.namespace}/{row.release_name} will not be the project's any more")

    def _back_to(
        self,
        item: _Touched,
        old: ReleaseRecord,
        current: ReleaseRecord | None,
        gone: Collection[tuple[str, str, str, str]] = (),
    ) -> None:
        """Roll back to `old`; `gone` are objects that an earlier step of this plan removes."""
        row, draft = item.first, self._draft
        app = row.app_name
        wanted = [Desired(key, body, app) for key, body in stored_objects(old)]
        comparer = Comparer(draft.world, draft.live, draft.recorded, draft.target)
        used = {d.key.namespace for d in wanted if d.key.namespace}
        missing = frozenset(name for name in used if not self._exists(name))
        compared = comparer.compare_all(wanted, Terms(missing, HELM_MANAGER, force=True))
        if not draft.undo.force:
            draft.problems.extend(problem for c in compared for problem in c.problems)
        for change in (c.change for c in compared if c.change.effect is Effect.RECREATE and not c.problems):
            draft.put_back(app, replace(object_step(app, Verb.CLEAR, change, None), wave=_FIRST))
        changes = [_as_new(c.change) if c.change.key.identity in gone else c.change for c in compared]
        if current is not None:
            kept = {d.key.identity for d in wanted}
            changes += self._surplus(current, kept)
            changes += self._unfinished(row, current, kept)
        spec = ReleaseSpec(
            name=row.release_name,
            namespace=row.namespace,
            chart="",
            values=old.values,
            chart_name=old.chart_name,
            chart_version=old.chart_version,
            timeout=draft.config.settings.timeout,
            force_conflicts=any(c.force for c in compared),
        )
        revision = current.revision if current else old.revision
        freeing = [step.operation for step in draft.repairs.steps(current, app)]
        step = release_step(app, ReleaseStep(Verb.HELM_ROLLBACK, spec, revision, old.revision, tuple(changes)))
        for operation in chained(step.operation, freeing, None):
            draft.put_back(app, replace(step, operation=operation))
        if self._labelled(app) and not (item.whose and item.whose.verb == Verb.HELM_ADOPT):
            # Helm makes objects anew without the labels that we merge onto them.
            for label in label_steps(app, wanted, labels.ownership(draft.config.name, app), draft.live, gone):
                draft.put_back(app, label)
        draft.show(app, *changes)

    def _labelled(self, app: str) -> bool:
        config = self._draft.config
        return config.of(app).labels_charts_of(config.apps.get(app))

    def _exists(self, namespace: str) -> bool:
        key = ResourceKey("", "v1", "Namespace", "", namespace)
        self._draft.live.observe([key])
        return self._draft.live.get(key) is not None

    def _unfinished(
        self, row: HelmReleaseRecord, current: ReleaseRecord, wanted: Collection[tuple[str, str, str, str]]
    ) -> list[Change]:
        """What the deployed revision has and neither the newest one, which failed, nor the old one has.

        Helm compares the old revision with the newest one and would leave it: so we delete it.
        """
        if current.status == "deployed":
            return []
        history = self._draft.world.helm.history(row.release_name, row.namespace)
        deployed = next((record for record in reversed(history) if record.status == "deployed"), None)
        if deployed is None:
            return []
        known = {*wanted, *(key.identity for key in manifest_keys(current))}
        left = self._surplus(deployed, known)
        for change in left:
            if change.effect is Effect.DELETE:
                step = object_step(row.app_name, Verb.CLEAR, change, None)
                self._draft.put_back(row.app_name, replace(step, wave=_FIRST))
        return left

    def _surplus(self, current: ReleaseRecord, wanted: Collection[tuple[str, str, str, str]]) -> list[Change]:
        """What the release has now and the old revision lacks: Helm deletes it, unless it is to be kept."""
        live = self._draft.live
        keys = [key for key in manifest_keys(current) if key.identity not in wanted]
        live.observe(keys)
        surplus = []
        for key in keys:
            body = live.get(key)
            if body is not None and labels.kept(body):
                surplus.append(Change(key, Effect.UNCHANGED, body, body, note="kept: its resource policy says so"))
            elif body is not None:
                surplus.append(Change(key, Effect.DELETE, body, None))
        return surplus


def same_content(one: ReleaseRecord, other: ReleaseRecord) -> bool:
    """Two revisions would be the same objects, hooks and values."""
    return (
        (one.chart_name, one.chart_version, one.manifest.strip(), sorted(one.hooks))
        == (other.chart_name, other.chart_version, other.manifest.strip(), sorted(other.hooks))
    ) and dict(one.values) == dict(other.values)


def _put_back_by(detail: DeploymentDetail, row: HelmReleaseRecord) -> bool:
    """The deployment had stored the revision it started from itself: before it there was no release."""
    name = f"sh.helm.release.v1.{row.release_name}.v{row.revision_before}"
    return row.verb == Verb.HELM_ROLLBACK and any(
        r.key.kind == "Secret"
        and r.key.name == name
        and r.key.namespace == row.namespace
        and r.verb == Verb.CREATE
        for r in detail.resources
    )


def _free_number(wanted: int, taken: Sequence[int]) -> int:
    """`wanted`, if Helm can hold it before what it has; else the next one below; 0 where there is none."""
    lowest = min(taken, default=wanted + 1)
    return wanted if wanted < lowest else lowest - 1


def _as_new(change: Change) -> Change:
    return Change(change.key, Effect.CREATE, None, change.after, note="made anew")
