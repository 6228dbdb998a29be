"""What the API server adds to an object that depends on others or on its own identity.

`admit` is mutating admission: it runs after the defaults and before validation.
`prepare` is what the storage strategies do: addresses, generated selectors; nobody owns those fields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sbkube.sandbox.definitions import establish

if TYPE_CHECKING:
    from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]
Services = Callable[[], Iterable[Json]]
_CLUSTERED = ("ClusterIP", "NodePort", "LoadBalancer")
_EXTERNAL = ("NodePort", "LoadBalancer")


def admit(kind: Kind, new: Json, old: Json | None, services: Services) -> None:
    """Completes `new` in place before it is validated."""
    step = _ADMITTED.get((kind.group, kind.kind))
    if step is not None:
        step(new, old, services)


def prepare(kind: Kind, new: Json, old: Json | None, services: Services) -> None:
    """Completes `new` in place before it is stored; `services` gives all stored services, to find what is free."""
    step = _PREPARED.get((kind.group, kind.kind))
    if step is not None:
        step(new, old, services)


def _service_update(new: Json, old: Json | None, services: Services) -> None:
    if old is not None:
        _carry(new["spec"], old["spec"])


def _service(new: Json, old: Json | None, services: Services) -> None:
    spec = new["spec"]
    if spec.get("type") in _CLUSTERED:
        _addresses(new, services)
    elif spec.get("type") == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(name, None)
    _ports(new, services)


def _carry(spec: Json, before: Json) -> None:
    """An update that says nothing about addresses keeps them; a new type drops what only the old one had.

    These are `patchAllocatedValues` and `dropTypeDependentFields` of the service registry.
    """
    if spec.get("type") in _CLUSTERED and before.get("type") in _CLUSTERED:
        _keep_addresses(spec, before)
    if spec.get("type") in _EXTERNAL and before.get("type") in _EXTERNAL:
        known = {(p.get("protocol"), p.get("port")): p.get("nodePort") for p in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            if not port.get("nodePort") and known.get((port.get("protocol"), port.get("port"))):
                port["nodePort"] = known[port.get("protocol"), port.get("port")]
    elif before.get("type") in _EXTERNAL:
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
        for name in ("externalTrafficPolicy", "allocateLoadBalancerNodePorts", "healthCheckNodePort"):
            spec.pop(name, None)
    if spec.get("type") == "ExternalName" and before.get("type") in _CLUSTERED:
        spec.pop("internalTrafficPolicy", None)


def _keep_addresses(spec: Json, before: Json) -> None:
    moved = spec.get("clusterIP") and spec["clusterIP"] != before.get("clusterIP")
    if moved and spec.get("clusterIPs") in (None, [], before.get("clusterIPs")):
        # Clients of the older field alone mean the first of the list.
        spec["clusterIPs"] = [spec["clusterIP"]]
    for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if not spec.get(name) and before.get(name):
            spec[name] = before[name]


def _addresses(new: Json, services: Services) -> None:
    spec = new["spec"]
    if not spec.get("clusterIP"):
        listed = spec.get("clusterIPs") or []
        spec["clusterIP"] = listed[0] if listed else _free_address(new, services)
    if not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    spec.setdefault("ipFamilies", ["IPv6" if ":" in spec["clusterIP"] else "IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


def _free_address(new: Json, services: Services) -> str:
    taken = {s["spec"].get("clusterIP") for s in services()}
    seed = int.from_bytes(hashlib.sha256(new["metadata"].get("uid", "").encode()).digest()[:4], "big")
    for step in range(65000):
        number = 256 + (seed + step) % 65000
        address = f"10.43.{number >> 8 & 255}.{number & 255}"
        if address not in taken:
            return address
    return ""


def _ports(new: Json, services: Services) -> None:
    spec = new["spec"]
    wants = spec.get("type") == "NodePort" or (
        spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    )
    missing = [p for p in spec.get("ports") or () if wants and not p.get("nodePort")]
    if not missing:
        return
    taken = {p.get("nodePort") for s in services() for p in s["spec"].get("ports") or ()}
    taken |= {p.get("nodePort") for p in spec["ports"]}
    seed = int.from_bytes(hashlib.sha256(new["metadata"].get("uid", "").encode()).digest()[4:8], "big")
    for port in missing:
        number = next(n for step in range(2768) if (n := 30000 + (seed + step) % 2768) not in taken)
        taken.add(number)
        port["nodePort"] = number


def _job(new: Json, old: Json | None, services: Services) -> None:
    spec, meta = new["spec"], new["metadata"]
    if old is not None or spec.get("manualSelector") is True or spec.get("selector"):
        return
    uid, name = meta.get("uid", ""), meta.get("name", "")
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    template = spec["template"].setdefault("metadata", {})
    template["labels"] = {**(template.get("labels") or {}), **labels}
    # The API keeps job and template labels alike when the job has none of its own.
    if not meta.get("labels"):
        meta["labels"] = dict(template["labels"])


def _pod(new: Json, old: Json | None, services: Services) -> None:
    if old is not None:
        return
    spec = new["spec"]
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"] = "default"
    if spec.get("priority") is None:
        spec["priority"] = 0
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(t.get("key") in (key, None) and t.get("operator") == "Exists" for t in tolerations):
            toleration = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            tolerations.append(toleration)
    new["status"] = {"phase": "Pending", "qosClass": quality(spec)}


def quality(spec: Json) -> str:
    """Guaranteed, Burstable or BestEffort, from requests and limits of all containers."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    amounts = [c.get("resources") or {} for c in containers]
    if not any(a.get("requests") or a.get("limits") for a in amounts):
        return "BestEffort"
    for a in amounts:
        limits = a.get("limits") or {}
        if not {"cpu", "memory"} <= set(limits) or any(
            (a.get("requests") or limits).get(n) != limits[n] for n in ("cpu", "memory")
        ):
            return "Burstable"
    return "Guaranteed"


