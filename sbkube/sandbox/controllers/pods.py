"""Pods: scheduled at once, ready after a delay, or failing as their annotations say."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sbkube.sandbox.controllers.cluster import Json, Key, copied, terminating
from sbkube.sandbox.controllers.failures import Failure, Happening, failure, unschedulable
from sbkube.sandbox.controllers.runtime import FAIL, READY_AFTER, now_text

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

_FINAL = ("Succeeded", "Failed")
HOST_IP = "192.0.2.1"


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Takes a pod one step further in its life."""
    if obj is None:
        return
    if terminating(obj):
        # What the kubelet does once the containers have stopped.
        await run.cluster.delete(key, obj["metadata"]["uid"], grace=0)
        return
    if (obj.get("status") or {}).get("phase") in _FINAL:
        return
    word = _annotation(obj, FAIL)
    reason = unschedulable(word)
    if reason is not None:
        await _stay_unscheduled(run, obj, reason)
        return
    if not obj["spec"].get("nodeName"):
        await _schedule(run, key, obj)
        return
    left = delay_of(run, obj) - run.age(obj)
    if left > 0:
        if not obj["status"].get("containerStatuses"):
            await run.write_status(obj, _creating(obj))
        run.later(left, key)
        return
    await _finish(run, obj, word)


def delay_of(run: Controllers, pod: Json) -> float:
    """Seconds until this pod is ready: its annotation, or the sandbox's delay."""
    try:
        return max(0.0, float(_annotation(pod, READY_AFTER) or run.ready_delay))
    except ValueError:
        return run.ready_delay


def is_ready(pod: Json) -> bool:
    """Whether the Ready condition is True and the pod is not going away."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return ready and not terminating(pod)


def new_pod(owner: Json, template: Json, name: str, labels: dict[str, str] | None = None) -> Json:
    """The pod that a controller makes from its template."""
    from sbkube.sandbox.controllers.cluster import owner_reference

    made = copied({"metadata": template.get("metadata") or {}, "spec": template.get("spec") or {}})
    meta = {k: v for k, v in made["metadata"].items() if k in ("labels", "annotations", "finalizers")}
    meta["name"] = name
    meta["generateName"] = name.rpartition("-")[0] + "-"
    meta["namespace"] = owner["metadata"]["namespace"]
    if labels:
        meta["labels"] = {**(meta.get("labels") or {}), **labels}
    meta["ownerReferences"] = [owner_reference(owner)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": made["spec"]}


def _annotation(pod: Json, name: str) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(name) or "")


def address(uid: str) -> str:
    """An address in 10.42.0.0/16 that follows from the pod's uid."""
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.42.{digest[0]}.{digest[1] % 254 + 1}"


async def _schedule(run: Controllers, key: Key, pod: Json) -> None:
    changed = copied(pod)
    changed["spec"]["nodeName"] = run.node
    await run.cluster.update(changed)
    text = f"Successfully assigned {key.namespace}/{key.name} to {run.node}"
    await run.event(pod, "Normal", "Scheduled", text, "default-scheduler")


async def _stay_unscheduled(run: Controllers, pod: Json, reason: str) -> None:
    if any(c["type"] == "PodScheduled" for c in pod["status"].get("conditions") or ()):
        return
    condition = {**_condition("PodScheduled", False, now_text()), "reason": "Unschedulable", "message": reason}
    await run.write_status(pod, {**pod["status"], "phase": "Pending", "conditions": [condition]})
    await run.event(pod, "Warning", "FailedScheduling", reason, "default-scheduler")


def _condition(name: str, holds: bool, now: str, reason: str = "", message: str = "") -> Json:
    found: Json = {
        "type": name,
        "status": "True" if holds else "False",
        "lastProbeTime": None,
        "lastTransitionTime": now,
    }
    if reason:
        found["reason"] = reason
        found["message"] = message
    return found


def _names(pod: Json) -> str:
    return ", ".join(c["name"] for c in pod["spec"].get("containers") or ())


def _conditions(pod: Json, *, ready: bool, initialized: bool = True, done: bool = False) -> list[Json]:
    now = now_text()
    reason = message = ""
    if done:
        reason = "PodCompleted"
    elif not ready:
        reason, message = "ContainersNotReady", f"containers with unready status: [{_names(pod)}]"
    early = reason if done else ""
    conditions = [
        _condition("PodReadyToStartContainers", not done, now),
        _condition("Initialized", initialized, now, early),
        _condition("Ready", ready, now, reason, message),
        _condition("ContainersReady", ready, now, reason, message),
        _condition("PodScheduled", True, now),
    ]
    for found in conditions:
        if not found.get("message"):
            found.pop("message", None)
    return conditions


def _container_status(pod: Json, container: Json, state: Json, **more: Any) -> Json:
    found: Json = {
        "name": container["name"],
        "state": state,
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": container.get("image", ""),
        "imageID": "",
        "started": False,
    }
    if "running" in state or "terminated" in state:
        digest = hashlib.sha256(str(container.get("image")).encode()).hexdigest()
        found["imageID"] = f"{str(container.get('image', '')).partition('@')[0]}@sha256:{digest}"
        digest = hashlib.sha256(f"{pod['metadata']['uid']}/{container['name']}".encode()).hexdigest()
        found["containerID"] = f"containerd://{digest}"
    found.update(more)
    return found


