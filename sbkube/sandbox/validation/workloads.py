"""The kinds that make pods (`pkg/apis/apps/validation`, `batch`, `autoscaling`, `policy`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sbkube.sandbox.selectors import selector_of
from sbkube.sandbox.status import Cause
from sbkube.sandbox.validation.causes import (
    forbidden,
    immutable,
    invalid,
    non_negative,
    objects,
    one_of,
    percent,
    required,
    unsupported,
)
from sbkube.sandbox.validation.cron import schedule, time_zone
from sbkube.sandbox.validation.metadata import labels
from sbkube.sandbox.validation.pods import pod_spec

Json = dict[str, Any]
_MISMATCH = "`selector` does not match template `labels`"
_STATEFUL = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_FREE = {
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
}


def _template(spec: Json, path: str = "spec.template", claims: Sequence[str] = ()) -> list[Cause]:
    template = spec.get("template") or {}
    meta = template.get("metadata") or {}
    found = labels(f"{path}.metadata.labels", meta.get("labels"))
    return found + pod_spec(template.get("spec") or {}, f"{path}.spec", claims)


def _always(spec: Json) -> list[Cause]:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    known = ("Always", "Never", "OnFailure")
    if policy in (None, "Always") or policy not in known:
        return []
    return [unsupported("spec.template.spec.restartPolicy", policy, ("Always",))]


def _selector(spec: Json) -> tuple[list[Cause], list[Cause]]:
    """What is wrong with the selector itself, and with the template's labels for it."""
    struct = spec.get("selector")
    own: list[Cause] = []
    if struct is None:
        own.append(required("spec.selector"))
    elif not (struct.get("matchLabels") or struct.get("matchExpressions")):
        own.append(invalid("spec.selector", struct, "empty selector is invalid for deployment"))
    found = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    selector = selector_of(struct)
    if selector is None or not selector or not selector.matches(found):
        return own, [invalid("spec.template.metadata.labels", found, _MISMATCH)]
    return own, []


def deployment(new: Json, old: Json | None) -> list[Cause]:
    """A Deployment; its selector stays."""
    spec = new["spec"]
    found = immutable("spec.selector", spec.get("selector"), old["spec"].get("selector")) if old else []
    found += non_negative("spec.replicas", spec.get("replicas"))
    own, mismatch = _selector(spec)
    found += own + mismatch + _template(spec) + _always(spec) + _strategy(spec.get("strategy") or {})
    for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        found += non_negative(f"spec.{name}", spec.get(name))
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if deadline is not None and deadline <= ready:
        found.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return found


def _strategy(strategy: Json) -> list[Cause]:
    kind = strategy.get("type")
    path = "spec.strategy"
    if kind not in ("Recreate", "RollingUpdate"):
        return [unsupported(f"{path}.type", kind, ("Recreate", "RollingUpdate"))]
    rolling = strategy.get("rollingUpdate")
    if kind == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden(f"{path}.rollingUpdate", text)] if rolling is not None else []
    found: list[Cause] = []
    for name in ("maxUnavailable", "maxSurge"):
        found += _share(f"{path}.rollingUpdate.{name}", (rolling or {}).get(name))
    if {str((rolling or {}).get(n)) for n in ("maxUnavailable", "maxSurge")} <= {"0", "0%"}:
        value = (rolling or {}).get("maxUnavailable")
        found.append(invalid(f"{path}.rollingUpdate.maxUnavailable", value, "may not be 0 when `maxSurge` is 0"))
    return found


def _share(path: str, value: Any) -> list[Cause]:
    if isinstance(value, str) and not percent(value):
        text = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
        return [invalid(path, value, text + "regex used for validation is '[0-9]+%')")]
    return non_negative(path, value)


def replica_set(new: Json, old: Json | None) -> list[Cause]:
    """A ReplicaSet; its selector stays."""
    spec = new["spec"]
    found = immutable("spec.selector", spec.get("selector"), old["spec"].get("selector")) if old else []
    own, mismatch = _selector(spec)
    found += non_negative("spec.replicas", spec.get("replicas"))
    return found + own + mismatch + _template(spec) + _always(spec)


def stateful_set(new: Json, old: Json | None) -> list[Cause]:
    """A StatefulSet; most of it stays."""
    spec = new["spec"]
    if old is not None:
        before = old["spec"]
        changed = [
            k for k in spec.keys() | before.keys() if k not in _STATEFUL_FREE and spec.get(k) != before.get(k)
        ]
        if changed:
            return [forbidden("spec", _STATEFUL)]
    found = one_of("spec.podManagementPolicy", spec.get("podManagementPolicy"), ("OrderedReady", "Parallel"))
    kinds = ("OnDelete", "RollingUpdate")
    found += one_of("spec.updateStrategy.type", (spec.get("updateStrategy") or {}).get("type"), kinds)
    found += non_negative("spec.replicas", spec.get("replicas"))
    found += non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    own, mismatch = _selector(spec)
    claims = [(c.get("metadata") or {}).get("name", "") for c in objects(spec.get("volumeClaimTemplates"))]
    return found + own + mismatch + _template(spec, claims=claims) + _always(spec)


