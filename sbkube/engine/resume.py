"""Going on where a run was cut off: the same plan, less what has taken effect.

Nothing is decided anew. What is left of the recorded plan is bound to the objects as they are now, and only if
doing it still means what was planned; what others have changed since is listed, and refuses the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sbkube.apps.charts import load_chart
from sbkube.engine.commands import command_of
from sbkube.engine.compare import Live
from sbkube.engine.continuation import chained, repair, told, without_promises
from sbkube.engine.hooks import at_work
from sbkube.engine.repair import Repairs
from sbkube.engine.settling import cut_off
from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ClusterError, DeploymentNotFound, PlanRefused, Problem, SbkubeError, UsageError
from sbkube.models.command import Command
from sbkube.models.deployment_state import (
    DeploymentDetail,
    DeploymentStatus,
    HelmReleaseRecord,
    LockTarget,
    ResourceRecord,
)
from sbkube.models.outcome import OpState
from sbkube.models.plan import GIVEN_BACK, HELM, AppPlan, Change, Effect, Operation, Plan, Verb
from sbkube.models.release import ReleaseRecord
from sbkube.plan import diff
from sbkube.plan.labels import MANAGER
from sbkube.plan.operations import object_step
from sbkube.ports import Json

AGAIN = "`sbkube apply` plans anew from what is there now"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person has decided about commands that were cut off or failed, by their names, and which commands the
    project holds, by their digests."""

    rerun: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    known: Mapping[str, Command] = field(default_factory=dict)


def plan_resume(
    world: Surroundings, target: LockTarget, detail: DeploymentDetail, choices: Choices = Choices()
) -> Plan:
    """What is left to do of an interrupted deployment that has been settled.

    Raises StateError when the recorded plan cannot be decrypted here, and PlanRefused with everything that others
    have changed since.
    """
    plan = world.ledger.plan(detail.deployment.deployment_id)
    return _Resume(world, target, detail, plan, choices).plan()


def resumable(world: Surroundings, target: LockTarget, reference: str = "") -> DeploymentDetail | None:
    """The interrupted deployment to go on with: the newest that did anything, if it was interrupted, else None.

    With a `reference` it must be that one; PlanRefused when others have been made on top of it.
    """
    wanted = world.ledger.detail(reference, target).deployment if reference else None
    if wanted is not None and wanted.status is not DeploymentStatus.INTERRUPTED:
        return None
    number = 0
    while (detail := _latest(world, target, number)) is not None:
        record = detail.deployment
        if record.status is DeploymentStatus.INTERRUPTED and (wanted is None or record.id == wanted.id):
            return detail
        if record.status is DeploymentStatus.INTERRUPTED or detail.resources or detail.releases:
            break
        number += 1
    if wanted is None or detail is None:
        return None
    raise PlanRefused(
        f"deployment {detail.deployment.deployment_id} was made after {wanted.deployment_id}; nothing was changed",
        hint=AGAIN,
    )


def _latest(world: Surroundings, target: LockTarget, number: int) -> DeploymentDetail | None:
    try:
        return world.ledger.detail(f"latest~{number}", target)
    except DeploymentNotFound:
        return None


@dataclass(slots=True)
class _Left:
    """What is left of an app."""

    operations: list[Operation] = field(default_factory=list)
    changes: dict[tuple[str, str, str, str], Change] = field(default_factory=dict)


