"""Defaults of pods and pod templates (`pkg/apis/core/v1/defaults.go`)."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
DEFAULT_MODE = 420


def pod(obj: Json) -> None:
    """A Pod as it is stored; its status is Pending until somebody says otherwise."""
    spec = obj.setdefault("spec", {})
    if isinstance(spec, dict):
        pod_spec(spec)
        spec.setdefault("enableServiceLinks", True)
    obj.setdefault("status", {"phase": "Pending"})


def template(owner: Json) -> None:
    """The pod template of a workload: `metadata` and `spec` are written even when empty."""
    found = owner.setdefault("template", {})
    if isinstance(found, dict):
        found.setdefault("metadata", {})
        pod_spec(found.setdefault("spec", {}))


def pod_spec(spec: Json) -> None:
    """Everything that a PodSpec gets when nothing is said."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    host_network = bool(spec.get("hostNetwork"))
    for member in ("containers", "initContainers", "ephemeralContainers"):
        for found in _objects(spec.get(member)):
            container(found, host_network=host_network)
    for found in _objects(spec.get("volumes")):
        volume(found)
    for found in _objects(spec.get("topologySpreadConstraints")):
        if found.get("nodeTaintsPolicy") is not None or found.get("nodeAffinityPolicy") is not None:
            found.setdefault("whenUnsatisfiable", "DoNotSchedule")


def container(found: Json, *, host_network: bool) -> None:
    """A container: the pull policy follows from the image's tag."""
    found.setdefault("resources", {})
    _limits_are_requests(found["resources"])
    found.setdefault("terminationMessagePath", "/dev/termination-log")
    found.setdefault("terminationMessagePolicy", "File")
    if not found.get("imagePullPolicy"):
        found["imagePullPolicy"] = "Always" if _moving(str(found.get("image") or "")) else "IfNotPresent"
    for port in _objects(found.get("ports")):
        port.setdefault("protocol", "TCP")
        if host_network and not port.get("hostPort") and port.get("containerPort"):
            port["hostPort"] = port["containerPort"]
    for member in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(found.get(member), dict):
            probe(found[member])
    lifecycle = found.get("lifecycle")
    if isinstance(lifecycle, dict):
        for handler in _objects(list(lifecycle.values())):
            _handler(handler)
    for variable in _objects(found.get("env")):
        source = variable.get("valueFrom")
        if isinstance(source, dict) and isinstance(source.get("fieldRef"), dict):
            source["fieldRef"].setdefault("apiVersion", "v1")


def _limits_are_requests(resources: Any) -> None:
    if isinstance(resources, dict) and isinstance(resources.get("limits"), dict):
        requests = resources.get("requests")
        if requests is None:
            resources["requests"] = dict(resources["limits"])
        elif isinstance(requests, dict):
            for name, amount in resources["limits"].items():
                requests.setdefault(name, amount)


def _moving(image: str) -> bool:
    name, _, digest = image.partition("@")
    if digest:
        return False
    last = name.rpartition("/")[2]
    tag = last.partition(":")[2]
    return tag in ("", "latest") and bool(image)


def probe(found: Json) -> None:
    """A probe: every second figure that nobody writes."""
    for name, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not found.get(name):
            found[name] = value
    _handler(found)
    if isinstance(found.get("grpc"), dict):
        found["grpc"].setdefault("service", "")


def _handler(found: Json) -> None:
    http = found.get("httpGet")
    if isinstance(http, dict):
        http.setdefault("path", "/")
        http.setdefault("scheme", "HTTP")


def volume(found: Json) -> None:
    """A volume: file modes, host path types, iSCSI and friends; an empty one is an emptyDir."""
    if set(found) <= {"name"}:
        found["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if isinstance(found.get(source), dict):
            found[source].setdefault("defaultMode", DEFAULT_MODE)
    for item in _objects((found.get("downwardAPI") or {}).get("items")):
        if isinstance(item.get("fieldRef"), dict):
            item["fieldRef"].setdefault("apiVersion", "v1")
    for projection in _objects((found.get("projected") or {}).get("sources")):
        _projection(projection)
    if isinstance(found.get("hostPath"), dict):
        found["hostPath"].setdefault("type", "")
    claim = (found.get("ephemeral") or {}).get("volumeClaimTemplate")
    if isinstance(claim, dict) and isinstance(claim.get("spec"), dict):
        claim["spec"].setdefault("volumeMode", "Filesystem")


def _projection(source: Json) -> None:
    if isinstance(source.get("serviceAccountToken"), dict):
        source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
    for item in _objects((source.get("downwardAPI") or {}).get("items")):
        if isinstance(item.get("fieldRef"), dict):
            item["fieldRef"].setdefault("apiVersion", "v1")


def _objects(found: Any) -> list[Json]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