def daemon_set(new: Json, old: Json | None) -> list[Cause]:
    """A DaemonSet; its selector stays."""
    spec = new["spec"]
    found = immutable("spec.selector", spec.get("selector"), old["spec"].get("selector")) if old else []
    own, mismatch = _selector(spec)
    if spec.get("selector") is not None:
        found += own
    found += mismatch + _template(spec) + _always(spec)
    return found + non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))


def job(new: Json, old: Json | None) -> list[Cause]:
    """A Job; only its suspension and counts change once it is there."""
    found = job_spec(new["spec"], "spec") if old is None else _job_update(new["spec"], old["spec"])
    status = new.get("status") or {}
    for name in ("active", "succeeded", "failed", "ready", "terminating"):
        found += non_negative(f"status.{name}", status.get(name))
    if status.get("ready") is not None and status["ready"] > status.get("active", 0):
        found.append(invalid("status.ready", status["ready"], "cannot set more ready pods than active"))
    return found


def job_spec(spec: Json, path: str) -> list[Cause]:
    """What jobs and cron jobs share."""
    found: list[Cause] = []
    counts = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
    for name in counts:
        found += non_negative(f"{path}.{name}", spec.get(name))
    found += one_of(f"{path}.completionMode", spec.get("completionMode"), ("Indexed", "NonIndexed"))
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        found.append(required(f"{path}.completions", "when completion mode is Indexed"))
    found += _template(spec, f"{path}.template")
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if policy in (None, "Always"):
        where = f"{path}.template.spec.restartPolicy"
        found.append(required(where, 'valid values: "OnFailure", "Never"'))
    return found


def _job_update(spec: Json, before: Json) -> list[Cause]:
    found = job_spec(spec, "spec")
    if spec.get("completionMode") != "Indexed":
        found += immutable("spec.completions", spec.get("completions"), before.get("completions"))
    found += immutable("spec.selector", spec.get("selector"), before.get("selector"))
    template, old = spec.get("template") or {}, before.get("template") or {}
    idle = bool(before.get("suspend"))
    if _fixed(template.get("spec") or {}, idle) != _fixed(old.get("spec") or {}, idle):
        found.append(invalid("spec.template.spec", template.get("spec"), "field is immutable"))
    elif template.get("metadata") != old.get("metadata") and not idle:
        found.append(invalid("spec.template", template, "field is immutable"))
    return found + immutable("spec.completionMode", spec.get("completionMode"), before.get("completionMode"))


def _fixed(spec: Json, idle: bool) -> Json:
    """What of a job's pods never changes: while it is suspended, where they may run is still open."""
    free = {"nodeSelector", "tolerations", "affinity", "schedulingGates"} if idle else set()
    return {k: v for k, v in spec.items() if k not in free}


def cron_job(new: Json, old: Json | None) -> list[Cause]:
    """A CronJob: its schedule, and the job it makes."""
    spec = new["spec"]
    found = job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")
    text = spec.get("schedule") or ""
    found += schedule("spec.schedule", text) if text else [required("spec.schedule")]
    if spec.get("timeZone") is not None:
        found += time_zone("spec.timeZone", spec["timeZone"])
    found += non_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    known = ("Allow", "Forbid", "Replace")
    found += one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), known)
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        found += non_negative(f"spec.{name}", spec.get(name))
    name = (new.get("metadata") or {}).get("name") or ""
    if old is None and len(name) > 52:
        found.append(invalid("metadata.name", name, "must be no more than 52 characters"))
    return found


def disruption_budget(new: Json, old: Json | None) -> list[Cause]:
    """A PodDisruptionBudget names one of its two limits."""
    spec = new.get("spec") or {}
    found: list[Cause] = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        members = ("minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy")
        quoted = {m[0].upper() + m[1:]: spec.get(m) for m in members}
        found.append(invalid("spec", quoted, "minAvailable and maxUnavailable cannot be both set"))
    for name in ("minAvailable", "maxUnavailable"):
        value = spec.get(name)
        found += _share(f"spec.{name}", value)
        if percent(value) and int(str(value)[:-1]) > 100:
            found.append(invalid(f"spec.{name}", value, "must not be greater than 100%"))
    return found


def autoscaler(new: Json, old: Json | None) -> list[Cause]:
    """A HorizontalPodAutoscaler: bounds and target."""
    spec = new["spec"]
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    found: list[Cause] = []
    if low is not None and low < 1:
        found.append(invalid("spec.minReplicas", low, "must be greater than or equal to 1"))
    if high < 1:
        found.append(required("spec.maxReplicas", "must be set and greater than 0"))
    if low is not None and high < low:
        found.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    target = spec.get("scaleTargetRef") or {}
    path = "spec.scaleTargetRef"
    found += [required(f"{path}.{n}") for n in ("kind", "name") if not target.get(n)]
    if "/" not in (target.get("apiVersion") or "") and target.get("kind") != "ReplicationController":
        text = "apiVersion must specify API group"
        found.append(invalid(f"{path}.apiVersion", target.get("apiVersion") or "", text))
    for at, metric in enumerate(objects(spec.get("metrics"))):
        if not metric.get("type"):
            found.append(required(f"spec.metrics[{at}].type", "must specify a metric source type"))
    return found
