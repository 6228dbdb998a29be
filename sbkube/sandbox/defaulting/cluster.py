"""Defaults of storage, access, namespaces and the rest."""

from __future__ import annotations

import base64
from typing import Any

Json = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io"


def secret(obj: Json) -> None:
    """Opaque unless typed; `stringData` is written into `data` and forgotten."""
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        data = obj.get("data")
        if not isinstance(data, dict):
            data = obj["data"] = {}
        for key, value in plain.items():
            data[key] = base64.b64encode(str(value).encode()).decode()


def namespace(obj: Json) -> None:
    """A namespace is labelled with its own name."""
    meta = obj.setdefault("metadata", {})
    if meta.get("name"):
        meta.setdefault("labels", {}).setdefault("kubernetes.io/metadata.name", meta["name"])
    obj.setdefault("spec", {})
    obj.setdefault("status", {}).setdefault("phase", "Active")


def node(obj: Json) -> None:
    """Allocatable is the capacity unless said otherwise."""
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    if status.get("capacity"):
        status.setdefault("allocatable", dict(status["capacity"]))


def persistent_volume_claim(obj: Json) -> None:
    """Pending, a file system."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    resources = spec.setdefault("resources", {})
    if isinstance(resources, dict):
        for amounts in resources.values():
            if isinstance(amounts, dict) and isinstance(amounts.get("storage"), str):
                amounts["storage"] = canonical_quantity(amounts["storage"])
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def persistent_volume(obj: Json) -> None:
    """Pending, retained, a file system."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if isinstance(spec.get("hostPath"), dict):
        spec["hostPath"].setdefault("type", "")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def storage_class(obj: Json) -> None:
    """Volumes go with their claims and are bound at once."""
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def role(obj: Json) -> None:
    """`rules` is always written."""
    obj.setdefault("rules", None)


def role_binding(obj: Json) -> None:
    """The API group of roles and subjects follows from their kind."""
    ref = obj.setdefault("roleRef", {})
    if isinstance(ref, dict) and not ref.get("apiGroup"):
        ref["apiGroup"] = _RBAC
    for subject in obj.get("subjects") or ():
        account = subject.get("kind") == "ServiceAccount"
        if not account and subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = _RBAC


def priority_class(obj: Json) -> None:
    """Lower pods are preempted unless said otherwise."""
    obj.setdefault("value", 0)
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def limit_range(obj: Json) -> None:
    """Limits are the default of requests, as requests are of nothing."""
    for item in (obj.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        default = item.get("default") or item.get("max")
        if default:
            item["default"] = {**(item.get("max") or {}), **(item.get("default") or {})}
            request = {**item["default"], **(item.get("min") or {}), **(item.get("defaultRequest") or {})}
            item["defaultRequest"] = request


def resource_quota(obj: Json) -> None:
    """Spec and status are always written."""
    obj.setdefault("spec", {})
    obj.setdefault("status", {})


def webhook_configuration(obj: Json) -> None:
    """Webhooks fail closed, see every scope and have ten seconds."""
    mutating = obj.get("kind") == "MutatingWebhookConfiguration"
    for hook in obj.get("webhooks") or ():
        hook.setdefault("failurePolicy", "Fail")
        hook.setdefault("matchPolicy", "Equivalent")
        hook.setdefault("namespaceSelector", {})
        hook.setdefault("objectSelector", {})
        hook.setdefault("timeoutSeconds", 10)
        if mutating:
            hook.setdefault("reinvocationPolicy", "Never")
        service = hook.setdefault("clientConfig", {}).get("service")
        if isinstance(service, dict):
            service.setdefault("port", 443)
        for rule in hook.get("rules") or ():
            rule.setdefault("scope", "*")


def custom_resource_definition(obj: Json) -> None:
    """Names that follow from the kind; the storage version counts as stored."""
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind")
    if isinstance(kind, str) and kind:
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", kind + "List")
    conversion = spec.setdefault("conversion", {"strategy": "None"})
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if isinstance(service, dict):
        service.setdefault("port", 443)


_BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60}


def canonical_quantity(text: str) -> str:
    """A quantity in Kubernetes' canonical form where it changes: `1.5Gi` becomes `1536Mi`."""
    number, suffix = text[:-2], text[-2:]
    if suffix not in _BINARY or "." not in number:
        return text
    try:
        amount = round(float(number) * _BINARY[suffix])
    except (ValueError, OverflowError):
        return text
    for name, size in reversed(_BINARY.items()):
        if amount and amount % size == 0:
            return f"{amount // size}{name}"
    return str(amount)
