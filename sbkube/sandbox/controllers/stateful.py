"""StatefulSets: numbered pods with their own claims, one after the other; and DaemonSets: one pod on the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.adoption import adopt
from sbkube.sandbox.controllers.cluster import Json, Key, copied, key_of, owner_reference, terminating
from sbkube.sandbox.controllers.pods import is_ready, new_pod
from sbkube.sandbox.controllers.replicas import available, suffix
from sbkube.sandbox.controllers.revisions import ensure_revision

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

_HASH = "controller-revision-hash"
_POD_NAME = "statefulset.kubernetes.io/pod-name"
_POD_INDEX = "apps.kubernetes.io/pod-index"


def _revision(pod: Json) -> str:
    return str((pod["metadata"].get("labels") or {}).get(_HASH, ""))


def _ordinal(pod: Json) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Makes, replaces or removes at most what the pod management policy allows now."""
    if obj is None or terminating(obj):
        return
    update = await ensure_revision(run, obj)
    status = obj.get("status") or {}
    pods = await _pods(run, obj)
    current = status.get("currentRevision") or update
    start = (obj["spec"].get("ordinals") or {}).get("start", 0)
    wanted = range(start, start + obj["spec"].get("replicas", 1))
    partition = ((obj["spec"]["updateStrategy"].get("rollingUpdate")) or {}).get("partition", 0)
    rolling = obj["spec"]["updateStrategy"].get("type") == "RollingUpdate"
    await _step(run, obj, pods, wanted, update)
    if rolling:
        await _replace(run, obj, wanted, update, start + partition)
    await _write_status(run, key, current, update)


async def _pods(run: Controllers, obj: Json) -> dict[int, Json]:
    found = run.owned(obj, "Pod")
    if len(found) < obj["spec"].get("replicas", 1):
        found = await adopt(run, obj, "Pod", f"{obj['metadata']['name']}-")
    return {_ordinal(p): p for p in found}


