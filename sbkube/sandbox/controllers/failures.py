"""How pods look when something goes wrong on demand, as the kubelet and the scheduler would write it.

The annotation `sandbox.sbkube.dev/fail` on a pod (or on its template) names what goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Happening = tuple[str, str, str, str]  # type, reason, message, component


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failing pod shows: its phase, its containers' states, and the events around it."""

    phase: str
    state: Json
    last_state: Json
    restarts: int
    events: tuple[Happening, ...]
    started: bool
    reason: str = ""
    message: str = ""


_PULLS = ("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable")
_CONFIGS = {
    "CreateContainerConfigError": 'configmap "missing" not found',
    "CreateContainerError": "failed to create containerd container: simulated failure",
    "RunContainerError": "failed to start containerd task: simulated failure",
}
_ENDS = ("CrashLoopBackOff", "OOMKilled", "Error", "ContainerCannotRun")


def failure(word: str, pod: Json, container: Json, now: str) -> Failure:
    """The look of one container of a pod that fails in this way."""
    if word in _PULLS:
        return _pull(word, container)
    if word in _CONFIGS:
        return _waiting(word, _CONFIGS[word])
    if word in _ENDS:
        return _ended(word, pod, container, now)
    if word == "Evicted":
        return Failure("Failed", {}, {}, 0, (_warn("Evicted", _EVICTED),), False, "Evicted", _EVICTED)
    if word == "DeadlineExceeded":
        text = "Pod was active on the node longer than the specified deadline"
        return Failure("Failed", {}, {}, 0, (_warn(word, text),), False, word, text)
    if word == "NotReady":
        text = "Readiness probe failed: HTTP probe failed with statuscode: 503"
        return Failure("Running", {"running": {"startedAt": now}}, {}, 0, (_warn("Unhealthy", text),), True)
    return _waiting(word, f"simulated failure: {word}")


_EVICTED = "The node was low on resource: memory."


def unschedulable(word: str) -> str | None:
    """The scheduler's words, when this failure keeps a pod from being scheduled."""
    if word not in ("Unschedulable", "FailedScheduling"):
        return None
    return (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )


def _warn(reason: str, message: str) -> Happening:
    return ("Warning", reason, message, "kubelet")


def _waiting(reason: str, message: str) -> Failure:
    return Failure(
        "Pending",
        {"waiting": {"reason": reason, "message": message}},
        {},
        0,
        (_warn("Failed", f"Error: {reason}" if reason not in _CONFIGS else f"Error: {message}"),),
        False,
    )


def _pull(word: str, container: Json) -> Failure:
    image = container.get("image", "")
    if word == "InvalidImageName":
        text = (
            f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
            "invalid reference format"
        )
        return Failure(
            "Pending",
            {"waiting": {"reason": word, "message": text}},
            {},
            0,
            (_warn("InspectFailed", text),),
            False,
        )
    cause = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
    pulling = ("Normal", "Pulling", f'Pulling image "{image}"', "kubelet")
    events = [
        pulling,
        _warn("Failed", f'Failed to pull image "{image}": {cause}'),
        _warn("Failed", "Error: ErrImagePull"),
    ]
    message = cause
    if word != "ErrImagePull":
        message = f'Back-off pulling image "{image}": ErrImagePull: {cause}'
        events.append(("Normal", "BackOff", f'Back-off pulling image "{image}"', "kubelet"))
        events.append(_warn("Failed", f"Error: {word}"))
    return Failure("Pending", {"waiting": {"reason": word, "message": message}}, {}, 0, tuple(events), False)


def _ended(word: str, pod: Json, container: Json, now: str) -> Failure:
    reason, code = ("OOMKilled", 137) if word == "OOMKilled" else ("Error", 1)
    ended = {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": now,
            "finishedAt": now,
            "containerID": f"sandbox://{pod['metadata']['uid']}",
        }
    }
    if pod["spec"].get("restartPolicy") != "Always" or word == "Error":
        return Failure("Failed", ended, {}, 0, (), False)
    meta = pod["metadata"]
    where = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
    text = f"back-off 10s restarting failed container={container['name']} pod={where}"
    event = _warn("BackOff", f"Back-off restarting failed container {container['name']} in pod {where}")
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
    return Failure("Running", waiting, ended, 2, (event,), False)