def _base(pod: Json, phase: str) -> Json:
    status = {k: v for k, v in pod["status"].items() if k in ("qosClass", "startTime", "observedGeneration")}
    status["phase"] = phase
    status.setdefault("startTime", now_text())
    status["hostIP"] = HOST_IP
    status["hostIPs"] = [{"ip": HOST_IP}]
    return status


def _creating(pod: Json) -> Json:
    status = _base(pod, "Pending")
    status["conditions"] = _conditions(pod, ready=False)
    waiting = {"waiting": {"reason": "ContainerCreating"}}
    status["containerStatuses"] = [_container_status(pod, c, waiting) for c in pod["spec"].get("containers") or ()]
    return status


def _with_address(pod: Json, status: Json) -> Json:
    ip = HOST_IP if pod["spec"].get("hostNetwork") else address(pod["metadata"]["uid"])
    status["podIP"] = ip
    status["podIPs"] = [{"ip": ip}]
    done = {
        "terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now_text(), "finishedAt": now_text()}
    }
    inits = pod["spec"].get("initContainers") or ()
    if inits:
        running = {"running": {"startedAt": now_text()}}
        status["initContainerStatuses"] = [
            _container_status(
                pod, c, running if c.get("restartPolicy") == "Always" else done, ready=True, started=True
            )
            for c in inits
        ]
    return status


async def _finish(run: Controllers, pod: Json, word: str) -> None:
    if word:
        await _fail(run, pod, word)
    elif pod["spec"].get("restartPolicy") == "Always":
        if not is_ready(pod):
            state = {"running": {"startedAt": now_text()}}
            status = _with_address(pod, _base(pod, "Running"))
            status["conditions"] = _conditions(pod, ready=True)
            containers = pod["spec"].get("containers") or ()
            status["containerStatuses"] = [
                _container_status(pod, c, state, ready=True, started=True) for c in containers
            ]
            await run.write_status(pod, status)
            await _tell(run, pod, _started(pod))
        else:
            await _start_ephemeral(run, pod)
    else:
        await _complete(run, pod)


async def _start_ephemeral(run: Controllers, pod: Json) -> None:
    """Containers that were added to a running pod run as well."""
    known = {s["name"]: s for s in pod["status"].get("ephemeralContainerStatuses") or ()}
    added = pod["spec"].get("ephemeralContainers") or ()
    if all(c["name"] in known for c in added):
        return
    state = {"running": {"startedAt": now_text()}}
    found = [known.get(c["name"]) or _container_status(pod, c, state) for c in added]
    await run.write_status(pod, {**pod["status"], "ephemeralContainerStatuses": found})


async def _complete(run: Controllers, pod: Json) -> None:
    status = _with_address(pod, _base(pod, "Succeeded"))
    status["conditions"] = _conditions(pod, ready=False, done=True)
    containers = pod["spec"].get("containers") or ()
    now = now_text()
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}}
    status["containerStatuses"] = [_container_status(pod, c, ended) for c in containers]
    await run.write_status(pod, status)
    await _tell(run, pod, _started(pod))


def _started(pod: Json) -> list[Happening]:
    found: list[Happening] = []
    for container in pod["spec"].get("containers") or ():
        image = container.get("image", "")
        text = f'Container image "{image}" already present on machine and can be accessed by the pod'
        found.append(("Normal", "Pulled", text, "kubelet"))
        found.append(("Normal", "Created", "Container created", "kubelet"))
        found.append(("Normal", "Started", "Container started", "kubelet"))
    return found


async def _fail(run: Controllers, pod: Json, word: str) -> None:
    containers = pod["spec"].get("containers") or []
    if not containers or _already(pod, word):
        return
    looks = [failure(word, pod, c, now_text()) for c in containers]
    await run.write_status(pod, _failed_status(pod, containers, looks))
    await _tell(run, pod, [happening for look in looks for happening in look.events])


def _already(pod: Json, word: str) -> bool:
    statuses = pod["status"].get("containerStatuses") or ()
    waiting = [s["state"].get("waiting", {}).get("reason") for s in statuses]
    return bool(statuses) and waiting != ["ContainerCreating"] * len(waiting)


def _failed_status(pod: Json, containers: list[Json], looks: list[Failure]) -> Json:
    first = looks[0]
    status = _base(pod, first.phase)
    status["conditions"] = _conditions(pod, ready=False)
    if first.phase != "Pending":
        _with_address(pod, status)
    if first.reason:
        status["reason"], status["message"] = first.reason, first.message
    status["containerStatuses"] = [
        _container_status(
            pod, c, look.state, lastState=look.last_state, restartCount=look.restarts, started=look.started
        )
        for c, look in zip(containers, looks, strict=True)
        if look.state
    ]
    return status


async def _tell(run: Controllers, pod: Json, happenings: list[Happening]) -> None:
    for kind, reason, message, component in happenings:
        await run.event(pod, kind, reason, message, component)
