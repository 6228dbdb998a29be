"""The only node: nothing runs on it, but pods and daemon sets need one to be on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.cluster import Json, Key
from sbkube.sandbox.controllers.runtime import now_text

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

_SIZE = {"cpu": "8", "memory": "32Gi", "pods": "250", "ephemeral-storage": "100Gi"}

_FACTS = (
    *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion"),
    *("machineID", "operatingSystem", "osImage", "systemUUID"),
)


async def ensure_node(run: Controllers) -> None:
    """Makes the node, ready, when it is not there."""
    if run.get(Key("", "Node", "", run.node)) is not None:
        return
    labels = {
        "kubernetes.io/hostname": run.node,
        "kubernetes.io/os": "linux",
        "node-role.kubernetes.io/control-plane": "true",
    }
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": run.node, "labels": labels}}
    await run.write_status(await run.cluster.create(body), _status(run.node))


def _status(name: str) -> Json:
    now = now_text()
    ready = {
        "type": "Ready",
        "status": "True",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
        "reason": "KubeletReady",
        "message": "simulated node",
    }
    # Typed clients refuse a node without any of these.
    info = dict.fromkeys(_FACTS, "") | {"kubeletVersion": "sandbox", "operatingSystem": "linux"}
    addresses = [{"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": name}]
    return {
        "capacity": dict(_SIZE),
        "allocatable": dict(_SIZE),
        "conditions": [ready],
        "addresses": addresses,
        "nodeInfo": info,
    }
