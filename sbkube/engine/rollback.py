"""Undo is doing: from the record of what was done to a plan that puts things back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sbkube.config.model import ProjectConfig
from sbkube.engine.compare import Comparer, Live, Terms
from sbkube.engine.desired import Desired
from sbkube.engine.emptied import NAMESPACES, Emptied
from sbkube.engine.prepare import PASSIVE, target_of
from sbkube.engine.prune import Removal
from sbkube.engine.releases import manifest_keys, refuse_if_stuck, stored_objects
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.engine.undo import Undo, choose, took_effect
from sbkube.errors import PlanRefused, Problem
from sbkube.models.deployment_state import DeploymentDetail, HelmReleaseRecord, LockTarget, ResourceRecord
from sbkube.models.outcome import OpState
from sbkube.models.plan import BESIDE, AppPlan, Change, Effect, Operation, Plan, Verb
from sbkube.models.release import ReleaseRecord, ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.plan import diff, fieldset, labels, order
from sbkube.plan.labels import HELM_MANAGER, MANAGER
from sbkube.plan.operations import (
    ReleaseStep,
    Step,
    assemble,
    link_apps,
    link_foundations,
    object_step,
    release_step,
)
from sbkube.ports import Recorded

_AFTERWARDS = 10  # deletions come in waves behind everything else, in reverse order
# What the cluster assigns; a recreated object gets new ones.
_ASSIGNED = {
    "Service": ("clusterIP", "clusterIPs"),
    "Pod": ("nodeName",),
    "PersistentVolumeClaim": ("volumeName",),
}


def plan_rollback(config: ProjectConfig, world: Surroundings, undo: Undo) -> Plan:
    """Plan a rollback from the ledger. Raises DeploymentNotFound, or PlanRefused with everything in the way."""
    target = target_of(config, world)
    details = choose(world, target, undo)
    return _Rollback(config, world, target, undo, details).plan()


@dataclass(slots=True)
class _Touched:
    """One object through the deployments to undo: its first and last record."""

    first: ResourceRecord
    last: ResourceRecord


class _Rollback:
    def __init__(
        self,
        config: ProjectConfig,
        world: Surroundings,
        target: LockTarget,
        undo: Undo,
        details: Sequence[DeploymentDetail],
    ) -> None:
        self.config = config
        self.world = world
        self.target = target
        self.undo = undo
        self.details = details
        self.live = Live(world)
        self.index = ReleaseIndex(world.helm)
        self.warnings: list[str] = []
        self.problems: list[Problem] = []
        self.steps: dict[str, list[Step]] = defaultdict(list)
        self.changes: dict[str, list[Change]] = defaultdict(list)
        self.releases: dict[str, str] = {}
        timeout = config.settings.timeout
        self.removal = Removal(self.live, config.name, timeout, self.warnings, consent=undo.consent)

    def plan(self) -> Plan:
        self._releases()
        self._objects()
        if self.problems:
            raise PlanRefused("the rollback needs a decision", problems=self.problems)
        apps = self._linked([self._app(name) for name in self._order()])
        parent = self.details[0].deployment.deployment_id if self.details else ""
        return Plan(
            project=self.config.name,
            namespace=self.config.settings.namespace,
            purpose="rollback",
            cluster=self.world.cluster.info().name,
            cluster_uid=self.target.cluster_uid,
            apps=tuple(apps),
            parent=parent,
            warnings=tuple(self.warnings),
            on_failure="continue",
            max_workers=self.config.settings.max_workers,
        )

    def _wanted(self, app: str) -> bool:
        return not self.undo.apps or app in self.undo.apps

    def _objects(self) -> None:
        touched: dict[tuple[str, str, str, str], _Touched] = {}
        for detail in self.details:
            for row in sorted(detail.resources, key=lambda r: r.position):
                if row.verb in BESIDE or not took_effect(row.state):
                    continue
                if self._wanted(row.app_name):
                    known = touched.setdefault(row.key.identity, _Touched(row, row))
                    known.last = row
        if self.undo.to:
            self._as_left(touched)
        self.live.observe(t.first.key for t in touched.values())
        namespaces = []
        for item in sorted(touched.values(), key=lambda t: order.sort_key(t.first.key)):
            if item.first.key.kind == "Namespace" and item.first.before is None:
                namespaces.append(item)
            else:
                self._object(item)
        self._namespaces(namespaces)

    def _as_left(self, touched: Mapping[tuple[str, str, str, str], _Touched]) -> None:
        """`--to`: what that deployment left counts, not what others made of it before we acted again."""
        left = {key.identity: row for key, row in self.world.ledger.left_by(self.undo.to, self.target).items()}
        for identity, item in touched.items():
            row = left.get(identity)
            if row is not None:
                item.first = replace(item.first, before=row.after, missing_key=row.missing_key)

    def _namespaces(self, items: Sequence[_Touched]) -> None:
        """Namespaces that we created go last, if nothing is left in them."""
        if not items:
            return
        emptied = Emptied(self.world, self.live, [self._app(name) for name in self._order()])
        for item in items:
            known = Recorded(NAMESPACES, item.last.verb, item.last.uid or _uid(item.last.after), "", "", "", "")
            change = emptied.namespace(item.first.key, known, self.config.name, self.warnings)
            if change is not None:
                self._delete(NAMESPACES, change)

    def _object(self, item: _Touched) -> None:
        first, live = item.first, self.live.get(item.first.key)
        if first.missing_key:
            self.problems.append(
                Problem(
                    f"{first.key}: its image is encrypted and the key is not here", None, "set SBKUBE_STATE_KEY"
                )
            )
            return
        if not self.undo.force and self._moved(item, live):
            self.problems.append(
                Problem(f"{first.key} was changed by somebody since", None, "look at it, then use --force")
            )
            return
        if first.before is None:
            self._remove(item)
        else:
            self._restore(item, first.before, live)

    @staticmethod
    def _moved(item: _Touched, live: Mapping[str, Any] | None) -> bool:
        after = item.last.after
        if item.last.verb == Verb.DELETE:
            return live is not None
        if live is None or after is None:
            return live is None and after is not None
        # Only what we set counts: controllers write into every object, and what others own is left alone anyway.
        owned = fieldset.owned_tree(after, MANAGER)
        return fieldset.extract(after, owned) != fieldset.extract(live, owned)

    def _remove(self, item: _Touched) -> None:
        key, app = item.first.key, item.first.app_name
        known = Recorded(app, item.last.verb, item.last.uid or _uid(item.last.after), "", "", "", "")
        change = self.removal.deletion(key, known)
        if change is None:
            return
        self._delete(app, change)

    def _delete(self, app: str, change: Change) -> None:
        self.changes[app].append(change)
        if change.effect is Effect.DELETE:
            step = object_step(app, Verb.DELETE, change, None)
            self.steps[app].append(replace(step, wave=_AFTERWARDS + order.REST - step.wave))

    def _restore(self, item: _Touched, before: Mapping[str, Any], live: Mapping[str, Any] | None) -> None:
        app, key = item.first.app_name, item.first.key
        if live is None:
            body = recreation(before)
            change = Change(key, Effect.CREATE, None, body)
            self._add(app, change, body, force=True)
            return
        restoring, after = self._restoring_body(before)
        fields = diff.compare(live, after)
        effect = Effect.CHANGE if fields else Effect.UNCHANGED
        change = Change(key, effect, live, after, fields)
        if fields:
            self._add(app, change, restoring, force=True)
        else:
            self.changes[app].append(change)

    def _add(self, app: str, change: Change, body: Mapping[str, Any], *, force: bool) -> None:
        self.changes[app].append(change)
        self.steps[app].append(object_step(app, Verb.APPLY, change, body, force=force))

    def _restoring_body(self, before: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What to apply so that the object becomes as it was, and what the server would make of it.

        Applying what we owned then gives up what we added since. Where that is not enough, because fields were
        taken over from others, the whole old object is applied.
        """
        cluster = self.world.cluster
        owned = fieldset.extract(before, fieldset.owned_tree(before, MANAGER))
        after = cluster.dry_run_apply(owned, manager=MANAGER, force=True)
        if not diff.compare(after, before):
            return owned, after
        whole = diff.significant(before) or {}
        return whole, cluster.dry_run_apply(whole, manager=MANAGER, force=True)

    def _releases(self) -> None:
        first: dict[tuple[str, str], tuple[HelmReleaseRecord, str]] = {}
        last: dict[tuple[str, str], HelmReleaseRecord] = {}
        for detail in self.details:
            for row in detail.releases:
                touched = row.state in {OpState.APPLIED, OpState.FAILED}
                if touched and self._wanted(row.app_name):
                    first.setdefault((row.namespace, row.release_name), (row, detail.deployment.deployment_id))
                    last[row.namespace, row.release_name] = row
        for name, (row, deployment) in first.items():
            if self.undo.force or not self._release_moved(last[name]):
                self._release(row, deployment)

    def _release_moved(self, last: HelmReleaseRecord) -> bool:
        """Somebody else acted on the release since; then the plan wants `--force`."""
        current = self.index.get(last.namespace, last.release_name)
        left = last.revision_after or (0 if last.verb == Verb.HELM_UNINSTALL else last.revision_before)
        now = current.revision if current else 0
        if now == left:
            return False
        self.problems.append(
            Problem(
                f"release {last.namespace}/{last.release_name} is at revision {now}, we left it at {left}: "
                "somebody else has changed it since",
                None,
                "look at it, then use --force",
            )
        )
        return True

    def _release(self, row: HelmReleaseRecord, deployment: str) -> None:
        current = self.index.get(row.namespace, row.release_name)
        refuse_if_stuck(current, row.app_name)
        app = row.app_name
        self.releases[app] = f"{row.namespace}/{row.release_name}"
        if not row.revision_before:
            if current is not None:
                step = self.removal.uninstall(app, current)
                self.steps[app].append(replace(step, wave=_AFTERWARDS + order.REST - step.wave))
                self.changes[app].extend(step.operation.changes)
            return
        if current is not None and current.revision == row.revision_before and current.status == "deployed":
            return
        history = self.world.helm.history(row.release_name, row.namespace)
        old = next((r for r in history if r.revision == row.revision_before), None)
        if old is None:
            old = self._put_back(row, deployment)
        if old is not None:
            self._back_to(app, row, old, current)

    def _put_back(self, row: HelmReleaseRecord, deployment: str) -> ReleaseRecord | None:
        """Helm has forgotten the revision: store its recorded release object again, then roll back to it."""
        raw = self.world.ledger.release_record(deployment, row.operation)
        if not raw:
            name = f"release {row.namespace}/{row.release_name}"
            self.problems.append(
                Problem(
                    f"{name}: Helm has lost revision {row.revision_before}, and its record cannot be read here",
                    None,
                    "set SBKUBE_STATE_KEY to the key it was recorded under",
                )
            )
            return None
        record = self.world.helm.decode(raw, row.namespace)
        record = replace(record, labels=labels.ownership(self.config.name, row.app_name))
        body = self.world.helm.storage_object(record)
        key = ResourceKey.of(body)
        self.live.observe([key])
        change = Change(key, Effect.CREATE, None, body, note="Helm's record of the release")
        self.changes[row.app_name].append(change)
        self.steps[row.app_name].append(object_step(row.app_name, Verb.CREATE, change, body))
        return record

    def _back_to(
        self, app: str, row: HelmReleaseRecord, old: ReleaseRecord, current: ReleaseRecord | None
    ) -> None:
        wanted = [Desired(key, body, app) for key, body in stored_objects(old)]
        comparer = Comparer(self.world, self.live, {})
        missing = frozenset(n for n in {d.key.namespace for d in wanted if d.key.namespace} if not self._exists(n))
        changes = [c.change for c in comparer.compare_all(wanted, Terms(missing, HELM_MANAGER, force=True))]
        if current is not None:
            changes += self._surplus(current, {d.key.identity for d in wanted})
        spec = ReleaseSpec(
            name=row.release_name,
            namespace=row.namespace,
            chart="",
            values={},
            chart_name=old.chart_name,
            chart_version=old.chart_version,
            timeout=self.config.settings.timeout,
        )
        revision = current.revision if current else old.revision
        step = ReleaseStep(Verb.HELM_ROLLBACK, spec, revision, old.revision, tuple(changes))
        self.steps[app].append(release_step(app, step))
        self.changes[app].extend(changes)

    def _exists(self, namespace: str) -> bool:
        key = ResourceKey("", "v1", "Namespace", "", namespace)
        self.live.observe([key])
        return self.live.get(key) is not None

    def _surplus(self, current: ReleaseRecord, wanted: Collection[tuple[str, str, str, str]]) -> list[Change]:
        keys = [key for key in manifest_keys(current) if key.identity not in wanted]
        self.live.observe(keys)
        found = ((key, self.live.get(key)) for key in keys)
        return [Change(key, Effect.DELETE, body, None) for key, body in found if body is not None]

    def _order(self) -> list[str]:
        names = [*self.steps, *(n for n in self.changes if n not in self.steps)]
        known = [name for name in self.config.apps if name in names]
        others = [name for name in names if name not in known]
        # Namespaces that come back do so first.
        created = any(c.effect is Effect.CREATE for c in self.changes.get(NAMESPACES, ()))
        return [*others, *known] if created else [*known, *others]

    def _app(self, name: str) -> AppPlan:
        changes, own = self.changes[name], {s.operation.key for s in self.steps[name]}
        awaits = [
            c.key
            for c in changes
            if c.key in own and c.effect in {Effect.CREATE, Effect.CHANGE} and c.key.kind not in PASSIVE
        ]
        spec = self.config.apps.get(name)
        return AppPlan(
            name=name,
            type=spec.type if spec else "removed",
            namespace=(spec.namespace if spec else "") or self.config.settings.namespace,
            depends_on=tuple(spec.depends_on) if spec else (),
            changes=tuple(changes),
            operations=assemble(name, self.steps[name], awaits, self.config.settings.timeout),
            spec=spec.snapshot() if spec else {},
            release=self.releases.get(name, ""),
        )

    def _linked(self, apps: Sequence[AppPlan]) -> list[AppPlan]:
        names = order.app_order({app.name: app.depends_on for app in apps})
        by_name = {app.name: app for app in apps}
        operations: dict[str, tuple[Operation, ...]] = {name: by_name[name].operations for name in names}
        depends: Mapping[str, Sequence[str]] = {name: by_name[name].depends_on for name in names}
        one_at_a_time = not self.config.settings.parallel_apps
        linked = link_foundations(link_apps(operations, depends, one_at_a_time=one_at_a_time))
        if NAMESPACES in linked and not any(op.desired for op in linked[NAMESPACES]):
            before = tuple(op.id for name, own in linked.items() if name != NAMESPACES for op in own)
            last = (op if op.needs else replace(op, needs=before) for op in linked[NAMESPACES])
            linked[NAMESPACES] = tuple(last)
        return [replace(by_name[name], operations=linked[name]) for name in names]


def recreation(before: Mapping[str, Any]) -> dict[str, Any]:
    """A deleted object as it can be created again: without identity, status and what the cluster assigned."""
    owned = fieldset.owned_tree(before, MANAGER)
    if owned:
        return fieldset.extract(before, owned)
    body = dict(diff.significant(before) or {})
    meta = {k: v for k, v in body["metadata"].items() if k != "ownerReferences"}
    spec = body.get("spec")
    if isinstance(spec, Mapping):
        assigned = _ASSIGNED.get(str(body.get("kind")), ())
        keep_headless = spec.get("clusterIP") == "None"
        body["spec"] = {k: v for k, v in spec.items() if k not in assigned or keep_headless}
    return {**body, "metadata": meta}


def _uid(body: Mapping[str, Any] | None) -> str:
    return str(((body or {}).get("metadata") or {}).get("uid", ""))
