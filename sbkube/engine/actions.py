"""Acting: one function for each verb that writes. Each gets an operation and returns what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sbkube.engine.compare import Live
from sbkube.engine.evidence import Overseer
from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ClusterError, HelmError, Interrupted, SbkubeError
from sbkube.health.finished import Ending, ending
from sbkube.models.health import Culprit
from sbkube.models.outcome import ObjectImages, OpState, Outcome
from sbkube.models.plan import Operation, Verb
from sbkube.models.release import ReleaseRecord, ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.plan import diff, migrate, order
from sbkube.plan.labels import HELM_MANAGER, MANAGER
from sbkube.ports import CancelToken, Json, Lock

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Hands:
    """What an action needs: the world, the lock that is checked before each request, and the stop sign."""

    world: Surroundings
    lock: Lock
    cancel: CancelToken


@dataclass(frozen=True, slots=True)
class Done:
    """What an action saw and left."""

    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    release: ReleaseRecord | None = None
    previous: ReleaseRecord | None = None
    objects: tuple[ObjectImages, ...] = ()
    note: str = ""


def perform(operation: Operation, hands: Hands) -> Outcome:
    """Do one operation. Errors of ours become a failed outcome; anything else is a bug and is let through."""
    clock = hands.world.clock
    started = clock.now()
    try:
        hands.lock.check()
        done = ACTIONS[operation.verb](operation, hands)
    except SbkubeError as error:
        return _failed(operation, hands, error, started)
    return Outcome(
        operation.id,
        OpState.APPLIED,
        started,
        clock.now(),
        before=done.before,
        after=done.after,
        message=done.note,
        release=done.release,
        previous=done.previous,
        objects=done.objects,
    )


def _failed(operation: Operation, hands: Hands, error: SbkubeError, started: Any) -> Outcome:
    """A failed outcome; after a failed Helm action the release and its objects are recorded as they are."""
    done = Done(before=planned_before(operation))
    if operation.release is not None:
        done = _look(operation, hands)
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
        culprit=culprit,
        release=done.release,
        previous=done.previous,
        objects=done.objects,
    )


def _look(operation: Operation, hands: Hands) -> Done:
    """The release after a failure; when even looking fails, the record says less but nothing false."""
    try:
        return _release_done(operation, hands, None)
    except SbkubeError:
        return Done()


def planned_before(operation: Operation) -> Mapping[str, Any] | None:
    """The live object that the plan was made against."""
    return operation.changes[0].before if operation.changes and operation.key else None


def _key(operation: Operation) -> ResourceKey:
    assert operation.key is not None, operation.id
    return operation.key


def apply_object(operation: Operation, hands: Hands) -> Done:
    """Server-side apply bound to the uid and version that were planned against.

    When the object has moved since, it is read again; we go on only if the difference is still the planned one.
    """
    cluster, key = hands.world.cluster, _key(operation)
    before = planned_before(operation)
    body = dict(operation.desired or {})
    for _ in range(_TRIES):
        try:
            after = cluster.apply(_bound(body, before), manager=MANAGER, force=operation.force)
        except ClusterError as error:
            if before is None or not error.conflict or error.causes:
                raise
            before = _moved(operation, hands, key, body)
            hands.lock.check()
            continue
        return Done(before=before, after=after)
    raise ClusterError(f"{key} changes faster than it can be applied", code=409, reason="Conflict")


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
    if {(f.path, repr(f.after)) for f in now} != {(f.path, repr(f.after)) for f in planned}:
        raise ClusterError(f"{key} was changed by somebody since the plan was made", code=409, reason="Conflict")
    return live


def create_object(operation: Operation, hands: Hands) -> Done:
    """Put a deleted object back."""
    return Done(after=hands.world.cluster.create(operation.desired or {}, manager=MANAGER))


def delete_object(operation: Operation, hands: Hands) -> Done:
    """Delete exactly the object that was planned; what takes others along is waited for until it is gone."""
    key = _key(operation)
    hands.world.cluster.delete(key, uid=operation.uid)
    if key.kind in order.DATA_BEARING:
        _until_gone(operation, hands, key)
    return Done(before=planned_before(operation))


def _until_gone(operation: Operation, hands: Hands, key: ResourceKey) -> None:
    """Until an object is gone or another has its name; raises ClusterError after the operation's timeout."""
    clock = hands.world.clock
    deadline = clock.monotonic() + operation.timeout
    while (live := hands.world.cluster.get(key)) is not None and live["metadata"].get("uid") == operation.uid:
        if hands.cancel.wait(0.1) or clock.monotonic() > deadline:
            raise ClusterError(f"{key} is still being deleted", code=409, reason="Terminating")


