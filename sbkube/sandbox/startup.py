"""What a server has from the start: namespaces, the service in front of it, classes, and running controllers."""

from __future__ import annotations

from typing import Any

from sbkube.sandbox import custom, lookups
from sbkube.sandbox.access import Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.control_plane import ApiCluster
from sbkube.sandbox.controllers import Controllers
from sbkube.sandbox.controllers.pods import HOST_IP
from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]
SERVICE_IP, PORT = "10.43.0.1", 6443
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def _kind(api: Api, api_version: str, kind: str) -> Kind:
    found = api.registry.by_kind(api_version, kind)
    assert found is not None
    return found


def _first_objects() -> list[Json]:
    """What a new cluster has and may lose."""
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {lookups.DEFAULT_STORAGE: "true"}},
        "provisioner": "sandbox.sbkube.dev/provisioner",
        "allowVolumeExpansion": True,
    }
    what = "Used for system critical pods that must "
    texts = {
        "system-cluster-critical": (
            2_000_000_000,
            what + "run in the cluster, but can be moved to another node if necessary.",
        ),
        "system-node-critical": (2_000_001_000, what + "not be moved from their current node."),
    }
    critical = [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": text,
        }
        for name, (value, text) in texts.items()
    ]
    return [storage, *critical]


def _front() -> list[Json]:
    """The service `kubernetes` with what is behind it, which the API server keeps up itself."""
    meta = {"name": "kubernetes", "namespace": "default"}
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": PORT}
    behind = {"name": "https", "port": PORT, "protocol": "TCP"}
    spec = {"type": "ClusterIP", "clusterIP": SERVICE_IP, "ports": [port]}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {**meta, "labels": labels}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {**meta, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": HOST_IP}], "ports": [behind]}],
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [HOST_IP], "conditions": {"ready": True}}],
            "ports": [behind],
        },
    ]


async def prepare(api: Api, ready_delay: float, ca: str) -> Controllers:
    """Creates what is missing and starts the controllers; stop them at the end."""
    space = _kind(api, "v1", "Namespace")
    new = api.find(space, "", "default") is None
    for name in NAMESPACES:
        if api.find(space, "", name) is None:
            api.create(space, "", {"metadata": {"name": name}})
    for obj in [*(_first_objects() if new else []), *_front()]:
        kind, meta = _kind(api, obj["apiVersion"], obj["kind"]), obj["metadata"]
        if api.find(kind, meta.get("namespace", ""), meta["name"]) is None:
            api.create(kind, meta.get("namespace", ""), obj, Options("kube-apiserver"))

    custom.follow(api)
    controllers = Controllers(ApiCluster(api), ready_delay=ready_delay, ca_text=ca)
    await controllers.start()
    return controllers
