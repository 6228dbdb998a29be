"""What is at the bottom of a failure: one pod, one container, one reason. Pure; others fetch.

The reasons are kubelet's (`pkg/kubelet/container/sync_result.go`, `pkg/kubelet/images/types.go`) and the
scheduler's (`PodReasonUnschedulable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sbkube.health.conditions import Body, condition, items, message_of, number, reason_of, section
from sbkube.health.table import assess
from sbkube.models.health import Culprit
from sbkube.models.resource import ResourceKey

FATAL_WAITING: Final = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
        "StartError",
    }
)
_IMAGE: Final = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
)
LOG_LINES: Final = 20
EVENT_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class LogSource:
    """Which log tells most: `previous` is the run before the present one."""

    container: str
    previous: bool


@dataclass(frozen=True, slots=True)
class _Trouble:
    container: str
    reason: str
    status: Body
    init: bool = False


def fatal_reason(pod: Body) -> str | None:
    """Why waiting longer for this pod is probably useless, or None.

    Image pull errors, crash loops, containers that cannot be created, out of memory, unschedulable, and
    phase Failed of a pod without an owner (owners replace failed pods). A pod of a Job may crash as often as
    the Job allows, so only what no retry can mend counts there. All of these can heal; callers give them a
    grace period.
    """
    if section(pod, "metadata").get("deletionTimestamp"):
        return None
    status = section(pod, "status")
    if status.get("phase") == "Failed":
        return None if _owner_kind(pod) else str(status.get("reason") or "PodFailed")
    trouble = _trouble(pod)
    if trouble is not None and trouble.reason in FATAL_WAITING | {"OOMKilled"}:
        crashed = trouble.reason in {"CrashLoopBackOff", "OOMKilled"}
        return None if crashed and _owner_kind(pod) == "Job" else trouble.reason
    return "Unschedulable" if _unschedulable(pod) else None


def log_source(pod: Body) -> LogSource | None:
    """The container whose log explains the pod's state, or None if no container has run."""
    trouble = _trouble(pod)
    if trouble is None:
        statuses = items(section(pod, "status"), "containerStatuses")
        running = next((entry for entry in statuses if entry.get("ready") is not True), None)
        return LogSource(str(running.get("name")), False) if running and _has_run(running) else None
    if not _has_run(trouble.status):
        return None
    waits = bool(section(trouble.status, "state", "waiting"))
    return LogSource(trouble.container, waits and bool(section(trouble.status, "lastState", "terminated")))


def explain(body: Body, events: Iterable[Body] = (), logs: str | Sequence[str] = ()) -> Culprit | None:
    """One line that names the culprit, with its last events and log lines; None for an object that is well.

    `body` is a pod, or any object at the end of the owner chain (a ReplicaSet that may not create pods).
    `events` are Event objects about it, in any order; `logs` is the text or the lines of `log_source`.
    """
    lines = tuple((logs.splitlines() if isinstance(logs, str) else list(logs))[-LOG_LINES:])
    told = sorted(events, key=_event_time)
    recent = tuple(_event_line(event) for event in told)[-EVENT_LINES:]
    found = _explain_pod(body, told, lines) if body.get("kind") == "Pod" else None
    if found is None:
        found = _explain_any(body, told)
    if found is None:
        return None
    subject, reason, message = found
    return Culprit(subject, reason, message, recent, lines)


def _explain_pod(pod: Body, events: list[Body], lines: tuple[str, ...]) -> tuple[str, str, str] | None:
    subject = str(ResourceKey.of(pod))
    trouble = _trouble(pod)
    if trouble is not None:
        where = f"{subject}, {'init container' if trouble.init else 'container'} {trouble.container}"
        return where, trouble.reason, _container_message(trouble, events, lines)
    if _unschedulable(pod):
        return subject, "Unschedulable", message_of(condition(pod, "PodScheduled") or {})
    return None


def _explain_any(body: Body, events: list[Body]) -> tuple[str, str, str] | None:
    health = assess(body, honour_optional=False)
    warnings = [event for event in events if event.get("type") == "Warning"]
    if health.ready:
        return None
    if warnings and not health.failed:
        newest = warnings[-1]
        return str(ResourceKey.of(body)), reason_of(newest, health.reason), _event_text(newest) or health.message
    return str(ResourceKey.of(body)), health.reason, health.message


def _owner_kind(pod: Body) -> str:
    owners = items(section(pod, "metadata"), "ownerReferences")
    return next((str(owner.get("kind")) for owner in owners if owner.get("controller")), "")


def _unschedulable(pod: Body) -> bool:
    entry = condition(pod, "PodScheduled")
    return entry is not None and str(entry.get("status")) == "False" and entry.get("reason") == "Unschedulable"


def _has_run(status: Body) -> bool:
    state = section(status, "state")
    return "running" in state or "terminated" in state or "terminated" in section(status, "lastState")


def _trouble(pod: Body) -> _Trouble | None:
    """The first container in a bad state, init containers before the others."""
    status = section(pod, "status")
    for field, init in (("initContainerStatuses", True), ("containerStatuses", False)):
        for entry in items(status, field):
            if reason := _bad_state(entry):
                return _Trouble(str(entry.get("name") or ""), reason, entry, init)
    return None


def _bad_state(entry: Body) -> str:
    """Reason word of a container's bad state, or nothing. A crash loop after running out of memory is that."""
    last = section(entry, "lastState", "terminated")
    reason = str(section(entry, "state", "waiting").get("reason") or "")
    if reason == "CrashLoopBackOff" and last.get("reason") == "OOMKilled":
        return "OOMKilled"
    if reason in FATAL_WAITING:
        return reason
    ended = section(entry, "state", "terminated")
    return str(ended.get("reason") or "Error") if ended and number(ended, "exitCode") != 0 else ""


def _container_message(trouble: _Trouble, events: list[Body], lines: tuple[str, ...]) -> str:
    state = section(trouble.status, "state", "waiting")
    if trouble.reason in _IMAGE:
        return _image_message(trouble, str(state.get("message") or ""), events)
    ended = section(trouble.status, "state", "terminated") or section(trouble.status, "lastState", "terminated")
    if not ended:
        return str(state.get("message") or "")
    restarts = number(trouble.status, "restartCount")
    parts = [f"exited with code {number(ended, 'exitCode')}"]
    if restarts:
        parts.append(f"{restarts} restart{'' if restarts == 1 else 's'}")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "") or str(ended.get("message") or "")
    return ", ".join(parts) + (f"; last said: {last[:200]}" if last else "")


def _image_message(trouble: _Trouble, waiting: str, events: list[Body]) -> str:
    """The registry's own words are in the event, the container's state has only the back-off."""
    image = str(trouble.status.get("image") or "")
    told = [_event_text(event) for event in events if event.get("reason") == "Failed"]
    cause = next((text for text in reversed(told) if "pull" in text.lower()), "") or waiting
    return cause if not image or image in cause else f"image {image}: {cause}" if cause else f"image {image}"


def _event_text(event: Body) -> str:
    return " ".join(str(event.get("message") or event.get("note") or "").split())


def _event_time(event: Body) -> str:
    series = section(event, "series")
    for value in (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        section(event, "metadata").get("creationTimestamp"),
    ):
        if value:
            return str(value)
    return ""


def _event_line(event: Body) -> str:
    count = number(event, "count", number(section(event, "series"), "count", 1))
    times = f" (x{count})" if count > 1 else ""
    return f"{event.get('type') or 'Normal'} {event.get('reason') or ''}{times}: {_event_text(event)}"


explain_pod = explain