def _claim(new: Json, old: Json | None, services: Services) -> None:
    if old is None:
        finalizers = new["metadata"].setdefault("finalizers", [])
        if "kubernetes.io/pvc-protection" not in finalizers:
            finalizers.append("kubernetes.io/pvc-protection")
        new["status"] = {"phase": "Pending"}


def _volume(new: Json, old: Json | None, services: Services) -> None:
    if old is None:
        finalizers = new["metadata"].setdefault("finalizers", [])
        if "kubernetes.io/pv-protection" not in finalizers:
            finalizers.append("kubernetes.io/pv-protection")
        new["status"] = {"phase": "Pending"}


def _namespace(new: Json, old: Json | None, services: Services) -> None:
    if old is None:
        new["spec"] = {"finalizers": ["kubernetes"]}
        new["status"] = {"phase": "Active"}


def _daemon_set(new: Json, old: Json | None, services: Services) -> None:
    name = "deprecated.daemonset.template.generation"
    annotations = new["metadata"].setdefault("annotations", {})
    if old is None:
        annotations[name] = "1"
        return
    before = (old["metadata"].get("annotations") or {}).get(name, "1")
    grown = old["spec"].get("template") != new["spec"].get("template")
    annotations[name] = str(int(before) + 1) if grown and before.isdigit() else before


def _definition(new: Json, old: Json | None, services: Services) -> None:
    establish(new, old)


_Step = Callable[[Json, "Json | None", Services], None]
_ADMITTED: dict[tuple[str, str], _Step] = {
    ("", "Service"): _service_update,
    ("", "Pod"): _pod,
    ("", "PersistentVolume"): _volume,
    ("", "PersistentVolumeClaim"): _claim,
}
_PREPARED: dict[tuple[str, str], _Step] = {
    ("", "Service"): _service,
    ("", "Namespace"): _namespace,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
