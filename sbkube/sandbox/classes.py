"""What admission takes from classes: a default where none is named (DefaultStorageClass, DefaultIngressClass)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sbkube.sandbox.kinds import Kind
    from sbkube.sandbox.store import Store

Json = dict[str, Any]
DEFAULT_STORAGE = "storageclass.kubernetes.io/is-default-class"
# kind → field, annotation that names a class in the older way, resource of the classes, their mark
_DEFAULTS = {
    ("", "PersistentVolumeClaim"): (
        "storageClassName",
        "volume.beta.kubernetes.io/storage-class",
        "storageclasses.storage.k8s.io",
        DEFAULT_STORAGE,
    ),
    ("networking.k8s.io", "Ingress"): (
        "ingressClassName",
        "kubernetes.io/ingress.class",
        "ingressclasses.networking.k8s.io",
        "ingressclass.kubernetes.io/is-default-class",
    ),
}


def name_default(kind: Kind, new: Json, store: Store) -> None:
    """Names the default class in a new claim or ingress that names none; of several, the newest."""
    found = _DEFAULTS.get((kind.group, kind.kind))
    if found is None:
        return
    field, older, resource, mark = found
    spec, annotations = new["spec"], new["metadata"].get("annotations") or {}
    if spec.get(field) is not None or older in annotations:
        return
    classes = [c for _, c in store.items(resource) if (c["metadata"].get("annotations") or {}).get(mark) == "true"]
    if classes:
        newest = max(classes, key=lambda c: str(c["metadata"].get("creationTimestamp")))
        spec[field] = newest["metadata"]["name"]
