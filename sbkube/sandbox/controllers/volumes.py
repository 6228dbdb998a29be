"""Claims get volumes: one that waits for them, or a new one of their class; volumes go as their policy says.

As the volume binder of kube-controller-manager does it, with a provisioner behind every StorageClass. A claim of a
class that is not there is bound without a volume, so that projects for other clusters' classes can be tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.cluster import Json, Key, copied, terminating
from sbkube.sandbox.controllers.runtime import FAIL, now_text
from sbkube.sandbox.selectors import selector_of
from sbkube.sandbox.validation.quantities import quantity_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sbkube.sandbox.controllers.runtime import Controllers

_OVER = ("Succeeded", "Failed")
_BINDER = "persistentvolume-controller"
_DONE = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
NO_PROVISIONER = "kubernetes.io/no-provisioner"


def of_pod(pod: Json) -> Iterable[Key]:
    """The claims that a pod mounts."""
    for volume in pod["spec"].get("volumes") or ():
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if name:
            yield Key("", "PersistentVolumeClaim", pod["metadata"].get("namespace", ""), name)


def of_claim(run: Controllers, claim: Json) -> Iterable[Key]:
    """The volume of a claim."""
    name = claim["spec"].get("volumeName")
    return [_volume_key(name)] if name else []


def of_volume(run: Controllers, volume: Json) -> Iterable[Key]:
    """The claim of a volume; claims that wait, when it has none."""
    ref = volume["spec"].get("claimRef")
    if ref:
        return [Key("", "PersistentVolumeClaim", ref.get("namespace", ""), ref.get("name", ""))]
    return run.index.of_kind("PersistentVolumeClaim")


def _volume_key(name: str) -> Key:
    return Key("", "PersistentVolume", "", name)


def _users(run: Controllers, key: Key) -> list[Json]:
    """The pods that mount a claim and are not over."""
    pods = run.found(sorted(run.index.in_namespace(key.namespace, "Pod")))
    return [p for p in pods if (p.get("status") or {}).get("phase") not in _OVER and key in of_pod(p)]


async def reconcile_claim(run: Controllers, key: Key, obj: Json | None) -> None:
    """Takes a claim one step further: to a volume, to Bound, or away once no pod mounts it."""
    if obj is None:
        return
    if terminating(obj):
        if not _users(run, key):
            await _release(run, obj, "kubernetes.io/pvc-protection")
        return
    bound = (obj.get("status") or {}).get("phase") == "Bound"
    if (obj["metadata"].get("annotations") or {}).get(FAIL) and not bound:
        return
    name = obj["spec"].get("volumeName")
    if name:
        await _bind(run, obj, run.get(_volume_key(name)), bound)
        return
    volume = _free(run, obj)
    if volume is None:
        volume = await _provisioned(run, key, obj)
    if volume is not None:
        changed = copied(obj)
        changed["spec"]["volumeName"] = volume["metadata"]["name"]
        by = (volume["metadata"].get("annotations") or {}).get("pv.kubernetes.io/provisioned-by")
        origin = {"volume.kubernetes.io/storage-provisioner": by} if by else {}
        changed["metadata"]["annotations"] = {**(changed["metadata"].get("annotations") or {}), **_DONE, **origin}
        await run.cluster.update(changed)


async def _release(run: Controllers, obj: Json, finalizer: str) -> None:
    kept = [f for f in obj["metadata"].get("finalizers") or () if f != finalizer]
    if len(kept) != len(obj["metadata"].get("finalizers") or ()):
        changed = copied(obj)
        changed["metadata"]["finalizers"] = kept
        await run.cluster.update(changed)


def _free(run: Controllers, claim: Json) -> Json | None:
    """The smallest volume made by hand that fits: same class and mode, large enough, free or reserved for it."""
    spec, meta = claim["spec"], claim["metadata"]
    chosen = selector_of(spec["selector"]) if spec.get("selector") else None
    found = []
    for volume in run.found(run.index.of_kind("PersistentVolume")):
        has, ref = volume["spec"], volume["spec"].get("claimRef") or {}
        ours = (ref.get("namespace"), ref.get("name")) == (meta["namespace"], meta["name"])
        if terminating(volume) or (ref and not (ours and ref.get("uid", "") in ("", meta["uid"]))):
            continue
        fits = (has.get("storageClassName") or "") == (spec.get("storageClassName") or "")
        fits = fits and has.get("volumeMode") == spec.get("volumeMode")
        fits = fits and set(spec.get("accessModes") or ()) <= set(has.get("accessModes") or ())
        if fits and (chosen is None or chosen.matches(volume["metadata"].get("labels"))):
            size = quantity_of((has.get("capacity") or {}).get("storage")) or 0
            if size >= (quantity_of(_storage(claim)) or 0):
                found.append((size, volume["metadata"]["name"], volume))
    return min(found, key=lambda f: f[:2])[2] if found else None


def _storage(claim: Json) -> str:
    return str(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage") or "0")


async def _provisioned(run: Controllers, key: Key, claim: Json) -> Json | None:
    """A new volume; None when there is nothing that makes one, or not yet."""
    name = claim["spec"].get("storageClassName")
    if not name:
        text = "no persistent volumes available for this claim and no storage class is set"
        await run.event_once(claim, "Normal", "FailedBinding", text, _BINDER)
        return None
    found = run.get(Key("storage.k8s.io", "StorageClass", "", name))
    if found is None:
        await _write_bound(run, claim, _storage(claim))
        return None
    if found.get("volumeBindingMode") == "WaitForFirstConsumer" and not _users(run, key):
        text = "waiting for first consumer to be created before binding"
        await run.event_once(claim, "Normal", "WaitForFirstConsumer", text, _BINDER)
        return None
    if found.get("provisioner") == NO_PROVISIONER:
        text = f'storageclass "{name}" has no provisioner, and no volume fits'
        await run.event_once(claim, "Warning", "ProvisioningFailed", text, _BINDER)
        return None
    made = _new_volume(claim, found)
    there = run.get(_volume_key(made["metadata"]["name"]))
    if there is not None:
        return there
    volume = await run.cluster.create(made)
    text = f"Successfully provisioned volume {made['metadata']['name']}"
    await run.event(claim, "Normal", "ProvisioningSucceeded", text, str(found.get("provisioner")))
    return volume


def _new_volume(claim: Json, storage_class: Json) -> Json:
    meta, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{meta['uid']}"
    ref = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    ref |= {k: meta[k] for k in ("name", "namespace", "resourceVersion", "uid")}
    made = {
        "accessModes": spec.get("accessModes"),
        "capacity": {"storage": _storage(claim)},
        "claimRef": ref,
        "hostPath": {"path": f"/sandbox/{name}", "type": "DirectoryOrCreate"},
        "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
        "storageClassName": storage_class["metadata"]["name"],
        "volumeMode": spec.get("volumeMode", "Filesystem"),
    }
    if storage_class.get("mountOptions"):
        made["mountOptions"] = storage_class["mountOptions"]
    annotations = {"pv.kubernetes.io/provisioned-by": storage_class.get("provisioner", "")}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": annotations},
        "spec": made,
    }


async def _bind(run: Controllers, claim: Json, volume: Json | None, bound: bool) -> None:
    """Ties a claim to the volume that it names; a larger request makes the volume larger."""
    if volume is None:
        if bound:
            await run.write_status(claim, {"phase": "Lost"})
        return
    meta, ref = claim["metadata"], volume["spec"].get("claimRef") or {}
    ours = (ref.get("namespace"), ref.get("name")) == (meta["namespace"], meta["name"])
    if ref and not (ours and ref.get("uid", "") in ("", meta["uid"])):
        return
    size = str((volume["spec"].get("capacity") or {}).get("storage", "0"))
    grown = bound and (quantity_of(_storage(claim)) or 0) > (quantity_of(size) or 0)
    if not ref.get("uid") or grown:
        size = _storage(claim) if grown else size
        changed = copied(volume)
        changed["spec"]["capacity"] = {**(changed["spec"].get("capacity") or {}), "storage": size}
        changed["spec"]["claimRef"] = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            **{k: meta[k] for k in ("name", "namespace", "resourceVersion", "uid")},
        }
        await run.cluster.update(changed)
    await _write_bound(run, claim, size)


async def _write_bound(run: Controllers, claim: Json, size: str) -> None:
    modes = claim["spec"].get("accessModes") or []
    await run.write_status(claim, {"phase": "Bound", "accessModes": modes, "capacity": {"storage": size}})


async def reconcile_volume(run: Controllers, key: Key, obj: Json | None) -> None:
    """A volume is Available, Bound or Released; released ones go when their policy is Delete."""
    if obj is None:
        return
    ref = obj["spec"].get("claimRef") or {}
    claim = run.get(Key("", "PersistentVolumeClaim", ref.get("namespace", ""), ref.get("name", "")))
    held = claim is not None and ref.get("uid") == claim["metadata"]["uid"]
    if terminating(obj):
        if not held:
            await _release(run, obj, "kubernetes.io/pv-protection")
        return
    phase = "Bound" if held else "Released" if ref.get("uid") else "Available"
    if phase == "Released" and obj["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
        await run.cluster.delete(key, obj["metadata"]["uid"])
    elif (obj.get("status") or {}).get("phase") != phase:
        await run.write_status(obj, {"phase": phase, "lastPhaseTransitionTime": now_text()})