async def _step(run: Controllers, obj: Json, pods: dict[int, Json], wanted: range, revision: str) -> None:
    parallel = obj["spec"].get("podManagementPolicy") == "Parallel"
    for number in wanted:
        pod = pods.get(number)
        if pod is not None and (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
            await run.cluster.delete(key_of(pod), pod["metadata"]["uid"], grace=0)
            return
        if pod is None:
            await _create(run, obj, number, revision)
            if not parallel:
                return
        elif not parallel and not is_ready(pod):
            return
    for number in sorted((n for n in pods if n not in wanted), reverse=True):
        pod = pods[number]
        if not terminating(pod):
            await run.cluster.delete(key_of(pod), pod["metadata"]["uid"])
            text = f"delete Pod {pod['metadata']['name']} in StatefulSet {obj['metadata']['name']} successful"
            await run.event(obj, "Normal", "SuccessfulDelete", text, "statefulset-controller")
        if not parallel:
            return


async def _create(run: Controllers, obj: Json, number: int, revision: str) -> None:
    name = f"{obj['metadata']['name']}-{number}"
    labels = {_HASH: revision, _POD_NAME: name, _POD_INDEX: str(number)}
    pod = new_pod(obj, obj["spec"]["template"], name, labels)
    pod["spec"]["hostname"] = name
    if obj["spec"].get("serviceName"):
        pod["spec"]["subdomain"] = obj["spec"]["serviceName"]
    for claim in obj["spec"].get("volumeClaimTemplates") or ():
        await _claim(run, obj, pod, claim)
    if isinstance(await run.make_pod(obj, pod, "statefulset-controller"), str):
        return
    text = f"create Pod {name} in StatefulSet {obj['metadata']['name']} successful"
    await run.event(obj, "Normal", "SuccessfulCreate", text, "statefulset-controller")


async def _claim(run: Controllers, obj: Json, pod: Json, template: Json) -> None:
    namespace, short = obj["metadata"]["namespace"], template["metadata"]["name"]
    name = f"{short}-{pod['metadata']['name']}"
    volumes = [v for v in pod["spec"].get("volumes") or () if v["name"] != short]
    pod["spec"]["volumes"] = [*volumes, {"name": short, "persistentVolumeClaim": {"claimName": name}}]
    if run.get(Key("", "PersistentVolumeClaim", namespace, name)) is not None:
        return
    meta = copied(template["metadata"])
    meta.update(name=name, namespace=namespace)
    meta["labels"] = {**(meta.get("labels") or {}), **(obj["spec"]["selector"].get("matchLabels") or {})}
    policy = obj["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if policy.get("whenDeleted") == "Delete":
        meta["ownerReferences"] = [owner_reference(obj)]
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta,
        "spec": copied(template["spec"]),
    }
    await run.cluster.create(body)


async def _replace(run: Controllers, obj: Json, wanted: range, update: str, first: int) -> None:
    pods = {_ordinal(p): p for p in run.owned(obj, "Pod")}
    for number in sorted(wanted, reverse=True):
        pod = pods.get(number)
        if pod is None or number < first:
            continue
        if _revision(pod) != update and not terminating(pod):
            await run.cluster.delete(key_of(pod), pod["metadata"]["uid"])
            return
        if not is_ready(pod):
            return


async def _write_status(run: Controllers, key: Key, current: str, update: str) -> None:
    obj = run.get(key)
    if obj is None:
        return
    pods = [p for p in run.owned(obj, "Pod") if not terminating(p)]
    updated = sum(_revision(p) == update for p in pods)
    good = sum(available(run, p, obj["spec"].get("minReadySeconds", 0)) for p in pods)
    ready = sum(is_ready(p) for p in pods)
    if good < ready:
        run.later(1.0, key)
    if updated == len(pods) == obj["spec"].get("replicas", 1) and ready == len(pods):
        current = update
    old = sum(_revision(p) == current for p in pods)
    counts = {"readyReplicas": ready, "currentReplicas": old, "updatedReplicas": updated}
    status: Json = {"replicas": len(pods), "availableReplicas": good, **{k: v for k, v in counts.items() if v}}
    status.update(observedGeneration=obj["metadata"].get("generation", 1), collisionCount=0)
    status.update(currentRevision=current, updateRevision=update)
    await run.write_status(obj, status)


async def reconcile_daemon(run: Controllers, key: Key, obj: Json | None) -> None:
    """Keeps one pod of the newest template on the only node."""
    if obj is None or terminating(obj):
        return
    update = (await ensure_revision(run, obj)).rpartition("-")[2]
    pods = run.owned(obj, "Pod") or await adopt(run, obj, "Pod", f"{key.name}-")
    living = [p for p in pods if not terminating(p)]
    rolling = obj["spec"]["updateStrategy"].get("type") == "RollingUpdate"
    for pod in living[1:] + [p for p in living[:1] if rolling and _revision(p) != update]:
        await run.cluster.delete(key_of(pod), pod["metadata"]["uid"])
    if not pods:
        name = f"{key.name[:57]}-{suffix()}"
        labels = {_HASH: update, "pod-template-generation": str(obj["metadata"].get("generation", 1))}
        made = await run.make_pod(obj, new_pod(obj, obj["spec"]["template"], name, labels), "daemonset-controller")
        if not isinstance(made, str):
            await run.event(obj, "Normal", "SuccessfulCreate", f"Created pod: {name}", "daemonset-controller")
    obj = run.get(key)
    if obj is None:
        return
    living = [p for p in run.owned(obj, "Pod") if not terminating(p)][:1]
    ready = sum(is_ready(p) for p in living)
    status: Json = {
        "currentNumberScheduled": len(living),
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 1,
        "numberReady": ready,
        "observedGeneration": obj["metadata"].get("generation", 1),
    }
    extra = {
        "updatedNumberScheduled": sum(_revision(p) == update for p in living),
        "numberAvailable": ready,
        "numberUnavailable": 1 - ready,
    }
    await run.write_status(obj, {**status, **{k: v for k, v in extra.items() if v}})
