"""What a server has from the start: the usual namespaces, a storage class, and running controllers."""

from __future__ import annotations

from typing import Any

from sbkube.sandbox import custom
from sbkube.sandbox.api import Api
from sbkube.sandbox.control_plane import ApiCluster
from sbkube.sandbox.controllers import Controllers
from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def _kind(api: Api, api_version: str, kind: str) -> Kind:
    found = api.registry.by_kind(api_version, kind)
    assert found is not None
    return found


async def prepare(api: Api, ready_delay: float, ca: str) -> Controllers:
    """Creates what is missing and starts the controllers; stop them at the end."""
    space = _kind(api, "v1", "Namespace")
    for name in NAMESPACES:
        if api.find(space, "", name) is None:
            api.create(space, "", {"metadata": {"name": name}})

    custom.follow(api)
    controllers = Controllers(ApiCluster(api), ready_delay=ready_delay, ca_text=ca)
    await controllers.start()
    return controllers
