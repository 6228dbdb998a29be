"""Tables of classes, volumes, quotas, slices and leases: columns and rows (`pkg/printers/internalversion`)."""

from __future__ import annotations

from typing import Any

from sbkube.sandbox.printing.cells import Cells, Json, age_of, containers_of, labels_of, name_of
from sbkube.sandbox.printing.columns import AGE, NAME, Column, column, wide

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(column(n, f"{n} of the object.") for n in names)


def _replication_controller(obj: Json) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    counts = [spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    tail = [*containers_of(spec.get("template") or {}), labels_of(spec.get("selector"))]
    return [name_of(obj), *counts, age_of(obj), *tail]


def _quota(obj: Json) -> list[Any]:
    status = obj.get("status") or {}
    used, parts = status.get("used") or {}, {"limits": "", "requests": ""}
    # Nothing counts here: what was asked for stands in for the counted limits.
    for resource, hard in sorted((status.get("hard") or (obj.get("spec") or {}).get("hard") or {}).items()):
        which = "limits" if resource.startswith("limits") else "requests"
        parts[which] += f"{resource}: {used.get(resource, '0')}/{hard}, "
    return [name_of(obj), parts["requests"].rstrip(", "), parts["limits"].rstrip(", "), age_of(obj)]


def _slice(obj: Json) -> list[Any]:
    ports = ",".join(str(p.get("port", "*")) for p in obj.get("ports") or ()) or "<unset>"
    ends = [a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()]
    more = f" + {len(ends) - 3} more..." if len(ends) > 3 else ""
    return [name_of(obj), obj.get("addressType", ""), ports, (",".join(ends[:3]) or "<unset>") + more, age_of(obj)]


def _volume(obj: Json) -> list[Any]:
    spec, claim = obj.get("spec") or {}, (obj.get("spec") or {}).get("claimRef") or {}
    modes = ",".join(_MODES.get(m, m) for m in spec.get("accessModes") or ())
    bound = f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""
    row = [name_of(obj), (spec.get("capacity") or {}).get("storage", ""), modes]
    row += [spec.get("persistentVolumeReclaimPolicy", ""), (obj.get("status") or {}).get("phase", ""), bound]
    row += [spec.get("storageClassName", ""), spec.get("volumeAttributesClassName") or "<unset>"]
    return [*row, (obj.get("status") or {}).get("reason", ""), age_of(obj), spec.get("volumeMode") or "<unset>"]


def _storage_class(obj: Json) -> list[Any]:
    annotations = obj["metadata"].get("annotations") or {}
    name = name_of(obj) + (" (default)" if annotations.get(_DEFAULT) == "true" else "")
    rules = [obj.get("reclaimPolicy") or "Delete", obj.get("volumeBindingMode") or "Immediate"]
    return [name, obj.get("provisioner", ""), *rules, bool(obj.get("allowVolumeExpansion")), age_of(obj)]


def _priority_class(obj: Json) -> list[Any]:
    row = [name_of(obj), obj.get("value", 0), bool(obj.get("globalDefault")), age_of(obj)]
    return [*row, obj.get("preemptionPolicy") or "PreemptLowerPriority"]


def _ingress_class(obj: Json) -> list[Any]:
    spec = obj.get("spec") or {}
    ref = spec.get("parameters") or {}
    kind = f"{ref['kind']}.{ref['apiGroup']}" if ref.get("apiGroup") else ref.get("kind", "")
    shown = f"{kind}/{ref.get('name', '')}" if ref else "<none>"
    return [name_of(obj), spec.get("controller", ""), shown, age_of(obj)]


def _lease(obj: Json) -> list[Any]:
    return [name_of(obj), (obj.get("spec") or {}).get("holderIdentity") or "", age_of(obj)]


def _revision(obj: Json) -> list[Any]:
    owner = next((r for r in obj["metadata"].get("ownerReferences") or () if r.get("controller")), None)
    group = owner["apiVersion"].rpartition("/")[0] if owner else ""
    kind = owner["kind"].lower() + (f".{group}" if group else "") if owner else ""
    return [name_of(obj), f"{kind}/{owner['name']}" if owner else "<none>", obj.get("revision", 0), age_of(obj)]


_COUNTS = tuple(column(n, f"{n} number of pods.", "integer") for n in ("Desired", "Current", "Ready"))
COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "ReplicationController"): (
        *(NAME, *_COUNTS, AGE),
        *(wide(n, f"{n} of the template.") for n in ("Containers", "Images", "Selector")),
    ),
    ("", "ResourceQuota"): (NAME, *_texts("Request", "Limit"), AGE),
    ("discovery.k8s.io", "EndpointSlice"): (NAME, *_texts("AddressType", "Ports", "Endpoints"), AGE),
    ("", "PersistentVolume"): (
        NAME,
        *_texts("Capacity", "Access Modes", "Reclaim Policy", "Status", "Claim", "StorageClass"),
        *_texts("VolumeAttributesClass", "Reason"),
        AGE,
        wide("VolumeMode", "VolumeMode of the volume."),
    ),
    ("storage.k8s.io", "StorageClass"): (
        NAME,
        *_texts("Provisioner", "ReclaimPolicy", "VolumeBindingMode"),
        column("AllowVolumeExpansion", "Whether its volumes may grow.", "boolean"),
        AGE,
    ),
    ("scheduling.k8s.io", "PriorityClass"): (
        NAME,
        column("Value", "The priority itself.", "integer"),
        column("Global-Default", "Whether pods without a class have it.", "boolean"),
        AGE,
        *_texts("PreemptionPolicy"),
    ),
    ("networking.k8s.io", "IngressClass"): (NAME, *_texts("Controller", "Parameters"), AGE),
    ("coordination.k8s.io", "Lease"): (NAME, *_texts("Holder"), AGE),
    ("apps", "ControllerRevision"): (
        NAME,
        *_texts("Controller"),
        column("Revision", "Its number.", "integer"),
        AGE,
    ),
}
CELLS: dict[tuple[str, str], Cells] = {
    ("", "ReplicationController"): _replication_controller,
    ("", "ResourceQuota"): _quota,
    ("discovery.k8s.io", "EndpointSlice"): _slice,
    ("", "PersistentVolume"): _volume,
    ("storage.k8s.io", "StorageClass"): _storage_class,
    ("scheduling.k8s.io", "PriorityClass"): _priority_class,
    ("networking.k8s.io", "IngressClass"): _ingress_class,
    ("coordination.k8s.io", "Lease"): _lease,
    ("apps", "ControllerRevision"): _revision,
}