def recreate_object(operation: Operation, hands: Hands) -> Done:
    """Delete, wait until it is gone, apply."""
    cluster, key = hands.world.cluster, _key(operation)
    cluster.delete(key, uid=operation.uid, propagation="Foreground")
    _until_gone(operation, hands, key)
    hands.lock.check()
    after = cluster.apply(operation.desired or {}, manager=MANAGER, force=operation.force)
    return Done(before=planned_before(operation), after=after)


def migrate_object(operation: Operation, hands: Hands) -> Done:
    """Make ours what client-side tools own, bound to the version that was read; none of its fields changes."""
    cluster, key = hands.world.cluster, _key(operation)
    before: Mapping[str, Any] | None = planned_before(operation)
    for _ in range(_TRIES):
        if before is None or before["metadata"].get("uid") != operation.uid:
            raise ClusterError(f"{key} was deleted or replaced since the plan was made", code=409)
        managers = migrate.predecessors(before)
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


def clear_object(operation: Operation, hands: Hands) -> Done:
    """Delete an object of a release, and wait until it is gone, so that Helm can create it anew."""
    key = _key(operation)
    hands.world.cluster.delete(key, uid=operation.uid, propagation="Foreground")
    _until_gone(operation, hands, key)
    return Done(before=planned_before(operation))


def forget_object(operation: Operation, hands: Hands) -> Done:
    """See once more that the object we left is gone; nothing is sent that changes anything."""
    key = _key(operation)
    live = hands.world.cluster.get(key)
    if live is not None and live["metadata"].get("uid") == operation.uid:
        raise ClusterError(f"{key} is there after all", code=409, reason="Conflict")
    return Done(note="it was deleted by somebody else")


def label_object(operation: Operation, hands: Hands) -> Done:
    """Merge our labels onto an object that Helm owns; one that Helm did not keep is no error."""
    cluster, key = hands.world.cluster, _key(operation)
    before = cluster.get(key)
    if before is None:
        return Done(note="the object is gone already")
    return Done(before=before, after=cluster.merge(key, operation.desired or {}, manager=MANAGER))


def _release(operation: Operation) -> ReleaseSpec:
    assert operation.release is not None, operation.id
    return operation.release


class ReleaseFailed(HelmError):
    """A Helm action failed, and we know which pod is to blame (if any)."""

    def __init__(self, error: SbkubeError, culprit: Culprit | None) -> None:
        super().__init__(f"{culprit}" if culprit else error.message, subject=error.subject, hint=error.hint)
        self.culprit = culprit


def _overseen(operation: Operation, hands: Hands, act: Callable[[Overseer], ReleaseRecord]) -> Done:
    """Run a Helm action under an overseer, so that a pod that cannot start ends it early and is named.

    With `atomic` Helm must get the chance to undo its work, so it is not stopped.
    """
    spec = _release(operation)
    _refuse_moved(operation, hands)
    keys = [change.key for change in operation.changes]
    with Overseer(hands.world, keys, hands.cancel, may_stop=spec.wait and not spec.atomic) as overseer:
        try:
            return _release_done(operation, hands, act(overseer))
        except (HelmError, Interrupted) as error:
            if isinstance(error, Interrupted) and hands.cancel.is_set():
                raise
            raise ReleaseFailed(error, overseer.blame() if spec.wait else None) from error


def _refuse_moved(operation: Operation, hands: Hands) -> None:
    """A release that somebody else acted on since the plan was made is left alone."""
    spec = _release(operation)
    history = hands.world.helm.history(spec.name, spec.namespace)
    newest = max((record.revision for record in history), default=0)
    if newest != operation.revision:
        raise HelmError(
            f"release {spec.namespace}/{spec.name} is at revision {newest}, not {operation.revision} as planned",
            hint="somebody else has changed it; look at `sbkube diff` and apply again",
        )


def install_release(operation: Operation, hands: Hands) -> Done:
    """First install of a release."""
    return _overseen(operation, hands, lambda token: hands.world.helm.install(_release(operation), token))


def upgrade_release(operation: Operation, hands: Hands) -> Done:
    """A new revision of a release."""
    return _overseen(operation, hands, lambda token: hands.world.helm.upgrade(_release(operation), token))


def rollback_release(operation: Operation, hands: Hands) -> Done:
    """A new revision with the content of an old one."""
    spec, target = _release(operation), operation.target_revision
    return _overseen(operation, hands, lambda token: hands.world.helm.rollback(spec, target, token))


def uninstall_release(operation: Operation, hands: Hands) -> Done:
    """Remove a release and its objects."""
    spec = _release(operation)
    previous = _stored(operation, hands)
    hands.world.helm.uninstall(
        spec.name, spec.namespace, timeout=operation.timeout, wait=True, disable_hooks=spec.disable_hooks
    )
    return Done(previous=previous, objects=_images(operation, hands))


