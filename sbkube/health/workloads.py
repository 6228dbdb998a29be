"""Readiness of the kinds that run pods.

Source of the rules unless a function says otherwise: kstatus of `kubernetes-sigs/cli-utils`
(`pkg/kstatus/status/core.go`). The generic rules (generation observed, Stalled, being deleted) have been
looked at before a function here is called.
"""

from __future__ import annotations

from sbkube.health.conditions import (
    Body,
    condition,
    failed,
    holds,
    items,
    message_of,
    number,
    ready,
    reason_of,
    section,
    waiting,
)
from sbkube.models.health import Health


def deployment(body: Body) -> Health:
    """Ready when every replica is updated and available and the new ReplicaSet is in place.

    A passed progress deadline is a failure. A paused rollout is ready, as Helm has it: it would never end.
    """
    spec, status = section(body, "spec"), section(body, "status")
    progress = condition(body, "Progressing")
    if progress and progress.get("reason") == "ProgressDeadlineExceeded":
        return failed("ProgressDeadlineExceeded", message_of(progress) or "the progress deadline has passed")
    if spec.get("paused") is True:
        return ready("the rollout is paused", "Paused")
    wanted = number(spec, "replicas", 1)
    if (short := _deployment_shortfall(wanted, status)) is not None:
        refused = _replica_failure(body)
        return refused if refused is not None else short
    if progress is not None and not _rolled_out(progress):
        return waiting("ReplicaSetNotAvailable", "the new ReplicaSet is not available yet")
    if not holds(body, "Available"):
        return waiting("NotAvailable", "too few replicas have been available for long enough")
    return ready(f"{wanted} of {wanted} available")


def _deployment_shortfall(wanted: int, status: Body) -> Health | None:
    updated, total = number(status, "updatedReplicas"), number(status, "replicas")
    available, up = number(status, "availableReplicas"), number(status, "readyReplicas")
    if updated < wanted:
        return waiting("LessUpdated", f"{updated} of {wanted} updated")
    if total > updated:
        return waiting("ExtraReplicas", f"{total - updated} old {_replicas(total - updated)} still to end")
    if up < wanted:
        return waiting("LessReady", f"{up} of {wanted} ready")
    if available < updated:
        return waiting("LessAvailable", f"{available} of {updated} available")
    return None


def _replicas(count: int) -> str:
    return "replica" if count == 1 else "replicas"


def _rolled_out(progress: Body) -> bool:
    return str(progress.get("status")) == "True" and progress.get("reason") == "NewReplicaSetAvailable"


def _replica_failure(body: Body) -> Health | None:
    """Pods cannot even be created (quota, admission): still retried, so not final, but worth naming."""
    entry = condition(body, "ReplicaFailure")
    if entry is None or str(entry.get("status")) != "True":
        return None
    return waiting(reason_of(entry, "ReplicaFailure"), message_of(entry))


def replica_set(body: Body) -> Health:
    """Ready when all replicas are labelled, ready and available. Also for ReplicationControllers."""
    refused = _replica_failure(body)
    if refused is not None:
        return refused
    wanted, status = number(section(body, "spec"), "replicas", 1), section(body, "status")
    for field, reason, word in (
        ("fullyLabeledReplicas", "LessLabelled", "labelled"),
        ("readyReplicas", "LessReady", "ready"),
        ("availableReplicas", "LessAvailable", "available"),
    ):
        if (have := number(status, field)) < wanted:
            return waiting(reason, f"{have} of {wanted} {word}")
    if (total := number(status, "replicas")) > wanted:
        return waiting("ExtraReplicas", f"{total - wanted} {_replicas(total - wanted)} still to end")
    return ready(f"{wanted} of {wanted} available")


def stateful_set(body: Body) -> Health:
    """Ready when all replicas are ready and those above the partition run the new revision.

    With `OnDelete` old pods stay until somebody deletes them, so only readiness counts (kstatus does not even
    look at that).
    """
    spec, status = section(body, "spec"), section(body, "status")
    wanted, total = number(spec, "replicas", 1), number(status, "replicas")
    up, updated = number(status, "readyReplicas"), number(status, "updatedReplicas")
    strategy = section(spec, "updateStrategy")
    partition = number(section(strategy, "rollingUpdate"), "partition")
    if total < wanted:
        return waiting("LessReplicas", f"{total} of {wanted} created")
    if up < wanted:
        return waiting("LessReady", f"{up} of {wanted} ready")
    if total > wanted:
        return waiting("ExtraReplicas", f"{total - wanted} {_replicas(total - wanted)} still to end")
    if strategy.get("type") != "OnDelete":
        new = max(0, wanted - partition)
        if updated < new and status.get("currentRevision") != status.get("updateRevision"):
            return waiting("LessUpdated", f"{updated} of {new} updated")
    if number(spec, "minReadySeconds") and (available := number(status, "availableReplicas")) < wanted:
        return waiting("LessAvailable", f"{available} of {wanted} available")
    return ready(f"{wanted} of {wanted} ready")


