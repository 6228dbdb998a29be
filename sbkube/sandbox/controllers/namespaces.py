"""Namespaces: what each is born with, and how it is emptied before it goes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.cluster import Json, Key, copied
from sbkube.sandbox.fields import now
from sbkube.sandbox.status import StatusError

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_CA_NOTE = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
)


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Gives a namespace its default ServiceAccount and CA, or empties it when it is being deleted."""
    if obj is None:
        return
    if obj["metadata"].get("deletionTimestamp"):
        await _empty(run, key, obj)
        return
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": key.name},
    }
    await _ensure(run, Key("", "ServiceAccount", key.name, "default"), account)
    bundle = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "kube-root-ca.crt",
            "namespace": key.name,
            "annotations": {"kubernetes.io/description": _CA_NOTE},
        },
        "data": {"ca.crt": run.ca_text},
    }
    await _ensure(run, Key("", "ConfigMap", key.name, "kube-root-ca.crt"), bundle)


async def restore(run: Controllers, key: Key, obj: Json | None) -> None:
    """A namespace's default ServiceAccount comes back when it is deleted."""
    if obj is None and key.name in ("default", "kube-root-ca.crt"):
        run.enqueue(Key("", "Namespace", "", key.namespace))


async def _ensure(run: Controllers, key: Key, body: Json) -> None:
    if run.get(key) is None:
        with contextlib.suppress(StatusError):
            await run.cluster.create(body)


async def _empty(run: Controllers, key: Key, obj: Json) -> None:
    left = False
    for found in run.index.in_namespace(key.name):
        inside = run.get(found)
        if inside is None:
            continue
        left = True
        if not inside["metadata"].get("deletionTimestamp"):
            await run.cluster.delete(found, inside["metadata"]["uid"], grace=0)
    if left and any(run.get(k) is not None for k in run.index.in_namespace(key.name)):
        await _explain(run, key)
        run.later(0.05, key)
        return
    current = run.get(key)
    if current is not None and (current.get("spec") or {}).get("finalizers"):
        changed = copied(current)
        changed["spec"].pop("finalizers")
        await run.cluster.update(changed, "finalize")


async def _explain(run: Controllers, key: Key) -> None:
    """Tells in the namespace's status which finalizers hold its content."""
    held: dict[str, int] = {}
    resources: dict[str, int] = {}
    for found in run.index.in_namespace(key.name):
        inside = run.get(found)
        for name in (inside or {}).get("metadata", {}).get("finalizers") or ():
            held[name] = held.get(name, 0) + 1
            kind = f"{found.kind.lower()}s.{found.group}"
            resources[kind] = resources.get(kind, 0) + 1
    current = run.get(key)
    if not held or current is None or current.get("status", {}).get("conditions"):
        return
    remaining = ", ".join(f"{kind} has {n} resource instances" for kind, n in sorted(resources.items()))
    holding = ", ".join(f"{name} in {n} resource instances" for name, n in sorted(held.items()))
    rows = (
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered",
         "All resources successfully discovered"),
        ("NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions",
         "All legacy kube types successfully parsed"),
        ("NamespaceDeletionContentFailure", "False", "ContentDeleted",
         "All content successfully deleted, may be waiting on finalization"),
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {remaining}"),
        ("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
         f"Some content in the namespace has finalizers remaining: {holding}"),
    )  # fmt: skip
    changed = copied(current)
    changed.setdefault("status", {})["conditions"] = [
        {"type": kind, "status": status, "reason": why, "message": text, "lastTransitionTime": now()}
        for kind, status, why, text in rows
    ]
    with contextlib.suppress(StatusError):
        await run.cluster.update(changed, "status")


async def reconcile_definition(run: Controllers, key: Key, obj: Json | None) -> None:
    """A definition that is being deleted takes its objects along."""
    if obj is None or not obj["metadata"].get("deletionTimestamp"):
        return
    spec = obj["spec"]
    left = False
    for found in run.index.of_kind(spec["names"]["kind"]):
        inside = run.get(found) if found.group == spec["group"] else None
        if inside is not None:
            left = True
            if not inside["metadata"].get("deletionTimestamp"):
                await run.cluster.delete(found, inside["metadata"]["uid"])
    if left and any(run.get(k) for k in run.index.of_kind(spec["names"]["kind"]) if k.group == spec["group"]):
        run.later(0.05, key)
        return
    live = run.get(key)
    if live is not None:
        changed = copied(live)
        kept = [f for f in changed["metadata"].get("finalizers") or () if f != CLEANUP]
        changed["metadata"]["finalizers"] = kept
        await run.cluster.update(changed)
