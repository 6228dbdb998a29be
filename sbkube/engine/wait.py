"""Waiting until objects are ready: watches, not polling; and when one is not, finding out who is to blame."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sbkube.engine.evidence import LOOK, Doom, find_culprit
from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ClusterError, SbkubeError
from sbkube.health import assess
from sbkube.models.health import Culprit, Health
from sbkube.models.outcome import OpState, Outcome
from sbkube.models.plan import Operation
from sbkube.models.resource import ResourceKey, ResourceType
from sbkube.ports import CancelToken, Json

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
        self._doom = Doom(world)

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
                if failed is None and clock.monotonic() - looked > LOOK:
                    failed, looked = self._doom.look(pending), clock.monotonic()
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
        why = {str(waiting): of.message or of.reason for waiting, of in pending.items()}
        self._world.emit(
            "wait.progress",
            app=operation.app,
            subject=str(key),
            status=health.status,
            message=why[str(key)],
            data=why,
        )

    def _failure(
        self, operation: Operation, failed: ResourceKey | None, pending: Mapping[ResourceKey, Health], started: Any
    ) -> Outcome:
        key = failed or next(iter(pending))
        health = pending[key]
        culprit = find_culprit(self._world, key)
        if culprit is None:
            why = health.message or health.reason or health.status.value
            what = (health.reason or "failed") if failed else f"not ready after {operation.timeout:g} s"
            text = f"{what}: {key}" + (f": {why}" if why != what else "")
            return self._outcome(operation, started, health.reason or "NotReady", text, None)
        return self._outcome(operation, started, culprit.reason, str(culprit), culprit)

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
