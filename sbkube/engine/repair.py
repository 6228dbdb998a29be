"""Releases that an action of ours left half done: who was at work, how to free them, and how to go on.

Helm refuses to touch a release in `pending-*`, and one in `uninstalling` can only be uninstalled. It is freed by
marking the cut off revision as failed, as Helm does itself when an action ends badly. That is done only where our
own record proves that the action was ours and that its run is over; otherwise the plan is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sbkube.engine.compare import Live
from sbkube.engine.continuation import repair
from sbkube.engine.hooks import Evidence, HooksLeft, hooks_left
from sbkube.engine.releases import manifest_keys
from sbkube.engine.settling import cut_off, planned_operations
from sbkube.engine.surroundings import Surroundings
from sbkube.errors import PlanRefused
from sbkube.models.deployment_state import LockTarget
from sbkube.models.outcome import OpState
from sbkube.models.plan import Change, Effect, Verb
from sbkube.models.release import ReleaseRecord
from sbkube.plan import diff, order
from sbkube.plan.labels import HELM_MANAGER
from sbkube.plan.operations import Step
from sbkube.ports import ReleaseAction


@dataclass(frozen=True, slots=True)
class CutOff:
    """An action of ours that was cut off, the revision it left, and the objects it was to change."""

    action: ReleaseAction
    record: ReleaseRecord
    changes: tuple[Change, ...]

    @property
    def verb(self) -> Verb:
        """What was being done."""
        return Verb(self.action.row.verb)


class Repairs:
    """Answers for the releases of one target."""

    def __init__(self, world: Surroundings, target: LockTarget) -> None:
        self._world = world
        self._target = target

    def steps(self, current: ReleaseRecord | None, app: str) -> list[Step]:
        """What must be done before anything else is done to a release: nothing, or marking it as failed.

        Raises PlanRefused, naming the command to use, when it is stuck and not provably ours.
        """
        if current is None or not current.stuck:
            return []
        if self.cut_off(current) is None:
            raise _refusal(current, app, self._at_work(current))
        return [Step(repair(app, current), order.WORKLOADS)]

    def cut_off(self, current: ReleaseRecord | None) -> CutOff | None:
        """The action of ours that made `current` and was cut off; None: another's, finished, or still running."""
        if current is None or not (current.stuck or current.status == "failed"):
            return None
        action = self._world.ledger.last_action(self._target, current.namespace, current.name)
        if action is None or action.live or not _made(action, current):
            return None
        detail = self._world.ledger.detail(action.deployment_id)
        operation = planned_operations(detail, self._world).get(action.row.operation)
        return CutOff(action, current, operation.changes if operation else ())

    def _at_work(self, current: ReleaseRecord) -> bool:
        action = self._world.ledger.last_action(self._target, current.namespace, current.name)
        return action is not None and action.live and _made(action, current)

    def hooks(self, cut: CutOff) -> HooksLeft | None:
        """The hooks that the action has still to run, or None when it had not begun with any."""
        evidence = Evidence(self._worked(cut), self._run_since(cut))
        return hooks_left(cut.record, cut.verb, self._world, evidence)

    def _run_since(self, cut: CutOff) -> frozenset[tuple[str, str, str, str]]:
        """Hooks that were run by ourselves, in runs that went on with this one and were cut off in turn."""
        details = self._world.ledger.since(cut.action.deployment_id, self._target)
        rows = (row for detail in details for row in detail.resources)
        return frozenset(r.key.identity for r in rows if r.verb == Verb.HOOK and r.state is OpState.APPLIED)

    def _worked(self, cut: CutOff) -> bool:
        """Helm had begun to change the release's objects, which it does after the hooks that come first."""
        planned = {change.key.identity: change for change in cut.changes if change.effect is not Effect.UNCHANGED}
        keys = [change.key for change in planned.values()] or manifest_keys(cut.record)
        live = Live(self._world)
        live.observe(keys)
        fresh = cut.verb is Verb.HELM_INSTALL
        return any(
            _touched(planned.get(key.identity), live.get(key), cut.record.begun, fresh=fresh) for key in keys
        )


def _made(action: ReleaseAction, current: ReleaseRecord) -> bool:
    """The action is the one that left the release as it is, and nobody has recorded its end."""
    row = action.row
    if row.state.open:
        first = row.revision_before if row.verb == Verb.HELM_UNINSTALL else row.revision_before + 1
        return (
            first <= current.revision <= row.revision_before + 2
        )  # atomic: the failed revision, and the way back
    return cut_off(row) and current.revision == (row.revision_after or row.revision_before)


def _touched(planned: Change | None, live: Mapping[str, Any] | None, begun: str, *, fresh: bool) -> bool:
    before = planned.before if planned else None
    if live is None:
        return before is not None
    if before is not None:
        return _entries(before) != _entries(live) or bool(diff.compare(before, live))
    if fresh or (planned is not None and planned.effect is Effect.CREATE):
        return True
    return any(str(time) >= begun[:19] for time, _ in _entries(live))


def _entries(body: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Times and fields of what Helm owns."""
    found: Iterable[Mapping[str, Any]] = (body.get("metadata") or {}).get("managedFields") or ()
    return [(e.get("time"), e.get("fieldsV1")) for e in found if e.get("manager") == HELM_MANAGER]


def _refusal(current: ReleaseRecord, app: str, at_work: bool) -> PlanRefused:
    name = f"release {current.namespace}/{current.name}"
    since = f" since {current.begun}" if current.begun else ""
    where = f"{current.name} -n {current.namespace}"
    first = current.revision == 1 or current.status == "uninstalling"
    command = f"helm uninstall {where}" if first else f"helm rollback {where}"
    return PlanRefused(
        f"{name} is {current.status}{since}: "
        + ("a run of this project is still at work" if at_work else "another action is running, or was killed"),
        subject=app,
        hint="wait for it (--wait-for-lock 5m)" if at_work else f"when nothing runs any more: {command}",
    )
