"""Settling what an interrupted run left open: one read per intent tells what became of it.

Not started, done, or changed by another. What proves that our apply arrived is the field ownership that the API
server keeps (`metadata.managedFields`): equal values alone could be somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sbkube.engine.hooks import hook_ended
from sbkube.engine.settling import planned_operations, settle_releases
from sbkube.engine.surroundings import Surroundings, at_once
from sbkube.errors import ClusterError
from sbkube.models.deployment_state import DeploymentDetail, DeploymentRecord, LockTarget, ResourceRecord
from sbkube.models.outcome import OpState, Outcome
from sbkube.models.plan import Verb
from sbkube.plan import diff, fieldset, migrate
from sbkube.plan.labels import MANAGER
from sbkube.ports import Json


def settle_interrupted(world: Surroundings, target: LockTarget) -> tuple[DeploymentRecord, ...]:
    """Close every open intent of runs of this target that no longer live. The caller holds the lock.

    All reading comes before the first write: when the cluster cannot be read, nothing is settled and nothing lost.
    """
    read = [(detail, settlement(detail, world)) for detail in world.ledger.unsettled(target)]
    return tuple(world.ledger.settle(detail.deployment.deployment_id, outcomes) for detail, outcomes in read)


def settlement(detail: DeploymentDetail, world: Surroundings) -> list[Outcome]:
    """What became of each open intent of a deployment."""
    rows = [row for row in detail.resources if row.state.open]
    outcomes = at_once(lambda row: settle_object(row, world), rows)
    open_releases = [row for row in detail.releases if row.state.open]
    if open_releases:
        outcomes += settle_releases(open_releases, planned_operations(detail, world), world)
    return outcomes


def settle_object(row: ResourceRecord, world: Surroundings) -> Outcome:
    """What became of one intent on one object."""
    live = world.cluster.get(row.key) if row.verb != Verb.RUN else None
    verdict = RULES[Verb(row.verb)](row, live, world)
    now = world.clock.now()
    return Outcome(
        row.operation, verdict.state, row.started_at or now, now, before=row.before, after=verdict.after,
        reason="Interrupted", message=verdict.message,
    )  # fmt: skip


class Verdict:
    """A state, in words, and the object as our operation left it."""

    __slots__ = ("after", "message", "state")

    def __init__(self, state: OpState, message: str, after: Json | None = None) -> None:
        self.state = state
        self.message = message
        self.after = after


def _not_started(why: str = "") -> Verdict:
    return Verdict(OpState.ABANDONED, f"interrupted before it was begun{f': {why}' if why else ''}")


def _done(after: Json | None, message: str = "interrupted after it was done") -> Verdict:
    return Verdict(OpState.APPLIED, message, after)


def _foreign(message: str) -> Verdict:
    return Verdict(OpState.SUPERSEDED, message)


def _meta(body: Mapping[str, Any] | None) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = (body or {}).get("metadata") or {}
    return meta


def _applied(row: ResourceRecord, live: Json | None, world: Surroundings) -> Verdict:
    planned_uid = row.uid or str(_meta(row.before).get("uid", ""))
    if live is None:
        return _foreign("deleted by somebody else since") if planned_uid else _not_started()
    if not planned_uid:
        return _created(row, live, world)
    if _meta(live).get("uid") != planned_uid:
        return _foreign("deleted and created again by somebody else since")
    if _meta(live).get("resourceVersion") == row.resource_version_before:
        return _not_started()
    if row.intent is None:
        return _by_ownership(row, live)
    would = _would_be(row, live, world)
    if would is not None and _changes_nothing(live, would):
        return _done(live)
    if row.before is not None and _same_where_wanted(row.intent, row.before, live):
        return _not_started()
    if row.before is not None and would is not None and _applied_since(row.before, live):
        # Our apply arrived, and somebody has touched it since: what we left is what applying again would give.
        return _done(would, "interrupted after it was done; somebody has changed it since")
    return _foreign("changed by somebody else since")


def _created(row: ResourceRecord, live: Json, world: Surroundings) -> Verdict:
    """An object that was not there when the plan was made, and now is."""
    if not _entries(live, MANAGER):
        return _foreign("created by somebody else since")
    if row.intent is None:
        return _done(live)
    would = _would_be(row, live, world)
    if would is None or not diff.compare(live, would):
        return _done(live)
    return _done(would, "interrupted after it was done; somebody has changed it since")


def _by_ownership(row: ResourceRecord, live: Json) -> Verdict:
    """Without the key nobody knows what was wanted; our entry among the owners still tells whether we applied."""
    begun = row.started_at.strftime("%Y-%m-%dT%H:%M:%SZ") if row.started_at else ""
    if any(str(entry.get("time", "")) >= begun for entry in _entries(live, MANAGER)):
        return _done(live)
    return _not_started("the key is missing; our fields are as they were")


def _would_be(row: ResourceRecord, live: Json, world: Surroundings) -> Json | None:
    """What the same apply would make of the object now; None where the server does not simulate it."""
    try:
        return world.cluster.dry_run_apply(row.intent or {}, manager=MANAGER, force=True)
    except ClusterError:
        # A webhook without dry runs, or a field that cannot be changed: the bare values have to do.
        wanted = _values(row.intent or {}, row.intent or {})
        return live if wanted == _values(row.intent or {}, live) and _entries(live, MANAGER) else None


def _changes_nothing(live: Json, would: Json) -> bool:
    """Neither values nor ownership: exactly this has been applied by us already."""
    return not diff.compare(live, would) and _our_fields(live) == _our_fields(would)


def _entries(body: Mapping[str, Any] | None, manager: str) -> list[Mapping[str, Any]]:
    return [e for e in _meta(body).get("managedFields") or () if e.get("manager") == manager]


def _applied_since(before: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """We have applied the object: an apply that changes something sets the time of our entry.

    Somebody who takes fields from us makes the entry smaller, and leaves its time.
    """
    times = [max((str(e.get("time", "")) for e in _applies(body)), default="") for body in (before, live)]
    return times[1] > times[0]


def _applies(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in _entries(body, MANAGER) if entry.get("operation") == "Apply"]


def _our_fields(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return fieldset.owned_tree(body, MANAGER)


def _same_where_wanted(intent: Mapping[str, Any], before: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    return bool(_values(intent, before) == _values(intent, live))


def _values(pattern: Any, body: Any) -> Any:
    """The part of `body` that `pattern` speaks of; lists as a whole."""
    if isinstance(pattern, Mapping) and isinstance(body, Mapping):
        return {name: _values(below, body[name]) for name, below in pattern.items() if name in body}
    return body


def _put_back(row: ResourceRecord, live: Json | None, _: Surroundings) -> Verdict:
    if live is None:
        return _not_started()
    return _done(live) if _entries(live, MANAGER) else _foreign("created by somebody else since")


def _recreated(row: ResourceRecord, live: Json | None, world: Surroundings) -> Verdict:
    half = "cut off between deleting it and creating it again"
    if live is None:
        return _done(None, half)
    if _meta(live).get("uid") == row.uid:
        return _done(None, half) if _meta(live).get("deletionTimestamp") else _not_started()
    return _created(replace(row, uid="", before=None), live, world)


def _deleted(row: ResourceRecord, live: Json | None, _: Surroundings) -> Verdict:
    if live is None:
        return _done(None)
    if _meta(live).get("uid") != row.uid:
        return _done(None, "interrupted after it was done; somebody has created another of this name since")
    if _meta(live).get("deletionTimestamp"):
        return _done(None, "interrupted after it was done; the object is on its way out")
    return _not_started()


def _migrated(row: ResourceRecord, live: Json | None, _: Surroundings) -> Verdict:
    if live is None or _meta(live).get("uid") != row.uid:
        return _foreign("deleted or replaced by somebody else since")
    return _not_started() if migrate.unfinished(live, row.intent) else _done(live)


def _given_back(row: ResourceRecord, live: Json | None, _: Surroundings) -> Verdict:
    if live is None or _meta(live).get("uid") != row.uid:
        return _foreign("deleted or replaced by somebody else since")
    return _not_started() if _entries(live, MANAGER) else _done(live)


def _forgotten(row: ResourceRecord, live: Json | None, _: Surroundings) -> Verdict:
    gone = live is None or _meta(live).get("uid") != row.uid
    return _done(None) if gone else _not_started()


def _labelled(row: ResourceRecord, live: Json | None, _: Surroundings) -> Verdict:
    wanted = _meta(row.intent)
    fields = [(name, _meta(live).get(name) or {}) for name in ("labels", "annotations")]
    there = all(have.get(k) == v for name, have in fields for k, v in (wanted.get(name) or {}).items())
    return _done(live) if live is not None and there else _not_started()


def _hooked(row: ResourceRecord, live: Json | None, world: Surroundings) -> Verdict:
    if hook_ended(row.key, live, row.started_at, world):
        return _done(live, "interrupted after the hook had succeeded")
    return _not_started("or while the hook was running")


def _cut_off(row: ResourceRecord, live: Json | None, world: Surroundings) -> Verdict:
    return Verdict(OpState.ABANDONED, "cut off before its end: nobody knows how much of it was done")


RULES: Mapping[Verb, Callable[[ResourceRecord, Json | None, Surroundings], Verdict]] = {
    Verb.APPLY: _applied,
    Verb.CREATE: _put_back,
    Verb.RECREATE: _recreated,
    Verb.DELETE: _deleted,
    Verb.MIGRATE: _migrated,
    Verb.GIVE_BACK: _given_back,
    Verb.HANDOVER: _labelled,
    Verb.CLEAR: _deleted,
    Verb.FORGET: _forgotten,
    Verb.LABEL: _labelled,
    Verb.HOOK: _hooked,
    Verb.PATCH: _applied,
    Verb.RUN: _cut_off,
}
