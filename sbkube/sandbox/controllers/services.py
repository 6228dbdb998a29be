"""Services get endpoints and addresses, ingresses an address, budgets count."""

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
_MANAGED = "endpoints.kubernetes.io/managed-by"


async def reconcile(run: Controllers, key: Key, obj: Json | None) -> None:
    """Writes the service's slice and endpoints and, for a load balancer, its address."""
    if obj is None:
        await _forget_endpoints(run, key)
        return
    if terminating(obj):
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
    await _write_endpoints(run, key, service, pods)
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


async def _write_endpoints(run: Controllers, key: Key, service: Json, pods: list[Json]) -> None:
    """The older form of the same: an Endpoints object of the service's name, without an owner."""
    subsets = _subsets(service, [p for p in pods if (p.get("status") or {}).get("podIP")], pods)
    there = run.get(Key("", "Endpoints", key.namespace, key.name))
    if there is None:
        labels = {**(service["metadata"].get("labels") or {}), _MANAGED: "endpoint-controller"}
        meta = {"name": key.name, "namespace": key.namespace, "labels": labels}
        body = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta}
        await run.cluster.create({**body, "subsets": subsets} if subsets else body)
    elif _is_ours(there) and (there.get("subsets") or []) != subsets:
        changed = copied(there)
        changed["subsets"] = subsets
        await run.cluster.update(changed)


def _subsets(service: Json, placed: list[Json], pods: list[Json]) -> list[Json]:
    addresses: dict[str, list[Json]] = {}
    for pod in placed:
        target = {k: pod["metadata"][k] for k in ("name", "namespace", "uid")}
        found = {"ip": pod["status"]["podIP"], "targetRef": {"kind": "Pod", **target}}
        if pod["spec"].get("nodeName"):
            found["nodeName"] = pod["spec"]["nodeName"]
        wanted = is_ready(pod) or service["spec"].get("publishNotReadyAddresses")
        addresses.setdefault("addresses" if wanted else "notReadyAddresses", []).append(found)
    if not addresses:
        return []
    ports = [
        {
            **({"name": p["name"]} if p.get("name") else {}),
            "port": _target(p, pods),
            "protocol": p.get("protocol", "TCP"),
        }
        for p in service["spec"].get("ports") or ()
    ]
    return [{**addresses, **({"ports": ports} if ports else {})}]


def _is_ours(endpoints: Json) -> bool:
    return _MANAGED in (endpoints["metadata"].get("labels") or {})


async def _forget_endpoints(run: Controllers, key: Key) -> None:
    there = run.get(Key("", "Endpoints", key.namespace, key.name))
    if there is not None and _is_ours(there):
        await run.cluster.delete(Key("", "Endpoints", key.namespace, key.name), there["metadata"]["uid"])


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
