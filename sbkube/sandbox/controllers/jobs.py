"""Jobs: pods run until enough of them succeed or too many fail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.cluster import Json, Key, key_of, terminating
from sbkube.sandbox.controllers.pods import is_ready, new_pod
from sbkube.sandbox.controllers.replicas import suffix
from sbkube.sandbox.controllers.runtime import now_text, seconds_of

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

_COMPONENT = "job-controller"


def finished(obj: Json) -> str:
    """Complete, Failed, or nothing while it runs."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found["type"] in ("Complete", "Failed") and found["status"] == "True":
            return str(found["type"])
    return ""


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Starts missing pods, counts the ended ones, and ends the job."""
    if obj is None or terminating(obj):
        return
    if finished(obj):
        await _expire(run, key, obj)
        return
    pods = run.owned(obj, "Pod")
    phases = [(p.get("status") or {}).get("phase") for p in pods]
    good, bad = phases.count("Succeeded"), phases.count("Failed")
    active = [p for p in pods if (p.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    spec = obj["spec"]
    if spec.get("suspend"):
        await _suspend(run, obj, active)
        return
    completions = spec.get("completions")
    needed = completions if completions is not None else 1
    failure = _failure(run, key, obj, bad)
    if failure is not None:
        for pod in active:
            await run.cluster.delete(key_of(pod), pod["metadata"]["uid"], grace=0)
        await _end(run, obj, good, bad + len(active), ("FailureTarget", "Failed"), *failure)
    elif good >= needed and not active:
        text = "Reached expected number of succeeded pods"
        await _end(run, obj, good, bad, ("SuccessCriteriaMet", "Complete"), "CompletionsReached", text)
    else:
        missing = min(spec.get("parallelism", 1), needed - good) - len(active)
        for _ in range(max(0, missing)):
            made = await _start_pod(run, obj, good + len(active))
            if made is None:
                break
            active.append(made)
        await _count(run, key, good, bad, active)


def _failure(run: Controllers, key: Key, obj: Json, bad: int) -> tuple[str, str] | None:
    spec = obj["spec"]
    if bad > spec.get("backoffLimit", 6):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    limit = spec.get("activeDeadlineSeconds")
    begun = (obj.get("status") or {}).get("startTime")
    if limit is not None and begun:
        left = seconds_of(begun) + limit - time.time()
        if left <= 0:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        run.later(left, key)
    return None


async def _start_pod(run: Controllers, obj: Json, number: int) -> Json | None:
    name = obj["metadata"]["name"]
    indexed = obj["spec"].get("completionMode") == "Indexed"
    prefix = f"{name[:50]}-{number}" if indexed else name[:57]
    pod = new_pod(obj, obj["spec"]["template"], f"{prefix}-{suffix()}")
    if indexed:
        for part in ("labels", "annotations"):
            found = pod["metadata"].setdefault(part, {})
            found["batch.kubernetes.io/job-completion-index"] = str(number)
    made = await run.make_pod(obj, pod, _COMPONENT)
    if isinstance(made, str):
        return None
    await run.event(obj, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}", _COMPONENT)
    return made


async def _count(run: Controllers, key: Key, good: int, bad: int, active: list[Json]) -> None:
    obj = run.get(key)
    if obj is None:
        return
    before = obj.get("status") or {}
    counts = {"active": len(active), "succeeded": good, "failed": bad}
    status: Json = {k: v for k, v in counts.items() if v}
    status.update(ready=sum(is_ready(p) for p in active), terminating=0, uncountedTerminatedPods={})
    status["startTime"] = before.get("startTime") or now_text()
    conditions = [c for c in before.get("conditions") or () if c["type"] != "Suspended"]
    if len(conditions) != len(before.get("conditions") or ()):
        conditions.append(_condition("Suspended", "JobResumed", "Job resumed", "False"))
    if conditions:
        status["conditions"] = conditions
    await run.write_status(obj, status)


async def _suspend(run: Controllers, obj: Json, active: list[Json]) -> None:
    for pod in active:
        await run.cluster.delete(key_of(pod), pod["metadata"]["uid"], grace=0)
    before = obj.get("status") or {}
    found = [c for c in before.get("conditions") or () if c["type"] == "Suspended" and c["status"] == "True"]
    if not found:
        found = [_condition("Suspended", "JobSuspended", "Job suspended", "True")]
        await run.event(obj, "Normal", "Suspended", "Job suspended", _COMPONENT)
    await run.write_status(obj, {"conditions": found, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}})


def _condition(name: str, reason: str, message: str, status: str = "True") -> Json:
    now = now_text()
    return {
        "type": name,
        "status": status,
        "lastProbeTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


async def _end(
    run: Controllers, obj: Json, good: int, bad: int, types: tuple[str, str], reason: str, message: str
) -> None:
    live = run.get(key_of(obj))
    if live is None:
        return
    before = live.get("status") or {}
    status: Json = {k: v for k, v in (("succeeded", good), ("failed", bad)) if v}
    status["startTime"] = before.get("startTime") or now_text()
    status.update(ready=0, terminating=0, uncountedTerminatedPods={})
    status["conditions"] = [*(before.get("conditions") or ()), *(_condition(t, reason, message) for t in types)]
    complete = types[1] == "Complete"
    if complete:
        status["completionTime"] = now_text()
    await run.write_status(live, status)
    kind, word, text = ("Normal", "Completed", "Job completed") if complete else ("Warning", reason, message)
    await run.event(live, kind, word, text, _COMPONENT)


async def _expire(run: Controllers, key: Key, obj: Json) -> None:
    kept = obj["spec"].get("ttlSecondsAfterFinished")
    if kept is None:
        return
    conditions = obj["status"]["conditions"]
    ended = next(c["lastTransitionTime"] for c in conditions if c["type"] in ("Complete", "Failed"))
    left = seconds_of(ended) + kept - time.time()
    if left > 0:
        run.later(left, key)
        return
    await run.cluster.delete(key, obj["metadata"]["uid"])
