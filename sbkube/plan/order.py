"""In which order things are done: apps by their dependencies, objects of an app in waves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Lane:
    """How the apps and the inner phases of a phase take turns."""

    one_at_a_time: bool = True
    phases_in_turn: bool = True
    apps_first: bool = True


def turns(names: Sequence[str], lanes: Mapping[str, Lane]) -> dict[str, tuple[str, ...]]:
    """Which apps each app comes after without depending on them, for `names` in an order that can be executed.

    `lanes` are by phase, "" for what is in none. What an app of a later place does is not waited for.
    """
    tree = _Tree(lanes)
    for name in names:
        tree.add(name)
    found: dict[str, tuple[str, ...]] = {}
    tree.visit("", (), found)
    place = {name: index for index, name in enumerate(names)}
    return {name: tuple(_earlier(name, found, place)) for name in found}


def _earlier(app: str, found: Mapping[str, Sequence[str]], place: Mapping[str, int]) -> Iterator[str]:
    """What an app comes after; one of a later place is looked through."""
    seen = set()
    work = list(reversed(found[app]))
    while work:
        name = work.pop()
        if name in seen:
            continue
        seen.add(name)
        if place[name] < place[app]:
            yield name
        else:
            work += reversed(found[name])


class _Tree:
    """Apps and inner phases of each phase, in order."""

    def __init__(self, lanes: Mapping[str, Lane]) -> None:
        self._lanes = lanes
        self._apps: dict[str, list[str]] = {"": []}
        self._inner: dict[str, dict[str, None]] = {"": {}}

    def add(self, app: str) -> None:
        phase = app.rpartition("/")[0]
        while phase and phase not in self._lanes:
            phase = phase.rpartition("/")[0]
        self._apps.setdefault(phase, []).append(app)
        while phase:
            outer = phase.rpartition("/")[0]
            self._inner.setdefault(outer, {})[phase] = None
            phase = outer

    def visit(self, phase: str, before: tuple[str, ...], found: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Fill in a phase whose first apps come after `before`; gives its last ones."""
        apps_first = self._lane(phase).apps_first
        for step in (self._own, self._phases) if apps_first else (self._phases, self._own):
            before = step(phase, before, found)
        return before

    def _lane(self, phase: str) -> Lane:
        return self._lanes.get(phase, Lane())

    def _own(self, phase: str, before: tuple[str, ...], found: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
        apps = self._apps.get(phase, [])
        if not self._lane(phase).one_at_a_time:
            found.update(dict.fromkeys(apps, before))
            return tuple(apps) or before
        for app in apps:
            found[app] = before
            before = (app,)
        return before

    def _phases(self, phase: str, before: tuple[str, ...], found: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
        inner = self._inner.get(phase, {})
        if self._lane(phase).phases_in_turn:
            for name in inner:
                before = self.visit(name, before, found)
            return before
        ends = [self.visit(name, before, found) for name in inner]
        return tuple(dict.fromkeys(end for one in ends for end in one)) or before
