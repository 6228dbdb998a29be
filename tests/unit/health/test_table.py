"""Readiness of live objects: what a person would call ready, waiting or failed."""

from __future__ import annotations

from typing import Any

import pytest

from sbkube.health import assess
from sbkube.models.health import HealthStatus

READY, WAITING, FAILED = HealthStatus.READY, HealthStatus.IN_PROGRESS, HealthStatus.FAILED
TERMINATING = HealthStatus.TERMINATING


def body(api: str, kind: str, *, spec: Any = None, status: Any = None, **meta: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "ns", **meta}}
    if spec is not None:
        made["spec"] = spec
    if status is not None:
        made["status"] = status
    return made


def cond(kind: str, status: str = "True", reason: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, **more}


def deployment(spec: Any = None, *conditions: Any, generation: Any = 2, observed: Any = 2, **counts: int) -> Any:
    names = {"total": "replicas", "up": "readyReplicas", "avail": "availableReplicas", "new": "updatedReplicas"}
    status = {names[k]: v for k, v in counts.items()}
    return body(
        "apps/v1",
        "Deployment",
        spec=spec or {"replicas": 3},
        status={**status, "observedGeneration": observed, "conditions": list(conditions)},
        generation=generation,
    )


DONE = (cond("Progressing", reason="NewReplicaSetAvailable"), cond("Available"))
FULL = {"total": 3, "up": 3, "avail": 3, "new": 3}

