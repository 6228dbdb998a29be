"""Acting on releases: Helm's four actions, the repair of what was cut off, and single hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sbkube.engine.compare import Live
from sbkube.engine.evidence import Overseer
from sbkube.engine.hands import TRIES, Done, Hands, key_of, until_gone
from sbkube.errors import ClusterError, HelmError, Interrupted, SbkubeError
from sbkube.health.finished import Ending, ending
from sbkube.models.health import Culprit
from sbkube.models.outcome import ObjectImages
from sbkube.models.plan import Operation
from sbkube.models.release import ReleaseRecord, ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.plan.labels import HELM_MANAGER, MANAGER
from sbkube.ports import Json


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
            record = act(overseer)
            if record.stuck:  # Helm goes on when the last write fails, and says that all is well
                raise HelmError(
                    f"Helm could not write down that it was done: the release is left as {record.status}",
                    hint="run the command again: it frees the release first",
                )
            return release_done(operation, hands, record)
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


def release_done(operation: Operation, hands: Hands, record: ReleaseRecord | None) -> Done:
    """What an action left: the newest revision, the one before, and the objects as they are now."""
    spec = _release(operation)
    history = {r.revision: r for r in hands.world.helm.history(spec.name, spec.namespace)}
    newest = record or (history[max(history)] if history else None)
    return Done(release=newest, previous=history.get(operation.revision), objects=_images(operation, hands))


def repair_release(operation: Operation, hands: Hands) -> Done:
    """Mark the revision of a cut off action as failed, bound to the version that was read."""
    cluster, helm, spec = hands.world.cluster, hands.world.helm, _release(operation)
    for _ in range(TRIES):
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


def adopt_release(operation: Operation, hands: Hands) -> Done:
    """Our labels on Helm's record of the release: they tell whose it is, and upgrades keep them."""
    spec, history = _release(operation), _history(operation, hands)
    if not history:
        raise HelmError(f"release {spec.namespace}/{spec.name} is gone")
    newest = history[-1]
    _label(newest, spec.labels, hands)
    return Done(release=newest, previous=newest, objects=_images(operation, hands))


def give_release_back(operation: Operation, hands: Hands) -> Done:
    """None of Helm's records of the release has our labels any more."""
    history = _history(operation, hands)
    for record in history:
        ours = {name: None for name in _release(operation).labels if name in record.labels}
        if ours:
            hands.lock.check()
            _label(record, ours, hands)
    return Done(previous=history[-1] if history else None, objects=_images(operation, hands))


def _label(record: ReleaseRecord, wanted: Mapping[str, str | None], hands: Hands) -> None:
    key = ResourceKey.of(hands.world.helm.storage_object(record))
    hands.world.cluster.merge(key, {"metadata": {"labels": dict(wanted)}}, manager=MANAGER)


def _history(operation: Operation, hands: Hands) -> Sequence[ReleaseRecord]:
    spec = _release(operation)
    return hands.world.helm.history(spec.name, spec.namespace)


def run_hook(operation: Operation, hands: Hands) -> Done:
    """Run one hook as Helm does: create it, wait for its end, delete it where its policy says so."""
    cluster, key = hands.world.cluster, key_of(operation)
    live = cluster.get(key)
    if live is None or live["metadata"].get("uid") != operation.uid:
        if live is not None:
            cluster.delete(key, uid=live["metadata"]["uid"])
            until_gone(replace(operation, uid=live["metadata"]["uid"]), hands, key)
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
    return next((r for r in _history(operation, hands) if r.revision == operation.revision), None)


def _images(operation: Operation, hands: Hands) -> tuple[ObjectImages, ...]:
    """Before (from the plan) and after (read now) of every object of the release."""
    live = Live(hands.world)
    live.observe(change.key for change in operation.changes)
    return tuple(ObjectImages(c.key, c.before, live.seen(c.key)) for c in operation.changes)
