"""HorizontalPodAutoscalers: within their bounds, and after a load that an annotation of the autoscaler names.

`sandbox.sbkube.dev/load: "4.5"` says that there is as much to do as four and a half pods at the metrics' targets
would do. Without it there are no metrics, as in a cluster without a metrics server: only the bounds count.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.cluster import Json, Key, terminating
from sbkube.sandbox.controllers.runtime import now_text
from sbkube.sandbox.status import StatusError

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

LOAD = "sandbox.sbkube.dev/load"
_COMPONENT = "horizontal-pod-autoscaler"
_TOLERANCE = 0.1  # the controller's own: smaller differences do not scale


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Scales the target and tells why."""
    if obj is None or terminating(obj):
        return
    ref, before = obj["spec"]["scaleTargetRef"], obj.get("status") or {}
    group = str(ref.get("apiVersion", "")).rpartition("/")[0]
    target = Key(group, ref.get("kind", ""), key.namespace, ref.get("name", ""))
    found = run.get(target)
    if found is None:
        plural = target.kind.lower() + "s" + (f".{group}" if group else "")
        text = (
            f'the HPA controller was unable to get the target\'s current scale: {plural} "{target.name}" not found'
        )
        conditions = [("AbleToScale", "False", "FailedGetScale", text)]
        counts = {"currentReplicas": before.get("currentReplicas", 0), "desiredReplicas": 0}
        await run.write_status(obj, {**counts, **_rest(obj, before, conditions)})
        return
    current = (found.get("spec") or {}).get("replicas", 1)
    wanted, conditions = _desired(obj, current)
    if wanted != current:
        try:
            await run.cluster.scale(target, wanted)
        except StatusError as error:
            conditions[0] = ("AbleToScale", "False", "FailedUpdateScale", error.message)
            await run.event(obj, "Warning", "FailedRescale", error.message, _COMPONENT)
        else:
            text = f"the HPA controller was able to update the target scale to {wanted}"
            conditions[0] = ("AbleToScale", "True", "SucceededRescale", text)
            why = f"New size: {wanted}; reason: {_why(obj, current, wanted)}"
            await run.event(obj, "Normal", "SuccessfulRescale", why, _COMPONENT)
    status: Json = {"currentReplicas": current, "desiredReplicas": wanted, **_rest(obj, before, conditions)}
    if load_of(obj) is not None and current:
        status["currentMetrics"] = [_metric(m, load_of(obj) or 0.0, current) for m in _metrics(obj)]
    if wanted != current:
        status["lastScaleTime"] = now_text()
    live = run.get(key)
    if live is not None:
        await run.write_status(live, status)


def load_of(obj: Json) -> float | None:
    """How many pods at the targets the load would keep busy; None when nobody says."""
    try:
        found = float((obj["metadata"].get("annotations") or {}).get(LOAD, ""))
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


def _metrics(obj: Json) -> list[Json]:
    return obj["spec"].get("metrics") or []


Conditions = list[tuple[str, str, str, str]]


def _desired(obj: Json, current: int) -> tuple[int, Conditions]:
    spec = obj["spec"]
    low, high = spec.get("minReplicas", 1), spec["maxReplicas"]
    load = load_of(obj)
    able = ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")
    if current == 0:
        text = "scaling is disabled since the replica count of the target is zero"
        return 0, [able, ("ScalingActive", "False", "ScalingDisabled", text)]
    if load is None:
        text = "the HPA was unable to compute the replica count: no metrics returned from resource metrics API"
        active = ("ScalingActive", "False", "FailedGetResourceMetric", text)
        return min(max(current, low), high), [able, active]
    wanted = current if abs(load / current - 1) <= _TOLERANCE else math.ceil(load)
    text = "the HPA was able to successfully calculate a replica count"
    active = ("ScalingActive", "True", "ValidMetricFound", text)
    if wanted > high:
        limited = ("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
    elif wanted < low:
        limited = ("True", "TooFewReplicas", "the desired replica count is less than the minimum replica count")
    else:
        limited = ("False", "DesiredWithinRange", "the desired count is within the acceptable range")
    return min(max(wanted, low), high), [able, active, ("ScalingLimited", *limited)]


def _why(obj: Json, current: int, wanted: int) -> str:
    if current > obj["spec"]["maxReplicas"]:
        return "Current number of replicas above Spec.MaxReplicas"
    if current < obj["spec"].get("minReplicas", 1):
        return "Current number of replicas below Spec.MinReplicas"
    return "All metrics below target" if wanted < current else "metrics above target"


def _rest(obj: Json, before: Json, conditions: Conditions) -> Json:
    """What the status has beside the counts; a condition keeps the time of its last change."""
    old = {c["type"]: c for c in before.get("conditions") or ()}
    made = []
    for name, state, reason, message in conditions:
        same = old.get(name, {}).get("status") == state
        since = old[name]["lastTransitionTime"] if same else now_text()
        made.append({"type": name, "status": state, "lastTransitionTime": since, "reason": reason,
                     "message": message})  # fmt: skip
    out: Json = {"conditions": made, "currentMetrics": None}
    generation = obj["metadata"].get("generation")
    if generation:
        out["observedGeneration"] = generation
    if before.get("lastScaleTime"):
        out["lastScaleTime"] = before["lastScaleTime"]
    return out


def _metric(metric: Json, load: float, current: int) -> Json:
    """What the metric shows now: its target, as many times as the load is more than the pods at it."""
    kind = str(metric.get("type", ""))
    member = kind[:1].lower() + kind[1:]
    source = metric.get(member) or {}
    target = source.get("target") or {}
    shown = {k: v for k, v in source.items() if k != "target"}
    now: Json = {}
    if "averageUtilization" in target:
        now = {"averageUtilization": round(target["averageUtilization"] * load / current), "averageValue": "0"}
    return {"type": kind, member: {**shown, "current": now}}
