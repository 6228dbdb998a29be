"""Defaults of services, endpoints, ingresses and network policies."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_CLUSTER_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")


def service(obj: Json) -> None:
    """A Service; its addresses are given by `sbkube.sandbox.admission`, not here."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        config.setdefault("timeoutSeconds", 10800)
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.setdefault("port", 0)
    if kind in ("NodePort", "LoadBalancer") or spec.get("externalIPs"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind in _CLUSTER_TYPES:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    obj.setdefault("status", {"loadBalancer": {}}).setdefault("loadBalancer", {})
    for ingress in obj["status"]["loadBalancer"].get("ingress") or ():
        if ingress.get("ip"):
            ingress.setdefault("ipMode", "VIP")


def endpoints(obj: Json) -> None:
    """Ports speak TCP unless said otherwise."""
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def endpoint_slice(obj: Json) -> None:
    """Ports have a name, be it empty, and speak TCP."""
    obj.setdefault("endpoints", None)
    ports = obj.setdefault("ports", None)
    for port in ports or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def ingress(obj: Json) -> None:
    """Only the load balancer's status is written; a path's type must be said."""
    obj.setdefault("spec", {})
    obj.setdefault("status", {"loadBalancer": {}}).setdefault("loadBalancer", {})


def ingress_class(obj: Json) -> None:
    """Parameters are cluster-wide unless said otherwise."""
    parameters = (obj.get("spec") or {}).get("parameters")
    if isinstance(parameters, dict):
        parameters.setdefault("scope", "Cluster")


def network_policy(obj: Json) -> None:
    """Ingress is always meant; egress only where there are egress rules."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            port.setdefault("protocol", "TCP")
