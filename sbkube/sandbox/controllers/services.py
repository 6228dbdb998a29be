"""Services get endpoints and addresses, ingresses an address, claims are bound, budgets count."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.cluster import Json, Key, copied, owner_reference, terminating
from sbkube.sandbox.controllers.pods import is_ready
from sbkube.sandbox.controllers.runtime import now_text
from sbkube.sandbox.selectors import selector_of

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

BALANCER_IP = "203.0.113.9"


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Writes the service's slice and, for a load balancer, its address."""
    if obj is None or terminating(obj):
        return
    balancer = {}
    if obj["spec"].get("type") == "LoadBalancer":
        address = obj["spec"].get("loadBalancerIP") or BALANCER_IP
        balancer = {"ingress": [{"ip": address, "ipMode": "VIP"}]}
    await run.write_status(obj, {**(obj.get("status") or {}), "loadBalancer": balancer})
    if obj["spec"].get("selector"):
        await _slice(run, key, obj)


def selecting(run: Controllers, pod: Json) -> list[Key]:
    """The services that select a pod."""
    labels = (pod["metadata"].get("labels") or {}).items()
    found = []
    for key in run.index.in_namespace(pod["metadata"].get("namespace", ""), "Service"):
        service = run.get(key)
        wanted = service["spec"].get("selector") if service is not None else None
        if wanted and wanted.items() <= labels:
            found.append(key)
    return found


async def _slice(run: Controllers, key: Key, service: Json) -> None:
    pods = _selected(run, key, {"matchLabels": service["spec"]["selector"]})
    endpoints = [_endpoint(p) for p in pods if (p.get("status") or {}).get("podIP")]
    ports = [
        {"name": p.get("name", ""), "port": _target(p, pods), "protocol": p.get("protocol", "TCP")}
        for p in service["spec"].get("ports") or ()
    ]
    old = next(iter(run.owned(service, "EndpointSlice")), None)
    if old is not None:
        if old.get("endpoints") != endpoints or old.get("ports") != ports:
            changed = copied(old)
            changed.update(endpoints=endpoints, ports=ports)
            await run.cluster.update(changed)
        return
    tail = hashlib.sha256(service["metadata"]["uid"].encode()).hexdigest()[:5]
    labels = {
        **(service["metadata"].get("labels") or {}),
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": key.name,
    }
    meta = {
        "name": f"{key.name}-{tail}",
        "namespace": key.namespace,
        "labels": labels,
        "ownerReferences": [owner_reference(service)],
    }
    body = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta, "addressType": "IPv4"}
    await run.cluster.create({**body, "endpoints": endpoints, "ports": ports})


def _selected(run: Controllers, key: Key, struct: Json) -> list[Json]:
    selector = selector_of(struct)
    pods = run.found(sorted(run.index.in_namespace(key.namespace, "Pod")))
    alive = [p for p in pods if (p.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    return [p for p in alive if selector is not None and selector.matches(p["metadata"].get("labels"))]


def _target(port: Json, pods: list[Json]) -> int:
    target = port.get("targetPort", port.get("port"))
    if isinstance(target, int):
        return target
    for pod in pods:
        for container in pod["spec"].get("containers") or ():
            for found in container.get("ports") or ():
                if found.get("name") == target:
                    return int(found["containerPort"])
    return int(port["port"])


def _endpoint(pod: Json) -> Json:
    ready = is_ready(pod)
    meta = pod["metadata"]
    found: Json = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": terminating(pod)},
        "targetRef": {"kind": "Pod", "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
    }
    if pod["spec"].get("nodeName"):
        found["nodeName"] = pod["spec"]["nodeName"]
    return found


async def reconcile_ingress(run: Controllers, key: Key, obj: Json | None) -> None:
    """An ingress whose class exists is served: it gets an address."""
    if obj is None or terminating(obj):
        return
    name = obj["spec"].get("ingressClassName", "")
    if not name or run.get(Key("networking.k8s.io", "IngressClass", "", name)) is None:
        return
    if not ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        await run.write_status(obj, {"loadBalancer": {"ingress": [{"ip": BALANCER_IP}]}})


async def reconcile_claim(run: Controllers, key: Key, obj: Json | None) -> None:
    """A claim is bound at once and follows its request; it may go when it is deleted."""
    if obj is None:
        return
    if terminating(obj):
        kept = [f for f in obj["metadata"].get("finalizers") or () if f != "kubernetes.io/pvc-protection"]
        if len(kept) != len(obj["metadata"].get("finalizers") or ()):
            changed = copied(obj)
            changed["metadata"]["finalizers"] = kept
            await run.cluster.update(changed)
        return
    if (obj["metadata"].get("annotations") or {}).get("sandbox.sbkube.dev/fail"):
        return
    capacity = (obj["spec"].get("resources") or {}).get("requests") or {}
    status = {"phase": "Bound", "accessModes": obj["spec"].get("accessModes") or [], "capacity": capacity}
    await run.write_status(obj, status)


async def reconcile_budget(run: Controllers, key: Key, obj: Json | None) -> None:
    """A disruption budget counts the pods it covers."""
    if obj is None or terminating(obj):
        return
    pods = _selected(run, key, obj["spec"].get("selector") or {})
    healthy = sum(is_ready(p) for p in pods)
    desired = _desired(obj["spec"], len(pods))
    allowed = max(0, healthy - desired) if pods else 0
    reason = "SufficientPods" if allowed else "InsufficientPods"
    before = (obj.get("status") or {}).get("conditions") or [{}]
    state = "True" if allowed else "False"
    since = before[0].get("lastTransitionTime") if before[0].get("status") == state else None
    generation = obj["metadata"].get("generation", 1)
    condition = {
        "type": "DisruptionAllowed",
        "status": state,
        "observedGeneration": generation,
        "lastTransitionTime": since or now_text(),
        "reason": reason,
        "message": "",
    }
    counts = {"currentHealthy": healthy, "desiredHealthy": desired, "disruptionsAllowed": allowed}
    status = {**counts, "expectedPods": len(pods), "observedGeneration": generation, "conditions": [condition]}
    await run.write_status(obj, status)


def _desired(spec: Json, total: int) -> int:
    for name in ("minAvailable", "maxUnavailable"):
        value = spec.get(name)
        if value is None:
            continue
        count = math.ceil(int(value[:-1]) * total / 100) if isinstance(value, str) else int(value)
        return count if name == "minAvailable" else max(0, total - count)
    return 0
