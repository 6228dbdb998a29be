"""Deployments: one ReplicaSet per template, rolled over as the strategy says."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from sbkube.sandbox.controllers.adoption import adopt
from sbkube.sandbox.controllers.cluster import Json, Key, copied, key_of, owner_reference, terminating
from sbkube.sandbox.controllers.revisions import template_hash
from sbkube.sandbox.controllers.runtime import now_text, seconds_of

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

REVISION = "deployment.kubernetes.io/revision"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MAXIMUM = "deployment.kubernetes.io/max-replicas"
_HASH = "pod-template-hash"
_OURS = (REVISION, _DESIRED, _MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration")


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Moves a rollout one step further and writes the status."""
    if obj is None or terminating(obj):
        return
    sets = run.owned(obj, "ReplicaSet")
    current = next((s for s in sets if _same_template(s, obj)), None)
    if current is None:
        sets = await adopt(run, obj, "ReplicaSet")
        current = next((s for s in sets if _same_template(s, obj)), None)
    if current is None and not obj["spec"].get("paused"):
        current = await _create(run, obj, sets)
        sets = run.owned(obj, "ReplicaSet")
    elif current is not None:
        current = await _renumber(run, obj, current, sets)
    old = [s for s in sets if current is None or s["metadata"]["uid"] != current["metadata"]["uid"]]
    if obj["spec"].get("paused"):
        pass
    elif obj["spec"]["strategy"].get("type") == "Recreate":
        await _recreate(run, obj, current, old)
    else:
        await _roll(run, obj, current, old)
    await _clean(run, obj, old)
    await _write_status(run, key, current)


def _same_template(replica_set: Json, obj: Json) -> bool:
    labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return labels.get(_HASH) == template_hash(obj["spec"]["template"])


def _revision(obj: Json) -> int:
    try:
        return int((obj["metadata"].get("annotations") or {}).get(REVISION, 0))
    except ValueError:
        return 0


def bounds(obj: Json) -> tuple[int, int]:
    """How many pods may be there too many and too few while rolling."""
    desired = obj["spec"].get("replicas", 1)
    rolling = obj["spec"]["strategy"].get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), desired, up=True)
    missing = _share(rolling.get("maxUnavailable", "25%"), desired, up=False)
    return surge, missing if surge or missing else 1


def _share(value: Any, of: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * of / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)


def _annotations(obj: Json, revision: int) -> dict[str, str]:
    desired = obj["spec"].get("replicas", 1)
    kept = {k: v for k, v in (obj["metadata"].get("annotations") or {}).items() if k not in _OURS}
    surge = 0 if obj["spec"]["strategy"].get("type") == "Recreate" else bounds(obj)[0]
    return {**kept, _DESIRED: str(desired), _MAXIMUM: str(desired + surge), REVISION: str(revision)}


async def _create(run: Controllers, obj: Json, sets: list[Json]) -> Json:
    found = template_hash(obj["spec"]["template"])
    revision = max((_revision(s) for s in sets), default=0) + 1
    template = copied(obj["spec"]["template"])
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels[_HASH] = found
    selector = copied(obj["spec"]["selector"])
    selector.setdefault("matchLabels", {})[_HASH] = found
    meta = obj["metadata"]
    surge = bounds(obj)[0]
    first = 0 if sets else obj["spec"].get("replicas", 1)
    if sets and obj["spec"]["strategy"].get("type") != "Recreate":
        total = sum(s["spec"].get("replicas", 0) for s in sets)
        desired = obj["spec"].get("replicas", 1)
        first = max(0, min(desired, desired + surge - total))
    name = f"{meta['name']}-{found}"
    spec = {"replicas": first, "selector": selector, "template": template}
    if obj["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = obj["spec"]["minReadySeconds"]
    made = await run.cluster.create(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "labels": dict(labels),
                "annotations": _annotations(obj, revision),
                "ownerReferences": [owner_reference(obj)],
            },
            "spec": spec,
        }
    )
    await _number(run, obj, revision)
    text = f"Scaled up replica set {name} from 0 to {first}"
    if first:
        await run.event(obj, "Normal", "ScalingReplicaSet", text, "deployment-controller")
    return made


async def _renumber(run: Controllers, obj: Json, current: Json, sets: list[Json]) -> Json:
    """A template that comes back (rollout undo) is the newest revision again."""
    newest = max((_revision(s) for s in sets if s is not current), default=0)
    revision = _revision(current) if _revision(current) > newest else newest + 1
    wanted = _annotations(obj, revision)
    kept = current["metadata"].get("annotations") or {}
    if kept != wanted:
        changed = copied(current)
        changed["metadata"]["annotations"] = wanted
        current = await run.cluster.update(changed)
    await _number(run, obj, revision)
    return current


async def _number(run: Controllers, obj: Json, revision: int) -> None:
    live = run.get(key_of(obj))
    if live is not None and _revision(live) != revision:
        changed = copied(live)
        changed["metadata"].setdefault("annotations", {})[REVISION] = str(revision)
        await run.cluster.update(changed)


async def _scale(run: Controllers, obj: Json, replica_set: Json, wanted: int) -> None:
    now = replica_set["spec"].get("replicas", 0)
    if now == wanted:
        return
    live = run.get(key_of(replica_set))
    if live is None:
        return
    changed = copied(live)
    changed["spec"]["replicas"] = wanted
    await run.cluster.update(changed)
    word = "up" if wanted > now else "down"
    text = f"Scaled {word} replica set {replica_set['metadata']['name']} from {now} to {wanted}"
    await run.event(obj, "Normal", "ScalingReplicaSet", text, "deployment-controller")


