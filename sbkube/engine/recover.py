"""Settling what an interrupted run left open: one read per intent tells what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sbkube.engine.surroundings import Surroundings, at_once
from sbkube.models.deployment_state import DeploymentDetail, DeploymentRecord, LockTarget, ResourceRecord
from sbkube.models.outcome import OpState, Outcome
from sbkube.models.plan import Verb
from sbkube.plan import diff, migrate
from sbkube.plan.labels import MANAGER
from sbkube.ports import Json


def settle_interrupted(world: Surroundings, target: LockTarget) -> tuple[DeploymentRecord, ...]:
    """Close every open intent of runs of this target that no longer live. The caller holds the lock."""
    settled = []
    for detail in world.ledger.unsettled(target):
        outcomes = at_once(lambda row: settle_object(row, world), [r for r in detail.resources if r.state.open])
        outcomes += _settle_releases(detail, world)
        settled.append(world.ledger.settle(detail.deployment.deployment_id, outcomes))
    return tuple(settled)


def settle_object(row: ResourceRecord, world: Surroundings) -> Outcome:
    """What became of one intent: not started, done, or changed by another."""
    live = world.cluster.get(row.key)
    state, message = _RULES[row.verb](row, live, world)
    after = live if state is OpState.APPLIED else None
    when: datetime = row.started_at or world.clock.now()
    return Outcome(
        row.operation, state, when, world.clock.now(), before=row.before, after=after,
        reason="Interrupted", message=message,
    )  # fmt: skip


_Verdict = tuple[OpState, str]
_NOT_STARTED = (OpState.ABANDONED, "interrupted before it was begun")
_DONE = (OpState.APPLIED, "interrupted after it was done")
_FOREIGN = (OpState.SUPERSEDED, "changed by somebody else since")


def _applied(row: ResourceRecord, live: Json | None, world: Surroundings) -> _Verdict:
    if live is None:
        return _NOT_STARTED
    if live["metadata"].get("resourceVersion") == row.resource_version_before:
        return _NOT_STARTED
    if row.intent is None:
        return _FOREIGN
    would = world.cluster.dry_run_apply(row.intent, manager=MANAGER, force=True)
    return _FOREIGN if diff.compare(live, would) else _DONE


def _deleted(row: ResourceRecord, live: Json | None, _: Surroundings) -> _Verdict:
    gone = live is None or live["metadata"].get("uid") != row.uid
    return _DONE if gone or (live and live["metadata"].get("deletionTimestamp")) else _NOT_STARTED


def _migrated(row: ResourceRecord, live: Json | None, _: Surroundings) -> _Verdict:
    if live is None or live["metadata"].get("uid") != row.uid:
        return _FOREIGN
    return _NOT_STARTED if migrate.predecessors(live) else _DONE


def _forgotten(row: ResourceRecord, live: Json | None, _: Surroundings) -> _Verdict:
    gone = live is None or live["metadata"].get("uid") != row.uid
    return _DONE if gone else _NOT_STARTED


def _labelled(row: ResourceRecord, live: Json | None, _: Surroundings) -> _Verdict:
    wanted = ((row.intent or {}).get("metadata") or {}).get("labels") or {}
    have = ((live or {}).get("metadata") or {}).get("labels") or {}
    return _DONE if live and all(have.get(k) == v for k, v in wanted.items()) else _NOT_STARTED


def _released(row: ResourceRecord, live: Json | None, _: Surroundings) -> _Verdict:
    return _DONE if live is not None else _NOT_STARTED


_RULES: Mapping[str, Callable[[ResourceRecord, Json | None, Surroundings], _Verdict]] = {
    Verb.APPLY.value: _applied,
    Verb.CREATE.value: _applied,
    Verb.RECREATE.value: _applied,
    Verb.DELETE.value: _deleted,
    Verb.MIGRATE.value: _migrated,
    Verb.CLEAR.value: _deleted,
    Verb.FORGET.value: _forgotten,
    Verb.LABEL.value: _labelled,
    "helm": _released,
}


def _settle_releases(detail: DeploymentDetail, world: Surroundings) -> list[Outcome]:
    outcomes = []
    for row in detail.releases:
        if not row.state.open:
            continue
        history = world.helm.history(row.release_name, row.namespace)
        newest = history[-1] if history else None
        moved = newest is not None and newest.revision > row.revision_before
        if row.verb == Verb.HELM_UNINSTALL:
            state, message = _NOT_STARTED if newest else _DONE
        elif not moved or newest is None:
            state, message = _NOT_STARTED
        elif newest.status == "deployed":
            state, message = _DONE
        else:
            state, message = OpState.FAILED, f"cut off: the release is {newest.status}"
        now = world.clock.now()
        outcomes.append(
            Outcome(
                row.operation,
                state,
                row.started_at or now,
                now,
                reason="Interrupted",
                message=message,
                release=newest if moved else None,
            )
        )
    return outcomes