def _release_done(operation: Operation, hands: Hands, record: ReleaseRecord | None) -> Done:
    spec = _release(operation)
    history = {r.revision: r for r in hands.world.helm.history(spec.name, spec.namespace)}
    newest = record or (history[max(history)] if history else None)
    return Done(release=newest, previous=history.get(operation.revision), objects=_images(operation, hands))


def repair_release(operation: Operation, hands: Hands) -> Done:
    """Mark the revision of a cut off action as failed, bound to the version that was read."""
    cluster, helm, spec = hands.world.cluster, hands.world.helm, _release(operation)
    for _ in range(_TRIES):
        stuck = _stored(operation, hands)
        if stuck is None or not stuck.stuck:
            return Done(release=stuck, previous=stuck, note="it was freed by somebody meanwhile")
        note = f"sbkube: {stuck.status} was cut off; marked as failed"
        body = helm.storage_object(stuck, status="failed", description=note)
        live = cluster.get(ResourceKey.of(body))
        if live is None:
            raise HelmError(f"revision {stuck.revision} of {spec.namespace}/{spec.name} is gone")
        bound = {"labels": body["metadata"]["labels"], "resourceVersion": live["metadata"]["resourceVersion"]}
        try:
            cluster.merge(ResourceKey.of(body), {"metadata": bound, "data": body["data"]}, manager=HELM_MANAGER)
        except ClusterError as error:
            if not error.conflict:
                raise
            hands.lock.check()
            continue
        return Done(release=_stored(operation, hands), previous=stuck, note=f"was {stuck.status}")
    raise HelmError(f"the record of {spec.namespace}/{spec.name} changes faster than it can be repaired")


def run_hook(operation: Operation, hands: Hands) -> Done:
    """Run one hook as Helm does: create it, wait for its end, delete it where its policy says so."""
    cluster, key = hands.world.cluster, _key(operation)
    live = cluster.get(key)
    if live is None or live["metadata"].get("uid") != operation.uid:
        if live is not None:
            cluster.delete(key, uid=live["metadata"]["uid"])
            _until_gone(replace(operation, uid=live["metadata"]["uid"]), hands, key)
            hands.lock.check()
        live = cluster.create(operation.desired or {}, manager=HELM_MANAGER)
    ended = _until_ended(operation, hands, key, live)
    policy = _hook_policies(operation)
    word = "hook-succeeded" if ending(ended) is Ending.SUCCEEDED else "hook-failed"
    if word in policy:
        hands.lock.check()
        cluster.delete(key, uid=ended["metadata"]["uid"])
    if word == "hook-failed":
        raise HelmError(f"the hook {key} has failed", hint=f"see the logs of {key}")
    return Done(after=ended)


def _hook_policies(operation: Operation) -> str:
    notes = ((operation.desired or {}).get("metadata") or {}).get("annotations") or {}
    return str(notes.get("helm.sh/hook-delete-policy", ""))


def _until_ended(operation: Operation, hands: Hands, key: ResourceKey, live: Json) -> Json:
    """The hook's object when it has ended; raises HelmError after the operation's timeout."""
    clock = hands.world.clock
    deadline = clock.monotonic() + operation.timeout
    while ending(live) is Ending.RUNNING:
        if clock.monotonic() > deadline:
            raise HelmError(f"the hook {key} has not ended after {operation.timeout:g} s")
        if hands.cancel.wait(0.1):
            raise Interrupted(f"stopped while the hook {key} was running")
        found = hands.world.cluster.get(key)
        if found is None or found["metadata"].get("uid") != live["metadata"].get("uid"):
            raise HelmError(f"the hook {key} was deleted by somebody while it was running")
        live = found
    return live


def _stored(operation: Operation, hands: Hands) -> ReleaseRecord | None:
    spec = _release(operation)
    history = hands.world.helm.history(spec.name, spec.namespace)
    return next((r for r in history if r.revision == operation.revision), None)


def _images(operation: Operation, hands: Hands) -> tuple[ObjectImages, ...]:
    """Before (from the plan) and after (read now) of every object of the release."""
    live = Live(hands.world)
    live.observe(change.key for change in operation.changes)
    return tuple(ObjectImages(c.key, c.before, live.get(c.key)) for c in operation.changes)


ACTIONS: Mapping[Verb, Callable[[Operation, Hands], Done]] = {
    Verb.APPLY: apply_object,
    Verb.CREATE: create_object,
    Verb.DELETE: delete_object,
    Verb.RECREATE: recreate_object,
    Verb.MIGRATE: migrate_object,
    Verb.CLEAR: clear_object,
    Verb.FORGET: forget_object,
    Verb.LABEL: label_object,
    Verb.HELM_INSTALL: install_release,
    Verb.HELM_UPGRADE: upgrade_release,
    Verb.HELM_ROLLBACK: rollback_release,
    Verb.HELM_UNINSTALL: uninstall_release,
    Verb.HELM_REPAIR: repair_release,
    Verb.HOOK: run_hook,
}
