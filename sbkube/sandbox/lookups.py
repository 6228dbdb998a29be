"""What admission looks up in other objects: default classes, a pod's priority and its service account.

The plugins are DefaultStorageClass, DefaultIngressClass, Priority and ServiceAccount.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sbkube.sandbox.status import forbidden

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


def admit_pod(kind: Kind, new: Json, store: Store) -> None:
    """Gives a new pod its priority. Raises StatusError 403 for a class or service account that is not there."""
    spec, meta = new["spec"], new["metadata"]
    _prioritise(kind, new, store)
    account, namespace = spec.get("serviceAccountName") or "default", meta.get("namespace", "")
    # `default` comes a moment after its namespace; clusters may refuse pods until then, which helps nobody here.
    if account != "default" and store.get("serviceaccounts", namespace, account) is None:
        text = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise forbidden(kind, meta.get("name", ""), text)


def _prioritise(kind: Kind, new: Json, store: Store) -> None:
    spec = new["spec"]
    found = [c for _, c in store.items("priorityclasses.scheduling.k8s.io")]
    name = spec.get("priorityClassName")
    if name:
        named = next((c for c in found if c["metadata"]["name"] == name), None)
        if named is None:
            raise forbidden(kind, new["metadata"].get("name", ""), f"no PriorityClass with name {name} was found")
    else:
        named = min((c for c in found if c.get("globalDefault")), key=lambda c: int(c["value"]), default=None)
        if named is None:
            return
        spec["priorityClassName"] = named["metadata"]["name"]
    spec["priority"] = named["value"]
    spec["preemptionPolicy"] = named.get("preemptionPolicy", "PreemptLowerPriority")