class _Resume:
    def __init__(
        self,
        world: Surroundings,
        target: LockTarget,
        detail: DeploymentDetail,
        recorded: Plan,
        choices: Choices,
    ) -> None:
        self._world = world
        self._choices = choices
        self._decided: set[str] = set()
        self._recorded = recorded
        self._id = detail.deployment.deployment_id
        self._objects = {row.operation: row for row in detail.resources if row.verb not in (HELM, GIVEN_BACK)}
        self._releases = {row.operation: row for row in detail.releases}
        self._ended = {a.app_name for a in detail.apps if a.status is DeploymentStatus.SUCCESS}
        self._repairs = Repairs(world, target)
        self._live = Live(world)
        self._problems: list[Problem] = []
        self._warnings: list[str] = []
        self._chains: dict[str, tuple[str, ...]] = {}  # an operation → those that stand for it now, in order

    def plan(self) -> Plan:
        objects = (op for op in self._recorded.operations if op.verb is not Verb.RUN)
        self._live.observe(op.key for op in objects if op.key is not None)
        self._live.observe(c.key for op in self._recorded.operations if op.release for c in op.changes)
        apps = [self._app(app) for app in self._recorded.apps]
        for name in (*self._choices.rerun, *self._choices.skip):
            if name not in self._decided:
                raise UsageError(f"no command {name!r} was cut off or failed", hint=f"see: sbkube show {self._id}")
        if self._problems:
            raise PlanRefused(
                f"deployment {self._id} cannot be gone on with as it was planned; nothing was changed",
                problems=self._problems,
                hint=AGAIN,
            )
        return replace(
            self._recorded,
            parent=self._id,
            apps=tuple(self._relinked(app) for app in without_promises(apps)),
            warnings=tuple(self._warnings),
        )

    def _app(self, app: AppPlan) -> AppPlan:
        left = _Left()
        for op in app.operations:
            for now in self._left_of(op, app.name):
                left.operations.append(now)
                if now.verb is not Verb.WAIT:
                    left.changes.update((change.key.identity, change) for change in now.changes)
        changes = tuple(left.changes.get(c.key.identity) or self._as_it_is(c) for c in app.changes)
        return replace(app, changes=changes, operations=tuple(left.operations))

    def _as_it_is(self, change: Change) -> Change:
        note = change.note if change.effect is Effect.UNCHANGED else f"done by {self._id}"
        return replace(change, effect=Effect.UNCHANGED, fields=(), note=note)

    def _relinked(self, app: AppPlan) -> AppPlan:
        """What needs an operation that became several needs the last of them."""

        def now(op: Operation, name: str) -> str:
            chain = self._chains.get(name, ())
            return chain[-1] if chain and op.id not in chain else name

        def linked(op: Operation) -> Operation:
            needs, after = (tuple(dict.fromkeys(now(op, n) for n in names)) for names in (op.needs, op.after))
            return replace(op, needs=needs, after=after)

        return replace(app, operations=tuple(map(linked, app.operations)))

    def _left_of(self, op: Operation, app: str) -> tuple[Operation, ...]:
        if op.verb is Verb.WAIT:
            return () if app in self._ended else (op,)
        if op.verb is Verb.RUN:
            return self._command(op, self._objects.get(op.id))
        if op.verb.helm:
            return self._release(op, self._releases.get(op.id))
        return self._object(op, self._objects.get(op.id))

    def _command(self, op: Operation, row: ResourceRecord | None) -> tuple[Operation, ...]:
        """One that has ended well is not run again; one that was cut off or failed only if a person says so."""
        command, name = command_of(op), op.key.name if op.key else op.id
        if row is not None and row.state is OpState.APPLIED:
            return ()
        if row is not None:
            self._decided.add(name)
        held = self._choices.known.get(command.digest)
        if held is None and name not in self._choices.skip:
            self._problem(op, f"the project does not hold this command any more: {command.title}")
            return ()
        now = replace(op, desired=held.to_json()) if held else op
        if row is None:
            return (now,)
        if name in self._choices.skip:
            return ()
        if name not in self._choices.rerun:
            how = "failed" if row.state is OpState.FAILED else "was cut off: nobody knows how much of it was done"
            self._problem(op, f"it {how}: {command.title}", f"--rerun {name}, or --skip {name}")
        return (now,)

    def _object(self, op: Operation, row: ResourceRecord | None) -> tuple[Operation, ...]:
        if row is not None and row.state is OpState.APPLIED:
            half = op.verb is Verb.RECREATE and row.after is None
            return self._create_anew(op) if half else ()
        if row is not None and row.state is OpState.SUPERSEDED:
            self._problem(op, row.message)
            return ()
        left: tuple[Operation, ...] = RULES[op.verb](self, op)
        return left

    def _problem(self, op: Operation, message: str, hint: str | None = None) -> None:
        self._problems.append(Problem(f"{op.app}: {op.key or op.id}: {message}", op.source, hint))

    def _create_anew(self, op: Operation) -> tuple[Operation, ...]:
        """It was deleted to be created again, and the run was cut off in between."""
        made = replace(op, verb=Verb.APPLY, id=op.id, uid="", resource_version="")
        return self.create(made)

    def live(self, op: Operation) -> Json | None:
        assert op.key is not None, op.id
        return self._live.get(op.key)

    def create(self, op: Operation) -> tuple[Operation, ...]:
        """What was absent must still be."""
        live = self.live(op)
        if live is not None and not (live.get("metadata") or {}).get("deletionTimestamp"):
            self._problem(op, "it was created by somebody since")
            return ()
        change = replace(op.changes[0], effect=Effect.CREATE, before=None, after=op.desired)
        return (replace(op, changes=(change,)),)

    def apply(self, op: Operation) -> tuple[Operation, ...]:
        """An update must still change what was planned, and nothing else."""
        if not op.uid:
            return self.create(op)
        live = self.live(op)
        if live is None or live["metadata"].get("uid") != op.uid:
            self._problem(op, "it was deleted or replaced by somebody since")
            return ()
        after = self._simulated(op, live)
        same_version = live["metadata"].get("resourceVersion") == op.resource_version
        fields = diff.compare(live, after) if after is not None else ()
        if not same_version and fields and _told(fields) != _told(op.changes[0].fields):
            names = ", ".join(f.path for f in fields if (f.path, repr(f.after)) not in _told(op.changes[0].fields))
            self._problem(op, f"it was changed by somebody since{f': {names}' if names else ''}")
            return ()
        return (self._bound(op, live, after),)

    def _simulated(self, op: Operation, live: Json) -> Mapping[str, Any] | None:
        try:
            return self._world.cluster.dry_run_apply(op.desired or {}, manager=MANAGER, force=op.force)
        except ClusterError as error:
            if live["metadata"].get("resourceVersion") != op.resource_version:
                why = self._world.cleaned(error, op.desired or {})
                self._problem(op, f"it has changed since, and the cluster does not simulate the rest: {why}")
            return None

    @staticmethod
    def _bound(op: Operation, live: Json, after: Mapping[str, Any] | None) -> Operation:
        version = str(live["metadata"].get("resourceVersion", ""))
        change = replace(op.changes[0], before=live, after=after)
        return replace(op, resource_version=version, changes=(change, *op.changes[1:]))

    def exact(self, op: Operation) -> tuple[Operation, ...]:
        """Bound to the object that was planned, whatever its fields are; nothing when that is gone."""
        live = self.live(op)
        if live is None or (op.uid and live["metadata"].get("uid") != op.uid):
            return ()
        if not op.changes:
            return (op,)
        return (self._bound(op, live, op.changes[0].after),)

    def recreate(self, op: Operation) -> tuple[Operation, ...]:
        """Delete and create: the object must be the one that was planned."""
        if bound := self.exact(op):
            return bound
        self._problem(op, "it was deleted or replaced by somebody since")
        return ()

    def hook(self, op: Operation) -> tuple[Operation, ...]:
        """Run it, or wait for the one that was begun before the run was cut off."""
        row = self._objects.get(op.id)
        return (replace(op, uid=at_work(self.live(op), row.started_at)),) if row else (op,)

    def as_planned(self, op: Operation) -> tuple[Operation, ...]:
        """What asks the cluster again itself."""
        return (op,)

    def _release(self, op: Operation, row: HelmReleaseRecord | None) -> tuple[Operation, ...]:
        if row is not None and row.state is OpState.APPLIED:
            return ()
        if row is not None and row.state is OpState.SUPERSEDED:
            self._problem(op, row.message)
            return ()
        if op.verb in (Verb.HELM_ADOPT, Verb.HELM_GIVE_BACK):
            return (op,)
        assert op.release is not None, op.id
        history = self._world.helm.history(op.release.name, op.release.namespace)
        current = history[-1] if history else None
        if op.verb is Verb.HELM_REPAIR:
            stuck = current is not None and current.stuck and current.revision == op.revision
            return (op,) if stuck else ()
        return self._action(op, row, current)

    def _action(
        self, op: Operation, row: HelmReleaseRecord | None, current: ReleaseRecord | None
    ) -> tuple[Operation, ...]:
        begun = row is not None and row.state is OpState.FAILED
        left_at = row.revision_after if row is not None and begun else op.revision
        now = current.revision if current else 0
        gone = op.verb is Verb.HELM_UNINSTALL and current is None
        if gone:
            return ()
        if now != left_at and not (begun and now == op.revision):
            self._problem(op, f"release {_name(op)} is at revision {now}, we left it at {left_at}")
            return ()
        if not self._same_chart(op):
            return ()
        if current is None or not begun or row is None:
            return (self._on_top(op, now),)
        return self._go_on(op, row, current)

    def _go_on(self, op: Operation, row: HelmReleaseRecord, current: ReleaseRecord) -> tuple[Operation, ...]:
        """An action that had begun: free the release, and run of its hooks only what had not finished."""
        clearing = self._still_to_delete(op)
        op = self._on_top(op, current.revision)
        if op.verb is Verb.HELM_INSTALL and op.release is not None:
            op = replace(op, release=replace(op.release, replace=True))
        cut = self._repairs.cut_off(current) if cut_off(row) else None
        if current.stuck and cut is None:
            self._problem(op, f"release {_name(op)} is {current.status}, and not by us")
            return ()
        left = self._repairs.hooks(cut) if cut else None
        self._warnings.extend(told(left, _name(op)))
        freeing = [repair(op.app, current)] if current.stuck and op.verb is not Verb.HELM_UNINSTALL else []
        chain = chained(op, [*freeing, *clearing], left)
        self._chains[op.id] = tuple(member.id for member in chain)
        return chain

    def _still_to_delete(self, op: Operation) -> list[Operation]:
        """What a rollback that was cut off had not deleted yet.

        Helm's rollback deletes what the newest revision has and the target lacks, and the newest one is now that
        of the rollback itself: it would find nothing to delete.
        """
        if op.verb is not Verb.HELM_ROLLBACK or op.release is None:
            return []
        pairs = [(c, self._live.get(c.key)) for c in op.changes if c.effect is Effect.DELETE]
        left = [replace(c, before=live) for c, live in pairs if live is not None and _uid(live) == _uid(c.before)]
        steps = (object_step(op.app, Verb.CLEAR, change, None) for change in left)
        return [replace(step.operation, timeout=op.release.timeout) for step in steps]

    def _on_top(self, op: Operation, revision: int) -> Operation:
        changes = tuple(replace(c, before=self._live.get(c.key)) for c in op.changes)
        return replace(op, revision=revision, changes=changes)

    def _same_chart(self, op: Operation) -> bool:
        """A chart on disk may have changed since; then it is another plan."""
        spec = op.release
        if spec is None or not spec.chart or not spec.chart_digest:
            return True
        try:
            found = load_chart(spec.chart, Path("/"), None).digest
        except SbkubeError as error:
            self._problem(op, f"its chart cannot be read any more: {error.message}")
            return False
        if found != spec.chart_digest:
            self._problem(op, f"the chart {spec.chart} has changed since")
        return found == spec.chart_digest


RULES: Mapping[Verb, Any] = {
    Verb.APPLY: _Resume.apply,
    Verb.CREATE: _Resume.create,
    Verb.DELETE: _Resume.exact,
    Verb.RECREATE: _Resume.recreate,
    Verb.MIGRATE: _Resume.exact,
    Verb.GIVE_BACK: _Resume.as_planned,
    Verb.HANDOVER: _Resume.exact,
    Verb.CLEAR: _Resume.exact,
    Verb.FORGET: _Resume.as_planned,
    Verb.LABEL: _Resume.as_planned,
    Verb.HOOK: _Resume.hook,
    Verb.PATCH: _Resume.apply,
}


def _told(fields: Iterable[Any]) -> set[tuple[str, str]]:
    return {(f.path, repr(f.after)) for f in fields}


def _uid(body: Mapping[str, Any] | None) -> str:
    return str(((body or {}).get("metadata") or {}).get("uid", ""))


def _name(op: Operation) -> str:
    return f"{op.release.namespace}/{op.release.name}" if op.release else op.id
