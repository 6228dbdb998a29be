"""From a live object to its `Health`: rules for every kind first, then the table of kinds.

Source: kstatus of `kubernetes-sigs/cli-utils` (`pkg/kstatus/status`), with what is added here named below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sbkube.health import cluster_kinds, workloads
from sbkube.health.conditions import (
    Body,
    annotation,
    condition,
    current,
    failed,
    holds,
    message_of,
    ready,
    reason_of,
    section,
    waiting,
    whole,
)
from sbkube.models.health import Health, HealthStatus

WAIT_FOR_ANNOTATION: Final = "sbkube.dev/wait-for"
OPTIONAL_ANNOTATION: Final = "sbkube.dev/optional"

Rule = Callable[[Body], Health]

RULES: Final[Mapping[tuple[str, str], Rule]] = {
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("", "ReplicationController"): workloads.replica_set,
    ("batch", "Job"): workloads.job,
    ("batch", "CronJob"): workloads.cron_job,
    ("", "Pod"): workloads.pod,
    ("", "PersistentVolumeClaim"): cluster_kinds.persistent_volume_claim,
    ("", "PersistentVolume"): cluster_kinds.persistent_volume,
    ("", "Service"): cluster_kinds.service,
    ("", "Namespace"): cluster_kinds.namespace,
    ("networking.k8s.io", "Ingress"): cluster_kinds.ingress,
    ("policy", "PodDisruptionBudget"): cluster_kinds.pod_disruption_budget,
    ("autoscaling", "HorizontalPodAutoscaler"): cluster_kinds.horizontal_pod_autoscaler,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): cluster_kinds.custom_resource_definition,
    ("apiregistration.k8s.io", "APIService"): cluster_kinds.api_service,
}


def assess(body: Mapping[str, Any] | None, *, honour_optional: bool = True) -> Health:
    """Judge one live object; None is an object that does not exist. Pure: no clock, no cluster, never raises.

    Order: being deleted, generation not yet observed (numbers and text alike), `Stalled`, `Reconciling`, the
    kind's own rule or the `Ready` condition, then every condition named in the annotation `sbkube.dev/wait-for`
    (`Type` or `Type=Status`, separated by commas). For kinds without a rule of their own those conditions
    replace `Ready`. An object annotated `sbkube.dev/optional: "true"` counts as ready with the reason
    `Optional` and what it would be otherwise as message; `honour_optional=False` ignores that annotation.
    """
    if body is None:
        return Health(HealthStatus.MISSING, "NotFound", "does not exist")
    health = _judge(body)
    if not health.ready and honour_optional and _optional(body) and health.status is not HealthStatus.TERMINATING:
        return ready(f"not waited for: {health.message or health.reason}", "Optional")
    return health


def _optional(body: Body) -> bool:
    return annotation(body, OPTIONAL_ANNOTATION).strip().lower() == "true"


def _judge(body: Body) -> Health:
    rule = RULES.get(_group_kind(body))
    early = _generic(body)
    if early is not None:
        return early
    wanted = _wait_for(body)
    if rule is not None:
        health = rule(body)
    else:
        health = ready() if wanted else _ready_condition(body)
    if not health.ready:
        return health
    missing = next((found for entry in wanted if (found := _unmet(body, *entry))), None)
    return missing or health


def _group_kind(body: Body) -> tuple[str, str]:
    group = str(body.get("apiVersion") or "").rpartition("/")[0]
    return group, str(body.get("kind") or "")


def _generic(body: Body) -> Health | None:
    """What decides for every kind before its own rule is asked."""
    if section(body, "metadata").get("deletionTimestamp"):
        stays = section(body, "metadata").get("finalizers")
        note = f"waits for finalizers {', '.join(map(str, stays))}" if isinstance(stays, list) and stays else ""
        return Health(HealthStatus.TERMINATING, "Terminating", note or "being deleted")
    generation = whole(section(body, "metadata").get("generation"))
    observed = whole(section(body, "status").get("observedGeneration"))
    if generation is not None and observed is not None and observed < generation:
        return waiting("NotObserved", "its controller has not seen the latest change yet")
    if (entry := condition(body, "Stalled")) and holds(body, "Stalled") and current(body, entry):
        return failed(reason_of(entry, "Stalled"), message_of(entry))
    if (entry := condition(body, "Reconciling")) and holds(body, "Reconciling"):
        return waiting(reason_of(entry, "Reconciling"), message_of(entry))
    return None


def _ready_condition(body: Body) -> Health:
    """Kinds without a rule of their own: the `Ready` condition where there is one, else existing is enough."""
    if condition(body, "Ready") is None:
        return ready()
    return _unmet(body, "Ready", "True") or ready(message_of(condition(body, "Ready") or {}))


def _wait_for(body: Body) -> list[tuple[str, str]]:
    """The (type, status) pairs of the annotation."""
    pairs = []
    for part in annotation(body, WAIT_FOR_ANNOTATION).split(","):
        kind, _, status = part.strip().partition("=")
        if kind:
            pairs.append((kind.strip(), status.strip() or "True"))
    return pairs


def _unmet(body: Body, kind: str, status: str) -> Health | None:
    """Why a condition does not hold, or None when it does."""
    entry = condition(body, kind)
    if entry is None:
        return waiting(f"Waiting{kind}", f"condition {kind} is not reported yet")
    if str(entry.get("status")) != status:
        return waiting(reason_of(entry, f"Not{kind}"), message_of(entry) or f"{kind} is {entry.get('status')}")
    if not current(body, entry):
        return waiting("NotObserved", f"condition {kind} speaks of an earlier generation")
    return None