def _count(sets: list[Json], name: str) -> int:
    return sum((s.get("status") or {}).get(name, 0) for s in sets)


async def _recreate(run: Controllers, obj: Json, current: Json | None, old: list[Json]) -> None:
    for found in old:
        await _scale(run, obj, found, 0)
    if current is not None and not _count(old, "replicas"):
        await _scale(run, obj, current, obj["spec"].get("replicas", 1))


async def _roll(run: Controllers, obj: Json, current: Json | None, old: list[Json]) -> None:
    if current is None:
        return
    desired = obj["spec"].get("replicas", 1)
    surge, missing = bounds(obj)
    old_total = sum(s["spec"].get("replicas", 0) for s in old)
    mine = current["spec"].get("replicas", 0)
    wanted = desired if mine > desired else max(mine, min(desired, desired + surge - old_total))
    await _scale(run, obj, current, wanted)
    ready = (current.get("status") or {}).get("availableReplicas", 0)
    removable = old_total + wanted - (desired - missing) - (wanted - min(ready, wanted))
    for found in sorted(old, key=_revision):
        size = found["spec"].get("replicas", 0)
        # Pods that are not available cost nothing to remove.
        broken = max(0, size - (found.get("status") or {}).get("availableReplicas", 0))
        cut = min(size, max(0, removable), size if ready or not broken else broken)
        if size and cut:
            await _scale(run, obj, found, size - cut)
            removable -= cut


async def _clean(run: Controllers, obj: Json, old: list[Json]) -> None:
    limit = obj["spec"].get("revisionHistoryLimit", 10)
    empty = [s for s in old if not s["spec"].get("replicas") and not (s.get("status") or {}).get("replicas")]
    for found in sorted(empty, key=_revision)[: max(0, len(empty) - limit)]:
        await run.cluster.delete(key_of(found), found["metadata"]["uid"])


async def _write_status(run: Controllers, key: Key, current: Json | None) -> None:
    obj = run.get(key)
    if obj is None or terminating(obj):
        return
    sets = run.owned(obj, "ReplicaSet")
    current = run.get(key_of(current)) if current is not None else None
    total, good = _count(sets, "replicas"), _count(sets, "availableReplicas")
    counts = {
        "replicas": total,
        "updatedReplicas": _count([current] if current else [], "replicas"),
        "readyReplicas": _count(sets, "readyReplicas"),
        "availableReplicas": good,
        "unavailableReplicas": max(0, max(total, obj["spec"].get("replicas", 1)) - good),
    }
    status: Json = {k: v for k, v in counts.items() if v}
    status["observedGeneration"] = obj["metadata"].get("generation", 1)
    status["terminatingReplicas"] = 0
    status["conditions"] = _conditions(run, key, obj, status, current)
    await run.write_status(obj, status)


def _conditions(run: Controllers, key: Key, obj: Json, status: Json, current: Json | None) -> list[Json]:
    old = {c["type"]: c for c in (obj.get("status") or {}).get("conditions") or ()}
    desired = obj["spec"].get("replicas", 1)
    missing = 0 if obj["spec"]["strategy"].get("type") == "Recreate" else bounds(obj)[1]
    if status.get("availableReplicas", 0) >= desired - missing:
        available = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        available = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    found = [_condition(old.get("Available"), "Available", *available)]
    progress = _progress(run, key, obj, status, current)
    if progress is not None:
        found.append(progress)
    elif "Progressing" in old:
        found.append(old["Progressing"])
    for failure in ((current or {}).get("status") or {}).get("conditions") or ():
        told = (failure["status"], failure["reason"], failure["message"])
        found.append(_condition(old.get(failure["type"]), failure["type"], *told))
    return found


def _progress(run: Controllers, key: Key, obj: Json, status: Json, current: Json | None) -> Json | None:
    before = obj.get("status") or {}
    last = next((c for c in before.get("conditions") or () if c["type"] == "Progressing"), None)
    if obj["spec"].get("paused"):
        text = ("Unknown", "DeploymentPaused", "Deployment is paused")
        return _condition(last, "Progressing", *text)
    if current is None:
        return None
    name = current["metadata"]["name"]
    desired = obj["spec"].get("replicas", 1)
    whole = [status.get(n, 0) for n in ("updatedReplicas", "availableReplicas", "replicas")] == [desired] * 3
    if whole:
        text = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
        return _condition(last, "Progressing", *text)
    moved = any(before.get(n) != status.get(n) for n in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    newer = before.get("observedGeneration") != status["observedGeneration"]
    limit = obj["spec"].get("progressDeadlineSeconds", 600)
    if last is None or moved or newer or last["reason"] == "NewReplicaSetAvailable":
        text = ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
        run.later(limit + 0.1, key)
        return {**_condition(last, "Progressing", *text), "lastUpdateTime": now_text()}
    left = seconds_of(last["lastUpdateTime"]) + limit - time.time()
    if last["reason"] != "ProgressDeadlineExceeded" and left > 0:
        run.later(left + 0.1, key)
        unchanged: Json = last
        return unchanged
    text = ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
    return _condition(last, "Progressing", *text)


def _condition(old: Json | None, name: str, status: str, reason: str, message: str) -> Json:
    if old is not None and (old["status"], old["reason"], old["message"]) == (status, reason, message):
        return old
    now = now_text()
    return {
        "type": name,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": old["lastTransitionTime"] if old is not None and old["status"] == status else now,
        "reason": reason,
        "message": message,
    }
