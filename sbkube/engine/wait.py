"""Waiting until objects are ready: watches, not polling; and when one is not, finding out who is to blame."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ClusterError, SbkubeError
from sbkube.health import assess
from sbkube.health.culprit import explain, fatal_reason, log_source
from sbkube.models.health import Culprit, Health, HealthStatus
from sbkube.models.outcome import OpState, Outcome
from sbkube.models.plan import Operation
from sbkube.models.resource import ResourceKey, ResourceType
from sbkube.ports import CancelToken, Json

GRACE = 6.0  # seconds that a pod may show a fatal reason before it is believed
_LOOK = 1.0  # seconds between two looks at pods of what is not ready yet
_Place = tuple[str, str, str]  # apiVersion, kind, namespace


class LiveView:
    """One watch per kind and namespace, shared by everybody who waits; started on first use."""

    def __init__(self, world: Surroundings) -> None:
        self._world = world
        self._objects: dict[_Place, dict[str, Json]] = defaultdict(dict)
        self._errors: dict[_Place, SbkubeError] = {}
        self._synced: dict[_Place, threading.Event] = {}
        self._guard = threading.Lock()
        self._stopped = threading.Event()

    def get(self, key: ResourceKey) -> Json | None:
        """The object as last seen."""
        place = (key.api_version, key.kind, key.namespace)
        with self._guard:
            synced = self._synced.get(place)
            if synced is None:
                synced = self._synced[place] = threading.Event()
                threading.Thread(target=self._follow, args=(place, synced), daemon=True).start()
        synced.wait(60)
        if place in self._errors:
            raise self._errors[place]
        return self._objects[place].get(key.name)

    def stop(self) -> None:
        """End all watches as they next wake up."""
        self._stopped.set()

    def _follow(self, place: _Place, synced: threading.Event) -> None:
        cluster = self._world.cluster
        try:
            kind = cluster.resource_type(place[0], place[1])
            while kind is not None and not self._stopped.is_set():
                listed = cluster.list(kind, place[2])
                self._objects[place] = {item["metadata"]["name"]: item for item in listed}
                synced.set()
                self._watch(place, kind, max((_version(i) for i in listed), default=0))
        except SbkubeError as error:
            self._errors[place] = error
        finally:
            synced.set()

    def _watch(self, place: _Place, kind: ResourceType, version: int) -> None:
        """Follow until the server ends the watch or has forgotten our version; then the caller lists again."""
        start = str(version) if version else ""
        try:
            for event in self._world.cluster.watch(kind, place[2], resource_version=start, timeout=30):
                name = (event.object.get("metadata") or {}).get("name", "")
                if event.type == "DELETED":
                    self._objects[place].pop(name, None)
                elif event.type in {"ADDED", "MODIFIED"}:
                    self._objects[place][name] = event.object
                if self._stopped.is_set():
                    return
        except ClusterError as error:
            if error.code != 410:
                raise


def _version(item: Mapping[str, Any]) -> int:
    text = str((item.get("metadata") or {}).get("resourceVersion", ""))
    return int(text) if text.isdigit() else 0


class Waiter:
    """Waits for one operation's objects."""

    def __init__(self, world: Surroundings, view: LiveView, cancel: CancelToken) -> None:
        self._world = world
        self._view = view
        self._cancel = cancel
        self._fatal_since: dict[str, float] = {}

    def wait(self, operation: Operation) -> Outcome:
        """Until all are ready, one has failed for good, `timeout` seconds have passed, or we are told to stop."""
        clock = self._world.clock
        started, deadline = clock.now(), clock.monotonic() + operation.timeout
        pending: dict[ResourceKey, Health] = {}
        delay, looked = 0.02, clock.monotonic()
        try:
            while True:
                pending = {k: h for k in operation.awaits if not (h := assess(self._view.get(k))).ready}
                if not pending:
                    return Outcome(operation.id, OpState.APPLIED, started, clock.now())
                failed = next((k for k, h in pending.items() if h.failed), None)
                if failed is None and clock.monotonic() - looked > _LOOK:
                    failed, looked = self._doomed(pending), clock.monotonic()
                if failed is not None or clock.monotonic() > deadline:
                    return self._failure(operation, failed, pending, started)
                if self._cancel.wait(delay):
                    return self._outcome(operation, started, "Interrupted", "stopped while waiting", None)
                delay = min(delay * 1.5, 0.25)
                self._progress(operation, pending)
        except SbkubeError as error:
            return self._outcome(operation, started, error.slug, str(error), None)

    def _progress(self, operation: Operation, pending: Mapping[ResourceKey, Health]) -> None:
        key, health = next(iter(pending.items()))
        text = health.message or health.reason
        self._world.emit("wait.progress", app=operation.app, subject=str(key), status=health.status, message=text)

    def _doomed(self, pending: Mapping[ResourceKey, Health]) -> ResourceKey | None:
        """Something whose pods have shown a fatal reason for longer than the grace period."""
        for key in pending:
            for pod in pods_of(self._world, key):
                name = pod["metadata"]["name"]
                if not fatal_reason(pod):
                    self._fatal_since.pop(name, None)
                elif (
                    self._world.clock.monotonic()
                    - self._fatal_since.setdefault(name, self._world.clock.monotonic())
                    > GRACE
                ):
                    return key
        return None

    def _failure(
        self, operation: Operation, failed: ResourceKey | None, pending: Mapping[ResourceKey, Health], started: Any
    ) -> Outcome:
        key = failed or next(iter(pending))
        health = pending[key]
        culprit = find_culprit(self._world, key)
        if culprit is None:
            why = health.message or health.reason or health.status.value
            late = "" if failed else f"not ready after {operation.timeout:g} s: "
            return self._outcome(operation, started, health.reason or "NotReady", f"{key}: {late}{why}", None)
        return self._outcome(operation, started, culprit.reason, f"{key}: {culprit}", culprit)

    def _outcome(
        self, operation: Operation, started: Any, reason: str, message: str, culprit: Culprit | None
    ) -> Outcome:
        return Outcome(
            operation.id,
            OpState.FAILED,
            started,
            self._world.clock.now(),
            reason=reason,
            message=message,
            culprit=culprit,
        )


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
