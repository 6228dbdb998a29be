"""An object changes hands between our own applies and Helm, and is not deleted on the way.

From us to a release: before Helm acts, the object gets Helm's marks (Helm refuses objects without them) and our
fields go over to Helm's field manager. From a release to us: the release is not uninstalled, since that would
delete the object, but dissolved: its other objects and Helm's records of it are deleted one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sbkube.engine.compare import Live
from sbkube.engine.desired import DesiredRelease
from sbkube.engine.hands import TRIES, Done, Hands, key_of, planned_before
from sbkube.engine.releases import manifest_keys
from sbkube.errors import ClusterError
from sbkube.models.plan import BESIDE, Change, Effect, Operation, Verb
from sbkube.models.release import ReleaseRecord
from sbkube.models.resource import ResourceKey
from sbkube.plan import labels, migrate, order
from sbkube.plan.labels import HELM_MANAGER
from sbkube.plan.operations import Step, object_step
from sbkube.ports import HelmPort, Json, Recorded

Identity = tuple[str, str, str, str]
_FIRST = -1  # a wave before everything else of the app


def to_release(
    wanted: DesiredRelease, recorded: Mapping[ResourceKey, Recorded], live: Live
) -> list[tuple[ResourceKey, Json]]:
    """Objects of a release that we have applied ourselves so far, as they are now."""
    known = {key.identity: value for key, value in recorded.items() if value.verb not in BESIDE}
    keys = [d.key for d in wanted.objects if d.key.identity in known]
    live.observe(keys)
    found = []
    for key in keys:
        body = live.seen(key)
        if body is not None and body["metadata"].get("uid") == known[key.identity].uid:
            found.append((key, body))
    return found


def handover_steps(app: str, wanted: DesiredRelease, handed: Iterable[tuple[ResourceKey, Json]]) -> list[Step]:
    """Hand these objects to the release, before anything else is done to it."""
    steps = []
    for key, body in handed:
        note = f"handed over to the release {wanted.spec.namespace}/{wanted.spec.name}"
        change = Change(key, Effect.UNCHANGED, body, None, note=note)
        head = {"apiVersion": key.api_version, "kind": key.kind, "metadata": {"name": key.name}}
        marks = labels.as_helm(head, wanted.spec.name, wanted.spec.namespace)
        marks["metadata"]["namespace"] = key.namespace
        step = object_step(app, Verb.HANDOVER, change, marks)
        steps.append(replace(step, wave=_FIRST, awaits=()))
    return steps


def hand_over(operation: Operation, hands: Hands) -> Done:
    """Put Helm's marks on an object and make our fields Helm's, bound to the version that was read."""
    cluster, key = hands.world.cluster, key_of(operation)
    before = planned_before(operation)
    marks = (operation.desired or {})["metadata"]
    for _ in range(TRIES):
        if before is None or before["metadata"].get("uid") != operation.uid:
            raise ClusterError(f"{key} was deleted or replaced since the plan was made", code=409)
        have = before["metadata"].get("labels") or {}
        kept = {name: value for name, value in have.items() if name in labels.OWNERSHIP}
        steps = migrate.steps(before, migrate.handed_over(before, kept))
        for name in ("labels", "annotations"):
            value = {**(before["metadata"].get(name) or {}), **(marks.get(name) or {})}
            steps.append({"op": "add", "path": f"/metadata/{name}", "value": value})
        try:
            return Done(before=before, after=cluster.patch(key, steps, manager=HELM_MANAGER))
        except ClusterError as error:
            if not error.conflict:
                raise
            before = cluster.get(key)
            hands.lock.check()
    raise ClusterError(f"{key} changes faster than it can be handed over", code=409, reason="Conflict")


def from_releases(
    releases: Iterable[ReleaseRecord], wanted: Collection[Identity]
) -> Mapping[str, tuple[ResourceKey, ...]]:
    """Releases (`NAMESPACE/NAME`) that nobody wants any more → their objects that an app of ours wants."""
    found = {}
    for record in releases:
        if keys := tuple(key for key in manifest_keys(record) if key.identity in wanted):
            found[f"{record.namespace}/{record.name}"] = keys
    return found


def dissolve_steps(
    app: str, record: ReleaseRecord, staying: Sequence[ResourceKey], live: Live, helm: HelmPort
) -> list[Step]:
    """Delete a release's objects, but those that stay, and then Helm's records of it."""
    stay = {key.identity for key in staying}
    keys = [key for key in manifest_keys(record) if key.identity not in stay]
    revisions = [r.revision for r in helm.history(record.name, record.namespace)]
    storage = [_storage_key(record, revision) for revision in revisions]
    live.observe([*keys, *storage])
    steps = []
    for key in [*keys, *storage]:
        body = live.get(key)
        if body is None or (key not in storage and labels.kept(body)):
            continue
        step = object_step(app, Verb.DELETE, Change(key, Effect.DELETE, body, None), None)
        steps.append(replace(step, wave=order.FOUNDATION) if key in storage else step)
    return steps


def _storage_key(record: ReleaseRecord, revision: int) -> ResourceKey:
    return ResourceKey("", "v1", "Secret", record.namespace, f"sh.helm.release.v1.{record.name}.v{revision}")