def daemon_set(body: Body) -> Health:
    """Ready when every node that should run the pod runs the updated one; no node is fine.

    With `OnDelete` old pods stay until somebody deletes them, so the update is not waited for.
    """
    spec, status = section(body, "spec"), section(body, "status")
    if "desiredNumberScheduled" not in status:
        return waiting("NotScheduled", "the controller has not counted its nodes yet")
    wanted = number(status, "desiredNumberScheduled")
    checks = [("currentNumberScheduled", "LessCurrent", "scheduled")]
    if section(spec, "updateStrategy").get("type") != "OnDelete":
        checks.append(("updatedNumberScheduled", "LessUpdated", "updated"))
    checks += [("numberReady", "LessReady", "ready"), ("numberAvailable", "LessAvailable", "available")]
    for field, reason, word in checks:
        if (have := number(status, field)) < wanted:
            return waiting(reason, f"{have} of {wanted} {word}")
    return ready(f"{wanted} of {wanted} available")


def job(body: Body) -> Health:
    """Ready when complete (kstatus already counts a started Job; a deployment wants its result).

    A suspended Job is ready: nothing happens until somebody resumes it.
    """
    spec, status = section(body, "spec"), section(body, "status")
    if (entry := condition(body, "Failed")) and str(entry.get("status")) == "True":
        return failed(reason_of(entry, "JobFailed"), message_of(entry) or "the Job has failed")
    done, wanted = number(status, "succeeded"), number(spec, "completions", 1)
    if holds(body, "Complete"):
        return ready(f"{done} of {wanted} succeeded", "Completed")
    if spec.get("suspend") is True:
        return ready("the Job is suspended", "Suspended")
    if not status.get("startTime"):
        return waiting("JobNotStarted", "not started yet")
    tries = number(status, "failed")
    note = f", {tries} failed {'try' if tries == 1 else 'tries'}" if tries else ""
    return waiting("JobRunning", f"{done} of {wanted} succeeded{note}")


def cron_job(body: Body) -> Health:
    """Ready as soon as it exists; its Jobs come when they are due."""
    suspended = section(body, "spec").get("suspend") is True
    return ready("suspended", "Suspended") if suspended else ready("scheduled")


def pod(body: Body) -> Health:
    """Ready when its Ready condition holds or it has succeeded; failed in phase Failed.

    kstatus also fails crash loops and unschedulable pods; here they are in progress with their reason, because
    only the waiting side has a clock for the grace period that they deserve.
    """
    status = section(body, "status")
    phase = str(status.get("phase") or "")
    if phase == "Succeeded":
        return ready("the pod has completed", "Completed")
    if phase == "Failed":
        return failed(str(status.get("reason") or "PodFailed"), str(status.get("message") or "the pod has failed"))
    if holds(body, "Ready"):
        return ready("running")
    if trouble := _container_trouble(status):
        return waiting(*trouble)
    entry = condition(body, "PodScheduled")
    if entry and str(entry.get("status")) == "False":
        return waiting(reason_of(entry, "NotScheduled"), message_of(entry))
    if not phase:
        return waiting("PodNotObserved", "no kubelet has seen the pod yet")
    return waiting(f"Pod{phase}", "running but not ready" if phase == "Running" else phase.lower())


def _container_trouble(status: Body) -> tuple[str, str] | None:
    """Reason and message of the first container that waits for more than its creation."""
    for entry in [*items(status, "initContainerStatuses"), *items(status, "containerStatuses")]:
        state = section(entry, "state", "waiting")
        reason = str(state.get("reason") or "")
        if reason and reason not in {"ContainerCreating", "PodInitializing"}:
            return reason, f"container {entry.get('name')}: {state.get('message') or reason}"
    return None
