"""Objects of kinds that are served in two built-in forms: autoscalers and events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]
_EVENT = (("involvedObject", "regarding"), ("message", "note"), ("source", "deprecatedSource"),
          ("firstTimestamp", "deprecatedFirstTimestamp"), ("lastTimestamp", "deprecatedLastTimestamp"),
          ("count", "deprecatedCount"), ("reportingComponent", "reportingController"))  # fmt: skip


def to_served(kind: Kind, stored: Json) -> Json:
    """A stored object in the version of `kind`."""
    step = _SERVED.get(kind.gvk)
    return {**(step(stored) if step else stored), "apiVersion": kind.api_version}


def to_stored(kind: Kind, obj: Json) -> Json:
    """An object of `kind` in the version that is stored."""
    group, version, _ = kind.storage
    step = _STORED.get(kind.gvk)
    return {**(step(obj) if step else obj), "apiVersion": f"{group}/{version}" if group else version}


def _old_autoscaler(obj: Json) -> Json:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    for metric in spec.pop("metrics", None) or ():
        share = _cpu(metric, "target")
        if share is not None:
            spec["targetCPUUtilizationPercentage"] = share
    spec.pop("behavior", None)
    for metric in status.pop("currentMetrics", None) or ():
        share = _cpu(metric, "current")
        if share is not None:
            status["currentCPUUtilizationPercentage"] = share
    status.pop("conditions", None)
    return {**obj, "spec": spec, "status": status}


def _cpu(metric: Json, member: str) -> int | None:
    resource = metric.get("resource") or {}
    found: int | None = (resource.get(member) or {}).get("averageUtilization")
    return found if metric.get("type") == "Resource" and resource.get("name") == "cpu" else None


def _new_autoscaler(obj: Json) -> Json:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    share = spec.pop("targetCPUUtilizationPercentage", None)
    if share is not None:
        target = {"type": "Utilization", "averageUtilization": share}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    share = status.pop("currentCPUUtilizationPercentage", None)
    if share is not None:
        current = {"averageUtilization": share, "averageValue": "0"}
        status["currentMetrics"] = [{"type": "Resource", "resource": {"name": "cpu", "current": current}}]
    return {**obj, "spec": spec, "status": status}


def _renamed(obj: Json, names: dict[str, str]) -> Json:
    return {names.get(k, k): v for k, v in obj.items()}


_SERVED: dict[tuple[str, str, str], Callable[[Json], Json]] = {
    ("autoscaling", "v1", "HorizontalPodAutoscaler"): _old_autoscaler,
    ("events.k8s.io", "v1", "Event"): lambda obj: _renamed(obj, dict(_EVENT)),
}
_STORED: dict[tuple[str, str, str], Callable[[Json], Json]] = {
    ("autoscaling", "v1", "HorizontalPodAutoscaler"): _new_autoscaler,
    ("events.k8s.io", "v1", "Event"): lambda obj: _renamed(obj, {new: old for old, new in _EVENT}),
}