CASES: dict[str, tuple[dict[str, Any] | None, HealthStatus, str]] = {
    "absent": (None, HealthStatus.MISSING, "NotFound"),
    "config map": (body("v1", "ConfigMap"), READY, "Ready"),
    "going": (body("v1", "ConfigMap", deletionTimestamp="t"), TERMINATING, "Terminating"),
    # Deployment
    "deployment done": (deployment(None, *DONE, **FULL), READY, "Ready"),
    "deployment fresh": (body("apps/v1", "Deployment", spec={}), WAITING, "LessUpdated"),
    "deployment unseen": (deployment(None, *DONE, observed=1, **FULL), WAITING, "NotObserved"),
    "deployment unseen as text": (deployment(None, *DONE, observed="1", **FULL), WAITING, "NotObserved"),
    "deployment seen as text": (deployment(None, *DONE, observed="2", **FULL), READY, "Ready"),
    "deployment rolling": (deployment(None, *DONE, **{**FULL, "new": 1}), WAITING, "LessUpdated"),
    "deployment old ones": (deployment(None, *DONE, **{**FULL, "total": 4}), WAITING, "ExtraReplicas"),
    "deployment not ready": (deployment(None, *DONE, **{**FULL, "up": 2}), WAITING, "LessReady"),
    "deployment not available": (deployment(None, *DONE, **{**FULL, "avail": 2}), WAITING, "LessAvailable"),
    "deployment deadline": (
        deployment(None, cond("Progressing", "False", "ProgressDeadlineExceeded", "too slow"), **FULL),
        FAILED,
        "ProgressDeadlineExceeded",
    ),
    "deployment quota": (
        deployment(None, cond("ReplicaFailure", reason="FailedCreate", message="exceeded quota"), total=0),
        WAITING,
        "FailedCreate",
    ),
    "deployment paused": (deployment({"replicas": 3, "paused": True}), READY, "Paused"),
    "deployment of none": (deployment({"replicas": 0}, *DONE), READY, "Ready"),
    # StatefulSet
    "stateful done": (
        body(
            "apps/v1",
            "StatefulSet",
            spec={"replicas": 2},
            status={"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2},
        ),
        READY,
        "Ready",
    ),
    "stateful fresh": (body("apps/v1", "StatefulSet", spec={"replicas": 2}), WAITING, "LessReplicas"),
    "stateful partition reached": (
        body(
            "apps/v1",
            "StatefulSet",
            spec={"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
            status={
                "replicas": 3,
                "readyReplicas": 3,
                "updatedReplicas": 1,
                "currentRevision": "a",
                "updateRevision": "b",
            },
        ),
        READY,
        "Ready",
    ),
    "stateful rolling": (
        body(
            "apps/v1",
            "StatefulSet",
            spec={"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
            status={
                "replicas": 3,
                "readyReplicas": 3,
                "updatedReplicas": 1,
                "currentRevision": "a",
                "updateRevision": "b",
            },
        ),
        WAITING,
        "LessUpdated",
    ),
    "stateful on delete": (
        body(
            "apps/v1",
            "StatefulSet",
            spec={"replicas": 1, "updateStrategy": {"type": "OnDelete"}},
            status={"replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
        ),
        READY,
        "Ready",
    ),
    # DaemonSet, ReplicaSet
    "daemon unseen": (body("apps/v1", "DaemonSet", status={}), WAITING, "NotScheduled"),
    "daemon no nodes": (body("apps/v1", "DaemonSet", status={"desiredNumberScheduled": 0}), READY, "Ready"),
    "daemon updating": (
        body(
            "apps/v1",
            "DaemonSet",
            status={
                "desiredNumberScheduled": 2,
                "currentNumberScheduled": 2,
                "numberReady": 2,
                "numberAvailable": 2,
                "updatedNumberScheduled": 1,
            },
        ),
        WAITING,
        "LessUpdated",
    ),
    "replica set short": (
        body("apps/v1", "ReplicaSet", spec={"replicas": 1}, status={"fullyLabeledReplicas": 1}),
        WAITING,
        "LessReady",
    ),
    "replica set of none": (
        body("apps/v1", "ReplicaSet", spec={"replicas": 0}, status={"replicas": 0}),
        READY,
        "Ready",
    ),
    # Job, CronJob
    "job fresh": (body("batch/v1", "Job", spec={}), WAITING, "JobNotStarted"),
    "job running": (
        body("batch/v1", "Job", spec={}, status={"startTime": "t", "failed": 1}),
        WAITING,
        "JobRunning",
    ),
    "job done": (
        body("batch/v1", "Job", status={"succeeded": 1, "conditions": [cond("Complete")]}),
        READY,
        "Completed",
    ),
    "job failed": (
        body("batch/v1", "Job", status={"conditions": [cond("Failed", reason="BackoffLimitExceeded")]}),
        FAILED,
        "BackoffLimitExceeded",
    ),
    "job suspended": (body("batch/v1", "Job", spec={"suspend": True}), READY, "Suspended"),
    "cron job": (body("batch/v1", "CronJob", spec={}), READY, "Ready"),
    # Pod
    "pod unseen": (body("v1", "Pod"), WAITING, "PodNotObserved"),
    "pod ready": (body("v1", "Pod", status={"phase": "Running", "conditions": [cond("Ready")]}), READY, "Ready"),
    "pod done": (body("v1", "Pod", status={"phase": "Succeeded"}), READY, "Completed"),
    "pod evicted": (body("v1", "Pod", status={"phase": "Failed", "reason": "Evicted"}), FAILED, "Evicted"),
    "pod unschedulable": (
        body(
            "v1",
            "Pod",
            status={"phase": "Pending", "conditions": [cond("PodScheduled", "False", "Unschedulable")]},
        ),
        WAITING,
        "Unschedulable",
    ),
    "pod image": (
        body(
            "v1",
            "Pod",
            status={
                "phase": "Pending",
                "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
            },
        ),
        WAITING,
        "ImagePullBackOff",
    ),
    # storage
    "claim bound": (body("v1", "PersistentVolumeClaim", status={"phase": "Bound"}), READY, "Bound"),
    "claim waits for its consumer": (
        body("v1", "PersistentVolumeClaim", spec={"storageClassName": "local-path"}, status={"phase": "Pending"}),
        READY,
        "WaitForFirstConsumer",
    ),
    "claim being provisioned": (
        body(
            "v1",
            "PersistentVolumeClaim",
            spec={"storageClassName": "fast"},
            status={"phase": "Pending"},
            annotations={"volume.kubernetes.io/storage-provisioner": "csi"},
        ),
        WAITING,
        "NotBound",
    ),
    "claim without class": (
        body("v1", "PersistentVolumeClaim", spec={}, status={"phase": "Pending"}),
        WAITING,
        "NotBound",
    ),
    "claim lost": (body("v1", "PersistentVolumeClaim", status={"phase": "Lost"}), FAILED, "Lost"),
    "volume failed": (body("v1", "PersistentVolume", status={"phase": "Failed"}), FAILED, "VolumeFailed"),
    # network
    "service": (body("v1", "Service", spec={"type": "ClusterIP"}), READY, "Ready"),
    "balancer without address": (body("v1", "Service", spec={"type": "LoadBalancer"}), WAITING, "NoAddress"),
    "balancer": (
        body(
            "v1",
            "Service",
            spec={"type": "LoadBalancer"},
            status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}},
        ),
        READY,
        "Ready",
    ),
    "ingress": (body("networking.k8s.io/v1", "Ingress", spec={}), READY, "Ready"),
    # extensions and policies
    "crd established": (
        body("apiextensions.k8s.io/v1", "CustomResourceDefinition", status={"conditions": [cond("Established")]}),
        READY,
        "Established",
    ),
    "crd fresh": (body("apiextensions.k8s.io/v1", "CustomResourceDefinition"), WAITING, "NotEstablished"),
    "crd names taken": (
        body(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            status={"conditions": [cond("NamesAccepted", "False", "PluralConflict")]},
        ),
        FAILED,
        "PluralConflict",
    ),
    "api service down": (
        body(
            "apiregistration.k8s.io/v1",
            "APIService",
            status={"conditions": [cond("Available", "False", "MissingEndpoints")]},
        ),
        WAITING,
        "MissingEndpoints",
    ),
    "namespace": (body("v1", "Namespace", status={"phase": "Active"}), READY, "Active"),
    "namespace going": (body("v1", "Namespace", status={"phase": "Terminating"}), TERMINATING, "Terminating"),
    "budget fresh": (body("policy/v1", "PodDisruptionBudget", status={}), WAITING, "NotComputed"),
    "budget": (
        body("policy/v1", "PodDisruptionBudget", status={"observedGeneration": 1}, generation=1),
        READY,
        "Ready",
    ),
    "autoscaler without metrics": (
        body(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            status={
                "conditions": [cond("AbleToScale"), cond("ScalingActive", "False", "FailedGetResourceMetric")]
            },
        ),
        READY,
        "FailedGetResourceMetric",
    ),
    "autoscaler without target": (
        body(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            status={"conditions": [cond("AbleToScale", "False", "FailedGetScale")]},
        ),
        WAITING,
        "FailedGetScale",
    ),
    # custom resources
    "custom ready": (body("x.io/v1", "Thing", status={"conditions": [cond("Ready")]}), READY, "Ready"),
    "custom not ready": (
        body("x.io/v1", "Thing", status={"conditions": [cond("Ready", "False", "Pulling")]}),
        WAITING,
        "Pulling",
    ),
    "custom stale": (
        body("x.io/v1", "Thing", status={"conditions": [cond("Ready", observedGeneration=1)]}, generation=2),
        WAITING,
        "NotObserved",
    ),
    "custom stalled": (
        body("x.io/v1", "Thing", status={"conditions": [cond("Stalled", reason="NoSource"), cond("Ready")]}),
        FAILED,
        "NoSource",
    ),
    "custom reconciling": (
        body("x.io/v1", "Thing", status={"conditions": [cond("Reconciling", reason="Busy"), cond("Ready")]}),
        WAITING,
        "Busy",
    ),
    "custom plain": (body("x.io/v1", "Thing"), READY, "Ready"),
    # annotations
    "waits for a condition": (
        body("x.io/v1", "Thing", status={"conditions": []}, annotations={"sbkube.dev/wait-for": "Synced"}),
        WAITING,
        "WaitingSynced",
    ),
    "waits for conditions that hold": (
        body(
            "x.io/v1",
            "Thing",
            status={"conditions": [cond("Synced"), cond("Busy", "False"), cond("Ready", "False")]},
            annotations={"sbkube.dev/wait-for": "Synced, Busy=False"},
        ),
        READY,
        "Ready",
    ),
    "waits besides its own rule": (
        body("v1", "Service", spec={}, annotations={"sbkube.dev/wait-for": "Programmed"}),
        WAITING,
        "WaitingProgrammed",
    ),
    "optional": (body("batch/v1", "Job", spec={}, annotations={"sbkube.dev/optional": "true"}), READY, "Optional"),
    "optional said no": (
        body("batch/v1", "Job", spec={}, annotations={"sbkube.dev/optional": "false"}),
        WAITING,
        "JobNotStarted",
    ),
    # nonsense must not break a rule
    "null everywhere": (
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": None, "status": None},
        WAITING,
        "LessUpdated",
    ),
    "odd types": (body("apps/v1", "DaemonSet", spec=[], status={"desiredNumberScheduled": "x"}), READY, "Ready"),
    "not an object": ({}, READY, "Ready"),
}


@pytest.mark.parametrize("name", CASES)
def test_assess(name: str) -> None:
    live, status, reason = CASES[name]
    health = assess(live)
    assert (health.status, health.reason) == (status, reason), health


def test_optional_can_be_ignored() -> None:
    live = body("batch/v1", "Job", spec={}, annotations={"sbkube.dev/optional": "true"})
    assert assess(live, honour_optional=False).status is WAITING
    assert "not started" in assess(live).message


def test_messages_say_how_far_it_is() -> None:
    assert assess(deployment(None, *DONE, **{**FULL, "up": 2})).message == "2 of 3 ready"
    assert assess(deployment(None, *DONE, **{**FULL, "total": 4})).message == "1 old replica still to end"
