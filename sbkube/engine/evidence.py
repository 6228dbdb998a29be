"""Who is to blame: from an object that is not ready down to its pods, their events and last log lines."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sbkube.engine.surroundings import Surroundings
from sbkube.errors import SbkubeError
from sbkube.health import assess
from sbkube.health.culprit import explain, fatal_reason, log_source
from sbkube.models.health import Culprit, HealthStatus
from sbkube.models.resource import ResourceKey
from sbkube.ports import CancelToken, Json

GRACE = 6.0  # seconds that a pod may show a fatal reason before it is believed
LOOK = 1.0  # seconds between two looks at pods
RUNS_PODS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod"})


class Doom:
    """Remembers since when pods have shown reasons that waiting will hardly mend."""

    def __init__(self, world: Surroundings) -> None:
        self._world = world
        self._since: dict[str, float] = {}

    def look(self, keys: Iterable[ResourceKey]) -> ResourceKey | None:
        """The first object whose pods have shown a fatal reason for longer than the grace period."""
        now = self._world.clock.monotonic()
        for key in keys:
            for pod in pods_of(self._world, key):
                name = f"{key.namespace}/{pod['metadata']['name']}"
                if not fatal_reason(pod):
                    self._since.pop(name, None)
                elif now - self._since.setdefault(name, now) > GRACE:
                    return key
        return None


class Overseer:
    """Looks after the pods of a release while Helm works on it, in a thread of its own.

    It is the cancel token that Helm is given: set by the run's own token, or, with `may_stop`, when a pod can
    never become ready. `culprit` is then who was to blame, found before anything was undone.
    """

    def __init__(
        self, world: Surroundings, keys: Sequence[ResourceKey], cancel: CancelToken, *, may_stop: bool
    ) -> None:
        self._world = world
        self._keys = [key for key in keys if key.kind in RUNS_PODS]
        self._outer = cancel
        self._may_stop = may_stop
        self._stop = threading.Event()
        self._done = threading.Event()
        self.culprit: Culprit | None = None
        self._thread = threading.Thread(target=self._oversee, daemon=True)

    def __enter__(self) -> Overseer:
        if self._keys:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def is_set(self) -> bool:
        """Helm should stop."""
        return self._stop.is_set() or self._outer.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until Helm should stop, or `timeout` seconds have passed."""
        clock = self._world.clock
        deadline = None if timeout is None else clock.monotonic() + timeout
        while not self.is_set():
            left = 0.1 if deadline is None else min(0.1, deadline - clock.monotonic())
            if left <= 0:
                break
            self._stop.wait(left)
        return self.is_set()

    def _oversee(self) -> None:
        doom = Doom(self._world)
        while not self._done.wait(LOOK) and self.culprit is None:
            try:
                key = doom.look(self._keys)
            except SbkubeError:
                continue  # a passing trouble of the cluster; Helm's own answer decides
            if key is not None:
                self.culprit = find_culprit(self._world, key)
                if self._may_stop:
                    self._stop.set()

    def blame(self) -> Culprit | None:
        """After a failure: who was seen, else who is not ready now."""
        if self.culprit is None:
            found = (find_culprit(self._world, key) for key in self._keys)
            self.culprit = next(filter(None, found), None)
        return self.culprit


def pods_of(world: Surroundings, key: ResourceKey) -> Sequence[Json]:
    """Pods below an object, by owner references (through ReplicaSets and Jobs), the newest first."""
    cluster = world.cluster
    owner = cluster.get(key)
    pod_kind = cluster.resource_type("v1", "Pod")
    if owner is None or pod_kind is None or not key.namespace:
        return ()
    if key.kind == "Pod":
        return (owner,)
    uids = {owner["metadata"]["uid"]}
    for api_version, kind in (("apps/v1", "ReplicaSet"), ("batch/v1", "Job")):
        middle = cluster.resource_type(api_version, kind)
        if middle is not None and key.kind in {"Deployment", "CronJob"}:
            uids |= {o["metadata"]["uid"] for o in cluster.list(middle, key.namespace) if _owned(o, uids)}
    pods = [pod for pod in cluster.list(pod_kind, key.namespace) if _owned(pod, uids)]
    return sorted(pods, key=lambda p: str(p["metadata"].get("creationTimestamp")), reverse=True)


def _owned(body: Mapping[str, Any], uids: set[str]) -> bool:
    return any(ref.get("uid") in uids for ref in body["metadata"].get("ownerReferences") or ())


def find_culprit(world: Surroundings, key: ResourceKey) -> Culprit | None:
    """The pod that keeps an object from being ready, with its reason, events and last log lines."""
    try:
        for pod in pods_of(world, key):
            if assess(pod).status is not HealthStatus.READY:
                return explain(pod, _events(world, pod), _log(world, pod))
    except SbkubeError:
        return None  # evidence is best effort: the failure itself is reported by the caller
    return None


def _events(world: Surroundings, pod: Json) -> list[Json]:
    kind = world.cluster.resource_type("v1", "Event")
    if kind is None:
        return []
    meta = pod["metadata"]
    return world.cluster.list(kind, meta["namespace"], fields=f"involvedObject.name={meta['name']}")


def _log(world: Surroundings, pod: Json) -> str:
    source = log_source(pod)
    if source is None:
        return ""
    meta = pod["metadata"]
    return world.cluster.logs(meta["namespace"], meta["name"], source.container, tail=20, previous=source.previous)
