"""In which order things are done: apps by their dependencies, objects of an app in waves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from sbkube.errors import ConfigError
from sbkube.models.resource import ResourceKey

# Waves within an app. Kinds that are not listed come last: custom resources, ingresses, policies, webhooks.
FOUNDATION, CONFIGURATION, WORKLOADS, REST = range(4)
_WAVES: dict[str, int] = {
    **dict.fromkeys(("Namespace", "CustomResourceDefinition"), FOUNDATION),
    **dict.fromkeys(
        (
            "PriorityClass",
            "StorageClass",
            "IngressClass",
            "ResourceQuota",
            "LimitRange",
            "ServiceAccount",
            "Role",
            "ClusterRole",
            "RoleBinding",
            "ClusterRoleBinding",
            "ConfigMap",
            "Secret",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "NetworkPolicy",
        ),
        CONFIGURATION,
    ),
    **dict.fromkeys(
        (
            "Service",
            "Endpoints",
            "EndpointSlice",
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "ReplicationController",
            "Pod",
            "Job",
            "CronJob",
        ),
        WORKLOADS,
    ),
}
# Deleting one of these loses data or empties more than itself, so it wants consent.
DATA_BEARING = frozenset({"PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition", "Namespace"})


def wave(kind: str) -> int:
    """The wave of a kind: 0 foundation, 1 RBAC and configuration, 2 workloads, 3 the rest."""
    return _WAVES.get(kind, REST)


def sort_key(key: ResourceKey) -> tuple[int, str, str, str, str]:
    """Objects in creation order; stable for equal input."""
    return (wave(key.kind), key.kind, key.group, key.namespace, key.name)


def app_order(depends_on: Mapping[str, Iterable[str]]) -> list[str]:
    """Apps in topological order, ties in file order. Raises ConfigError that prints the cycle."""
    position = {name: index for index, name in enumerate(depends_on)}
    sorter = TopologicalSorter({app: [d for d in deps if d in position] for app, deps in depends_on.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = " → ".join(reversed(error.args[1]))
        raise ConfigError(
            f"apps depend on each other in a circle: {cycle}", hint="remove one depends_on"
        ) from None
    ordered: list[str] = []
    ready = sorted(sorter.get_ready(), key=position.__getitem__)
    while ready:
        first = ready.pop(0)
        ordered.append(first)
        sorter.done(first)
        ready = sorted([*ready, *sorter.get_ready()], key=position.__getitem__)
    return ordered
