"""ReplicaSets and ReplicationControllers: as many pods as asked for."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.adoption import adopt
from sbkube.sandbox.controllers.cluster import Json, Key, key_of, terminating
from sbkube.sandbox.controllers.pods import is_ready, new_pod
from sbkube.sandbox.controllers.runtime import now_text, seconds_of

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

SAFE = "bcdfghjklmnpqrstvwxz2456789"
_DONE = ("Succeeded", "Failed")


def suffix(length: int = 5) -> str:
    """A random ending as generated names have it."""
    return "".join(secrets.choice(SAFE) for _ in range(length))


def available(run: Controllers, pod: Json, min_ready: int) -> bool:
    """Ready for at least `min_ready` seconds; otherwise its owner is looked at again in time."""
    import time

    if not is_ready(pod):
        return False
    if not min_ready:
        return True
    since = next(c["lastTransitionTime"] for c in pod["status"]["conditions"] if c["type"] == "Ready")
    return time.time() - seconds_of(since) >= min_ready


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Makes or removes pods until their number is right, then writes the counts."""
    if obj is None or terminating(obj):
        return
    wanted = obj["spec"].get("replicas", 1)
    living = _living(run.owned(obj, "Pod"))
    if len(living) < wanted:
        living = _living(await adopt(run, obj, "Pod"))
    component = "replicaset-controller" if key.kind == "ReplicaSet" else "replication-controller"
    refusal = ""
    for _ in range(wanted - len(living)):
        wished = new_pod(obj, obj["spec"]["template"], f"{key.name[:57]}-{suffix()}")
        pod = await run.make_pod(obj, wished, component)
        if isinstance(pod, str):
            refusal = pod
            break
        living.append(pod)
        await run.event(obj, "Normal", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}", component)
    if len(living) > wanted:
        living.sort(key=lambda p: (is_ready(p), p["metadata"].get("creationTimestamp", "")))
        for pod in living[: len(living) - wanted]:
            await run.cluster.delete(key_of(pod), pod["metadata"]["uid"])
            await run.event(
                obj, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}", component
            )
        living = living[len(living) - wanted :]
    await _write_counts(run, key, living, refusal)


def _living(pods: list[Json]) -> list[Json]:
    return [p for p in pods if not terminating(p) and (p.get("status") or {}).get("phase") not in _DONE]


async def _write_counts(run: Controllers, key: Key, pods: list[Json], refusal: str) -> None:
    obj = run.get(key)
    if obj is None or terminating(obj):
        return
    min_ready = obj["spec"].get("minReadySeconds", 0)
    labels = (obj["spec"].get("template") or {}).get("metadata", {}).get("labels") or {}
    ready = sum(is_ready(p) for p in pods)
    good = sum(available(run, p, min_ready) for p in pods)
    if good < ready:
        run.later(min(1.0, float(min_ready)), key)
    counts = {
        "fullyLabeledReplicas": sum(labels.items() <= (p["metadata"].get("labels") or {}).items() for p in pods),
        "readyReplicas": ready,
        "availableReplicas": good,
    }
    status = {"replicas": len(pods), **{k: v for k, v in counts.items() if v}}
    status["observedGeneration"] = obj["metadata"].get("generation", 1)
    if refusal:
        before = ((obj.get("status") or {}).get("conditions") or [{}])[0]
        since = before.get("lastTransitionTime") or now_text()
        failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refusal}
        # The name of the pod that was refused is another each time, and is no news.
        told = {**failed, "message": before.get("message", refusal), "lastTransitionTime": since}
        status["conditions"] = [told]
    await run.write_status(obj, status)
