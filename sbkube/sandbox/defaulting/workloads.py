"""Defaults of the kinds that make pods (`pkg/apis/apps/v1`, `batch/v1`, `autoscaling`, `policy`)."""

from __future__ import annotations

from typing import Any

from sbkube.sandbox.defaulting.pods import template

Json = dict[str, Any]
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def deployment(obj: Json) -> None:
    """Rolling update by quarters, one replica, ten old sets, ten minutes to make progress."""
    spec = _spec(obj)
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = _sub(strategy, "rollingUpdate")
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    template(spec)
    obj.setdefault("status", {})


def replica_set(obj: Json) -> None:
    """One replica unless said otherwise."""
    spec = _spec(obj)
    spec.setdefault("replicas", 1)
    template(spec)
    _zeros(obj, "replicas")


def replication_controller(obj: Json) -> None:
    """Selector and labels follow the template's labels."""
    spec = _spec(obj)
    spec.setdefault("replicas", 1)
    if isinstance(spec.get("template"), dict):
        template(spec)
        labels = spec["template"]["metadata"].get("labels")
        if labels:
            spec.setdefault("selector", dict(labels))
            obj["metadata"].setdefault("labels", dict(labels))
    _zeros(obj, "replicas")


def stateful_set(obj: Json) -> None:
    """Ordered pods, claims that outlive them."""
    spec = _spec(obj)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _sub(strategy, "rollingUpdate").setdefault("partition", 0)
    policy = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    policy.setdefault("whenDeleted", "Retain")
    policy.setdefault("whenScaled", "Retain")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("serviceName", "")
    template(spec)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        claim.setdefault("metadata", {})
        _sub(claim, "spec").setdefault("volumeMode", "Filesystem")
        claim["spec"].setdefault("resources", {})
        claim["status"] = {"phase": "Pending"}
    _zeros(obj, "replicas", "availableReplicas")


def daemon_set(obj: Json) -> None:
    """One pod at a time is replaced."""
    spec = _spec(obj)
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = _sub(strategy, "rollingUpdate")
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    template(spec)
    _zeros(obj, "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    annotations = obj["metadata"].get("annotations") or {}
    obj["metadata"]["annotations"] = {TEMPLATE_GENERATION: "1", **annotations}


def controller_revision(obj: Json) -> None:
    """`revision` is written even when zero."""
    obj.setdefault("revision", 0)


def job(obj: Json) -> None:
    """One completion by one pod, six retries."""
    job_spec(_spec(obj))
    obj.setdefault("status", {})


def job_spec(spec: Json) -> None:
    """The part that jobs and cron jobs share; a work queue (parallelism alone) has no completions."""
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    if spec.get("parallelism") is None:
        spec["parallelism"] = 1
    limit = 2147483647 if spec.get("backoffLimitPerIndex") is not None else 6
    spec.setdefault("backoffLimit", limit)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    replaces = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    spec.setdefault("podReplacementPolicy", replaces)
    template(spec)
    _failure_policy(spec)


def _failure_policy(spec: Json) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")


def cron_job(obj: Json) -> None:
    """Runs may overlap; three good runs and one bad one are kept."""
    spec = _spec(obj)
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    made = _sub(spec, "jobTemplate")
    made.setdefault("metadata", {})
    template(_sub(made, "spec"))
    obj.setdefault("status", {})


def horizontal_pod_autoscaler(obj: Json) -> None:
    """At least one replica; 80 % of the CPU request when no metric is named."""
    spec = _spec(obj)
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if isinstance(behavior, dict):
        _scaling_rules(behavior)
    _zeros(obj, "desiredReplicas")
    obj["status"].setdefault("currentMetrics", None)


def _scaling_rules(behavior: Json) -> None:
    up = [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    down = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    for name, policies, window in (("scaleUp", up, 0), ("scaleDown", down, None)):
        rules = behavior.setdefault(name, {})
        if rules is None:
            continue
        rules.setdefault("selectPolicy", "Max")
        rules.setdefault("policies", policies)
        if window is not None:
            rules.setdefault("stabilizationWindowSeconds", window)


def horizontal_pod_autoscaler_v1(obj: Json) -> None:
    """The old form knows no metrics; `maxReplicas` is written always."""
    spec = _spec(obj)
    spec.setdefault("minReplicas", 1)
    spec.setdefault("maxReplicas", 0)
    _zeros(obj, "currentReplicas", "desiredReplicas")


def pod_disruption_budget(obj: Json) -> None:
    """Counts are written even when zero."""
    obj.setdefault("spec", {})
    _zeros(obj, "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def pod_template(obj: Json) -> None:
    """A stored pod template."""
    template(obj)


def _spec(obj: Json) -> Json:
    return _sub(obj, "spec")


def _zeros(obj: Json, *names: str) -> None:
    """Counts that are written even when zero."""
    status = _sub(obj, "status")
    for name in names:
        status.setdefault(name, 0)


def _sub(obj: Json, name: str) -> Json:
    found = obj.get(name)
    if not isinstance(found, dict):
        found = obj[name] = {}
    return found
