"""Acting: one function for each verb that writes. Each gets an operation and returns what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sbkube.engine.commands import run_command
from sbkube.engine.creation import create_owned
from sbkube.engine.handover import hand_over
from sbkube.engine.hands import TRIES, Done, Hands, key_of, planned_before, until_gone
from sbkube.engine.recover import settle_object
from sbkube.engine.release_actions import (
    ReleaseFailed,
    adopt_release,
    give_release_back,
    install_release,
    release_done,
    repair_release,
    rollback_release,
    run_hook,
    uninstall_release,
    upgrade_release,
)
from sbkube.errors import ClusterError, ClusterUnreachable, CommandFailed, SbkubeError
from sbkube.models.deployment_state import ResourceRecord
from sbkube.models.outcome import OpState, Outcome
from sbkube.models.plan import Effect, FieldChange, Operation, Verb
from sbkube.models.resource import ResourceKey
from sbkube.plan import diff, migrate, order
from sbkube.plan.labels import MANAGER
from sbkube.ports import Json


def perform(operation: Operation, hands: Hands) -> Outcome:
    """Do one operation. Errors of ours become a failed outcome; anything else is a bug and is let through.

    When an answer was lost, the object itself tells; when it cannot be read either, the intent stays open.
    """
    clock = hands.world.clock
    started = clock.now()
    try:
        hands.lock.check()
        done = ACTIONS[operation.verb](operation, hands)
    except ClusterUnreachable as error:
        return _unanswered(operation, hands, error, started)
    except SbkubeError as error:
        return _failed(operation, hands, error, started)
    return Outcome(
        operation.id,
        OpState.APPLIED,
        started,
        clock.now(),
        before=done.before,
        after=done.after,
        reason=done.reason,
        message=done.note,
        output=done.output,
        release=done.release,
        previous=done.previous,
        objects=done.objects,
    )


def _unanswered(operation: Operation, hands: Hands, error: ClusterUnreachable, started: Any) -> Outcome:
    if operation.release is not None or operation.key is None or operation.verb is Verb.RUN:
        return _failed(operation, hands, error, started)
    try:
        found = settle_object(_row(operation, started), hands.world)
    except SbkubeError:
        return _unknown(operation, hands, error, started)
    if found.ok:
        return replace(found, reason="", message="the answer was lost; the object shows that it was done")
    return _failed(operation, hands, error, started)


def _unknown(operation: Operation, hands: Hands, error: SbkubeError, started: Any) -> Outcome:
    """The intent stays open: the next command looks again."""
    text = f"{error}; nobody knows what came of it"
    return Outcome(
        operation.id, OpState.INTENDED, started, hands.world.clock.now(), reason=error.slug, message=text
    )


def _row(operation: Operation, started: Any) -> ResourceRecord:
    """An operation as its intent is recorded."""
    return ResourceRecord(
        id=0,
        app_name=operation.app,
        operation=operation.id,
        key=key_of(operation),
        verb=operation.verb.value,
        state=OpState.INTENDED,
        intent=operation.desired,
        before=planned_before(operation),
        uid=operation.uid,
        resource_version_before=operation.resource_version,
        started_at=started,
    )


def _failed(operation: Operation, hands: Hands, error: SbkubeError, started: Any) -> Outcome:
    """A failed outcome; after a failed Helm action the release and its objects are recorded as they are.

    Helm may have done half of it: where the cluster does not say how much, the intent stays open.
    """
    done = Done(before=planned_before(operation))
    if operation.release is not None:
        try:
            done = release_done(operation, hands, None)
        except SbkubeError:
            return _unknown(operation, hands, error, started)
    culprit = error.culprit if isinstance(error, ReleaseFailed) else None
    reason = culprit.reason if culprit else getattr(error, "reason", "") or error.slug
    return Outcome(
        operation.id,
        OpState.FAILED,
        started,
        hands.world.clock.now(),
        before=done.before,
        reason=reason,
        message=str(error),
        output=error.output if isinstance(error, CommandFailed) else "",
        culprit=culprit,
        release=done.release,
        previous=done.previous,
        objects=done.objects,
    )


def apply_object(operation: Operation, hands: Hands) -> Done:
    """Server-side apply bound to the uid and version that were planned against; a plain create of what was absent.

    When the object has moved since, it is read again; we go on only if the difference is still the planned one.
    """
    cluster, key = hands.world.cluster, key_of(operation)
    before = planned_before(operation)
    body = dict(operation.desired or {})
    if before is None and not operation.uid and not _unseen(operation):
        return Done(after=create_owned(body, hands))
    started = hands.world.clock.now()
    for _ in range(TRIES):
        try:
            after = cluster.apply(_bound(body, before), manager=MANAGER, force=operation.force)
        except ClusterError as error:
            if before is None or not error.conflict or error.causes:
                raise
            # A request whose answer was lost is sent again, and then meets what it has done itself.
            if (done := settle_object(_row(operation, started), hands.world)).ok and done.after:
                return Done(before=before, after=done.after)
            before = _moved(operation, hands, key, body)
            hands.lock.check()
            continue
        return Done(before=before, after=after)
    raise ClusterError(f"{key} changes faster than it can be applied", code=409, reason="Conflict")


def _unseen(operation: Operation) -> bool:
    """The object may be there, but we may not look at it."""
    return any(change.effect is Effect.UNKNOWN for change in operation.changes)


def _bound(body: dict[str, Any], live: Mapping[str, Any] | None) -> dict[str, Any]:
    if live is None:
        return body
    meta = live.get("metadata") or {}
    bound = {**body["metadata"], "uid": meta.get("uid"), "resourceVersion": meta.get("resourceVersion")}
    return {**body, "metadata": bound}


def _moved(operation: Operation, hands: Hands, key: ResourceKey, body: dict[str, Any]) -> Json:
    """The object as it is now, if applying to it still means what was planned."""
    cluster = hands.world.cluster
    live = cluster.get(key)
    if live is None or live["metadata"].get("uid") != operation.uid:
        raise ClusterError(f"{key} was deleted or replaced since the plan was made", code=409, reason="Conflict")
    now = diff.compare(live, cluster.dry_run_apply(body, manager=MANAGER, force=operation.force))
    planned = operation.changes[0].fields
    if _told(now) != _told(planned):
        raise ClusterError(f"{key} was changed by somebody since the plan was made", code=409, reason="Conflict")
    return live


def _told(fields: Iterable[FieldChange]) -> set[tuple[str, str, str]]:
    return {(field.path, repr(field.before), repr(field.after)) for field in fields}


def create_object(operation: Operation, hands: Hands) -> Done:
    """Put a deleted object back."""
    return Done(after=hands.world.cluster.create(operation.desired or {}, manager=MANAGER))


def delete_object(operation: Operation, hands: Hands) -> Done:
    """Delete exactly the object that was planned; what takes others along, or is held by a finalizer, is waited
    for until it is gone."""
    key, before = key_of(operation), planned_before(operation)
    hands.world.cluster.delete(key, uid=operation.uid)
    if key.kind in order.DATA_BEARING or ((before or {}).get("metadata") or {}).get("finalizers"):
        until_gone(operation, hands, key)
    return Done(before=before)


def recreate_object(operation: Operation, hands: Hands) -> Done:
    """Delete, wait until it is gone, create."""
    cluster, key = hands.world.cluster, key_of(operation)
    cluster.delete(key, uid=operation.uid, propagation="Foreground")
    until_gone(operation, hands, key)
    hands.lock.check()
    return Done(before=planned_before(operation), after=create_owned(operation.desired or {}, hands))


def migrate_object(operation: Operation, hands: Hands) -> Done:
    """Make ours what client-side tools own, bound to the version that was read; none of its fields changes."""
    cluster, key = hands.world.cluster, key_of(operation)
    before: Mapping[str, Any] | None = planned_before(operation)
    for _ in range(TRIES):
        if before is None or before["metadata"].get("uid") != operation.uid:
            raise ClusterError(f"{key} was deleted or replaced since the plan was made", code=409)
        managers = migrate.unfinished(before, operation.desired)
        if not managers:
            return Done(before=before, after=before, note="it was taken over already")
        try:
            steps = migrate.steps(before, migrate.merged(before, managers))
            return Done(before=before, after=cluster.patch(key, steps, manager=MANAGER))
        except ClusterError as error:
            if not error.conflict:
                raise
            before = cluster.get(key)
            hands.lock.check()
    raise ClusterError(f"{key} changes faster than it can be taken over", code=409, reason="Conflict")


def give_back(operation: Operation, hands: Hands) -> Done:
    """Give what we had taken over back to those who had it before: then we own nothing of the object."""
    cluster, key = hands.world.cluster, key_of(operation)
    owners = (operation.desired or {})["metadata"]["managedFields"]
    for _ in range(TRIES):
        before = cluster.get(key)
        if before is None or before["metadata"].get("uid") != operation.uid:
            raise ClusterError(f"{key} was deleted or replaced since the plan was made", code=409)
        hands.lock.check()
        try:
            steps = migrate.steps(before, migrate.given_back(before, owners))
            return Done(before=before, after=cluster.patch(key, steps, manager=MANAGER))
        except ClusterError as error:
            if not error.conflict:
                raise
    raise ClusterError(f"{key} changes faster than it can be given back", code=409, reason="Conflict")


def clear_object(operation: Operation, hands: Hands) -> Done:
    """Delete an object of a release, and wait until it is gone, so that Helm can create it anew."""
    key = key_of(operation)
    hands.world.cluster.delete(key, uid=operation.uid, propagation="Foreground")
    until_gone(operation, hands, key)
    return Done(before=planned_before(operation))


def forget_object(operation: Operation, hands: Hands) -> Done:
    """See once more that the object we left is gone; nothing is sent that changes anything."""
    key = key_of(operation)
    live = hands.world.cluster.get(key)
    if live is not None and live["metadata"].get("uid") == operation.uid:
        raise ClusterError(f"{key} is there after all", code=409, reason="Conflict")
    return Done(note="it was deleted by somebody else")


def label_object(operation: Operation, hands: Hands) -> Done:
    """Merge our labels onto an object that Helm owns; one that Helm did not keep is no error."""
    cluster, key = hands.world.cluster, key_of(operation)
    before = cluster.get(key)
    if before is None:
        return Done(note="the object is gone already")
    patch = dict(operation.desired or {})
    patch["metadata"] = {**(patch.get("metadata") or {}), "uid": before["metadata"]["uid"]}
    return Done(before=before, after=cluster.merge(key, patch, manager=MANAGER))


ACTIONS: Mapping[Verb, Callable[[Operation, Hands], Done]] = {
    Verb.APPLY: apply_object,
    Verb.CREATE: create_object,
    Verb.DELETE: delete_object,
    Verb.RECREATE: recreate_object,
    Verb.MIGRATE: migrate_object,
    Verb.GIVE_BACK: give_back,
    Verb.HANDOVER: hand_over,
    Verb.CLEAR: clear_object,
    Verb.FORGET: forget_object,
    Verb.LABEL: label_object,
    Verb.HELM_INSTALL: install_release,
    Verb.HELM_UPGRADE: upgrade_release,
    Verb.HELM_ROLLBACK: rollback_release,
    Verb.HELM_UNINSTALL: uninstall_release,
    Verb.HELM_ADOPT: adopt_release,
    Verb.HELM_GIVE_BACK: give_release_back,
    Verb.HELM_REPAIR: repair_release,
    Verb.HOOK: run_hook,
    Verb.PATCH: apply_object,
    Verb.RUN: run_command,
}
