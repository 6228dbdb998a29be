"""Settling Helm actions that were cut off: the release's own history tells what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sbkube.engine.compare import Live
from sbkube.engine.releases import manifest_keys
from sbkube.engine.surroundings import Surroundings
from sbkube.errors import StateError
from sbkube.models.deployment_state import DeploymentDetail, HelmReleaseRecord
from sbkube.models.outcome import ObjectImages, OpState, Outcome
from sbkube.models.plan import Change, Operation, Verb
from sbkube.models.release import ReleaseRecord, is_stuck
from sbkube.models.resource import ResourceKey
from sbkube.plan.labels import PROJECT

CUT_OFF = "Interrupted"  # the reason of every outcome that was found out afterwards


def cut_off(row: HelmReleaseRecord) -> bool:
    """The action ended without its end being written down in the cluster: its run was killed, or Helm's last
    requests failed. Nothing is at work any more."""
    return row.state is OpState.FAILED and (row.reason == CUT_OFF or is_stuck(row.status))


def planned_operations(detail: DeploymentDetail, world: Surroundings) -> Mapping[str, Operation]:
    """The operations of the recorded plan by id; empty where it cannot be decrypted here."""
    try:
        plan = world.ledger.plan(detail.deployment.deployment_id)
    except StateError:
        return {}
    return {op.id: op for op in plan.operations}


def settle_releases(
    rows: Iterable[HelmReleaseRecord], planned: Mapping[str, Operation], world: Surroundings
) -> list[Outcome]:
    """One outcome for each open Helm action, with the objects of its release as they are now."""
    return [_settle(row, planned.get(row.operation), world) for row in rows]


class _Found:
    """What the history says of one action."""

    __slots__ = ("message", "newest", "state")

    def __init__(self, state: OpState, message: str, newest: ReleaseRecord | None = None) -> None:
        self.state = state
        self.message = message
        self.newest = newest


_NOT_STARTED = "interrupted before it was begun"
_DONE = "interrupted after it was done"


def _settle(row: HelmReleaseRecord, operation: Operation | None, world: Surroundings) -> Outcome:
    history = world.helm.history(row.release_name, row.namespace)
    found = HELM_RULES[Verb(row.verb)](row, history)
    previous = next((r for r in history if r.revision == row.revision_before), None)
    touched = found.state is not OpState.ABANDONED and row.verb != Verb.HELM_REPAIR
    records = [r for r in (found.newest, previous) if r is not None]
    now = world.clock.now()
    return Outcome(
        row.operation,
        found.state,
        row.started_at or now,
        now,
        reason=CUT_OFF,
        message=found.message,
        release=found.newest,
        previous=previous,
        objects=_images(operation.changes if operation else (), records, world) if touched else (),
    )


def _images(
    changes: Sequence[Change], records: Sequence[ReleaseRecord], world: Surroundings
) -> tuple[ObjectImages, ...]:
    """Every object of the action: of the plan with its image from before, of the stored manifests without."""
    before = {change.key.identity: change.before for change in changes}
    keys: dict[tuple[str, str, str, str], ResourceKey] = {change.key.identity: change.key for change in changes}
    for record in records:
        for key in manifest_keys(record):
            keys.setdefault(key.identity, key)
    live = Live(world)
    live.observe(keys.values())
    return tuple(ObjectImages(key, before.get(identity), live.seen(key)) for identity, key in keys.items())


def _revised(row: HelmReleaseRecord, history: Sequence[ReleaseRecord]) -> _Found:
    """Install, upgrade and rollback: each makes the revision after the one that was planned against."""
    newest = history[-1] if history else None
    if newest is None or newest.revision <= row.revision_before:
        return _Found(OpState.ABANDONED, _NOT_STARTED)
    ours = next((r for r in history if r.revision == row.revision_before + 1), None)
    if ours is None or (row.chart_version and row.verb != Verb.HELM_ROLLBACK and not _same_chart(row, ours)):
        return _Found(OpState.SUPERSEDED, f"somebody else has made revision {newest.revision} since")
    if ours.status in {"deployed", "superseded"}:
        since = "" if ours is newest else f"; somebody else has made revision {newest.revision} since"
        return _Found(OpState.APPLIED, _DONE + since, ours)
    if newest.revision == ours.revision + 1 and ours.status == "failed" and newest.status == "deployed":
        return _Found(OpState.FAILED, "it failed, and Helm rolled it back", newest)
    last = newest if newest.revision == ours.revision + 1 else ours
    return _Found(OpState.FAILED, f"cut off: revision {last.revision} is {last.status}", last)


def _same_chart(row: HelmReleaseRecord, record: ReleaseRecord) -> bool:
    return (row.chart, row.chart_version) == (record.chart_name, record.chart_version)


def _uninstalled(row: HelmReleaseRecord, history: Sequence[ReleaseRecord]) -> _Found:
    newest = history[-1] if history else None
    if newest is None or newest.status == "uninstalled":
        return _Found(OpState.APPLIED, _DONE, newest)
    if newest.revision > row.revision_before:
        return _Found(OpState.SUPERSEDED, f"somebody else has made revision {newest.revision} since")
    if newest.revision < row.revision_before:
        return _Found(OpState.FAILED, "cut off while Helm removed its records", newest)
    if newest.status == "uninstalling":
        return _Found(OpState.FAILED, "cut off while the release was uninstalled", newest)
    return _Found(OpState.ABANDONED, _NOT_STARTED)


def _repaired(row: HelmReleaseRecord, history: Sequence[ReleaseRecord]) -> _Found:
    newest = history[-1] if history else None
    if newest is not None and newest.revision == row.revision_before and newest.stuck:
        return _Found(OpState.ABANDONED, _NOT_STARTED)
    return _Found(OpState.APPLIED, _DONE, newest)


def _adopted(_: HelmReleaseRecord, history: Sequence[ReleaseRecord]) -> _Found:
    if history and PROJECT in history[-1].labels:
        return _Found(OpState.APPLIED, _DONE, history[-1])
    return _Found(OpState.ABANDONED, _NOT_STARTED)


def _given_back(_: HelmReleaseRecord, history: Sequence[ReleaseRecord]) -> _Found:
    if any(PROJECT in record.labels for record in history):
        return _Found(OpState.ABANDONED, "interrupted before it was finished")
    return _Found(OpState.APPLIED, _DONE)


HELM_RULES: Mapping[Verb, Callable[[HelmReleaseRecord, Sequence[ReleaseRecord]], _Found]] = {
    Verb.HELM_INSTALL: _revised,
    Verb.HELM_UPGRADE: _revised,
    Verb.HELM_ROLLBACK: _revised,
    Verb.HELM_UNINSTALL: _uninstalled,
    Verb.HELM_ADOPT: _adopted,
    Verb.HELM_GIVE_BACK: _given_back,
    Verb.HELM_REPAIR: _repaired,
}
