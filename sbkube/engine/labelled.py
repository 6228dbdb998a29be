"""What carries a project's label, found without the ledger."""

from __future__ import annotations

from sbkube.engine.surroundings import Surroundings, at_once
from sbkube.errors import ClusterError, ClusterForbidden
from sbkube.models.resource import ResourceKey, ResourceType
from sbkube.plan import labels, order

_COPIES = frozenset({"Endpoints", "EndpointSlice"})  # they carry the labels of their Service


def labelled(world: Surroundings, project: str) -> list[ResourceKey]:
    """Live objects of all kinds with the project's label, Helm's records of releases included.

    Kinds that may not be listed are left out. What is served under several versions comes once.
    """
    selector = f"{labels.PROJECT}={labels.label_value(project)}"

    def look(kind: ResourceType) -> list[tuple[str, ResourceKey]]:
        try:
            items = world.cluster.list(kind, labels=selector)
        except (ClusterForbidden, ClusterError):
            return []
        own = (item for item in items if not item["metadata"].get("ownerReferences"))
        return [(str(item["metadata"].get("uid")), ResourceKey.of(item)) for item in own]

    found = {uid: key for part in at_once(look, _kinds(world)) for uid, key in part}
    return sorted(found.values(), key=order.sort_key)


def _kinds(world: Surroundings) -> list[ResourceType]:
    kinds = []
    for served in world.cluster.api_versions():
        api_version, _, kind = served.rpartition("/")
        if kind[:1].isupper() and kind not in _COPIES:
            found = world.cluster.resource_type(api_version, kind)
            if found is not None and "list" in found.verbs:
                kinds.append(found)
    return kinds
