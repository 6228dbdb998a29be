"""The work queue behind all controllers: events name what to look at, workers look, timers bring it up again.

A key is worked on by one worker at a time and queued at most once, as in client-go's workqueue. Nothing is kept
that a restart would miss: at start every stored object is queued, and delays count from stored times.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from sbkube.sandbox.controllers.cluster import Cluster, Index, Json, Key, controller_of, copied, key_of
from sbkube.sandbox.status import StatusError

logger = logging.getLogger(__name__)
Reconcile = Callable[["Controllers", Key, Json | None], Awaitable[None]]
WORKERS = 8
_RETRY_SECONDS = 0.02
_RETRY_LIMIT = 5.0
_REFUSED_SECONDS = 1.0
READY_AFTER = "sandbox.sbkube.dev/ready-after"
FAIL = "sandbox.sbkube.dev/fail"


def now_text() -> str:
    """The time as objects write it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str | None) -> float:
    """A stored time as seconds since 1970; 0 when there is none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


class Controllers:
    """All controllers of one sandbox; `ready_delay` is how long a pod takes to get ready, in seconds."""

    def __init__(
        self, cluster: Cluster, *, ready_delay: float = 0.2, ca_text: str = "", node: str = "sandbox"
    ) -> None:
        from sbkube.sandbox.controllers.registry import RECONCILERS, RELATED

        self.cluster = cluster
        self.index = Index()
        self.ready_delay = ready_delay
        self.ca_text = ca_text
        self.node = node
        self._ahead = 0.0
        self._reconcilers = RECONCILERS
        self._related = RELATED
        self._seen: dict[str, float] = {}
        self._told: set[tuple[str, str]] = set()
        self._queue: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._retries: dict[Key, float] = {}
        self._timers: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Looks at everything that is stored, then follows events. Call once, inside the running loop."""
        from sbkube.sandbox.controllers import nodes

        for obj in self.cluster.everything():
            self.index.see("ADDED", obj)
        self.cluster.subscribe(self._on_event)
        for key in list(self.index.uids.values()):
            self.enqueue(key)
        self._tasks = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
        await nodes.ensure_node(self)

    async def stop(self) -> None:
        """Ends workers and timers; writes in flight are awaited by nobody but the store."""
        for _, handle in self._timers.values():
            handle.cancel()
        self._timers.clear()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or worked on now (timers may still be running)."""
        return not (self._waiting or self._working)

    def time(self) -> float:
        """The time by which schedules are judged, in seconds since 1970."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Moves the time of schedules forward and has all of them looked at."""
        self._ahead += seconds
        for key in self.index.of_kind("CronJob"):
            self.enqueue(key)

    def get(self, key: Key) -> Json | None:
        """The stored object (shared: copy before changing)."""
        return self.cluster.get(key)

    def found(self, keys: list[Key]) -> list[Json]:
        """The stored objects behind keys; what is gone is left out."""
        return [obj for key in keys if (obj := self.cluster.get(key)) is not None]

    def owned(self, owner: Json, kind: str) -> list[Json]:
        """The objects of a kind that this owner controls, by name."""
        uid = owner["metadata"]["uid"]
        found = self.found(self.index.dependents(uid, kind))
        return [obj for obj in found if (controller_of(obj) or {}).get("uid") == uid]

    def age(self, obj: Json) -> float:
        """Seconds since the object was first seen here, or since its creation when that was before the start."""
        meta = obj["metadata"]
        return time.time() - (self._seen.get(meta["uid"]) or seconds_of(meta.get("creationTimestamp")))

    def enqueue(self, key: Key) -> None:
        """Has a key looked at soon."""
        if (key.group, key.kind) not in self._reconcilers and not self._wants_collection(key):
            return
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._queue.put_nowait(key)

    def later(self, seconds: float, key: Key) -> None:
        """Has a key looked at in `seconds`; an earlier appointment stands."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, seconds)
        old = self._timers.get(key)
        if old is not None:
            if old[0] <= due:
                return
            old[1].cancel()
        self._timers[key] = (due, loop.call_at(due, self._ring, key))

    def _ring(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.enqueue(key)

    async def write_status(self, obj: Json, status: Json) -> None:
        """Writes a status if it differs from the stored one."""
        if obj.get("status") == status:
            return
        changed = copied(obj)
        changed["status"] = status
        await self.cluster.update(changed, "status")

    async def event(self, obj: Json, kind: str, reason: str, message: str, component: str) -> None:
        """Writes an Event about an object, as a recorder would (`kind` is Normal or Warning)."""
        meta = obj["metadata"]
        namespace = meta.get("namespace") or "default"
        now = now_text()
        involved = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": meta["name"],
            "namespace": meta.get("namespace", ""),
            "uid": meta["uid"],
            "resourceVersion": meta.get("resourceVersion", ""),
        }
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
            "involvedObject": {k: v for k, v in involved.items() if v},
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": kind,
            "reportingComponent": component,
            "reportingInstance": "",
        }
        # A namespace that is going away takes no events, and nobody minds.
        with contextlib.suppress(StatusError):
            await self.cluster.create(body)

    async def make_pod(self, owner: Json, pod: Json, component: str) -> Json | str:
        """Creates an owner's pod; the refusal when it is refused, of which the owner's events tell.

        The owner is looked at again after a second: what was missing may be there then.
        """
        try:
            return await self.cluster.create(pod)
        except StatusError as error:
            if error.code not in (403, 422):
                raise
            self.later(_REFUSED_SECONDS, key_of(owner))
            await self.event_once(owner, "Warning", "FailedCreate", f"Error creating: {error.message}", component)
            return error.message

    async def event_once(self, obj: Json, kind: str, reason: str, message: str, component: str) -> None:
        """Writes an Event unless it was written for this object before."""
        told = (obj["metadata"]["uid"], reason)
        if told not in self._told:
            self._told.add(told)
            await self.event(obj, kind, reason, message, component)

    def _on_event(self, event: str, obj: Json) -> None:
        self.index.see(event, obj)
        kind = obj["kind"]
        uid = obj["metadata"]["uid"]
        if event == "ADDED":
            self._seen[uid] = time.time()
        elif event == "DELETED":
            self._seen.pop(uid, None)
        key = key_of(obj)
        meta = obj["metadata"]
        if (
            (key.group, key.kind) in self._reconcilers
            or meta.get("ownerReferences")
            or meta.get("deletionTimestamp")
        ):
            self.enqueue(key)
        owner = controller_of(obj)
        if owner is not None:
            group = str(owner.get("apiVersion", "")).rpartition("/")[0]
            self.enqueue(Key(group, owner.get("kind", ""), key.namespace, owner.get("name", "")))
        if event == "DELETED":
            self._after_deletion(obj, uid)
        related = self._related.get(kind)
        if related is not None:
            for other in related(self, obj):
                self.enqueue(other)

    def _after_deletion(self, obj: Json, uid: str) -> None:
        for dependent in self.index.dependents(uid):
            self.enqueue(dependent)
        for reference in obj["metadata"].get("ownerReferences") or ():
            owner = self.index.uids.get(reference.get("uid", ""))
            if owner is not None:
                self.enqueue(owner)
        namespace = obj["metadata"].get("namespace")
        if namespace:
            found = self.cluster.get(Key("", "Namespace", "", namespace))
            if found is not None and found["metadata"].get("deletionTimestamp"):
                self.enqueue(Key("", "Namespace", "", namespace))

    def _wants_collection(self, key: Key) -> bool:
        obj = self.cluster.get(key)
        if obj is None:
            return False
        meta = obj["metadata"]
        return bool(meta.get("ownerReferences")) or bool(meta.get("deletionTimestamp") and meta.get("finalizers"))

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            self._waiting.discard(key)
            self._working.add(key)
            try:
                await self._reconcile(key)
            finally:
                self._working.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.enqueue(key)

    async def _reconcile(self, key: Key) -> None:
        from sbkube.sandbox.controllers import garbage

        try:
            obj = self.cluster.get(key)
            if obj is not None and await garbage.collect(self, key, obj):
                return
            reconcile = self._reconcilers.get((key.group, key.kind))
            if reconcile is not None:
                await reconcile(self, key, self.cluster.get(key))
            self._retries.pop(key, None)
        except StatusError as error:
            self._retry(key, error)
        except (LookupError, TypeError, ValueError, AttributeError):
            # An object that nobody foresaw must not stop the controllers for all others.
            logger.exception("controller of %s %s/%s", key.kind, key.namespace, key.name)

    def _retry(self, key: Key, error: StatusError) -> None:
        if error.code in (404, 403, 422):
            logger.debug("controller of %s %s/%s: %s", key.kind, key.namespace, key.name, error.message)
            self._retries.pop(key, None)
            return
        wait = min(self._retries.get(key, _RETRY_SECONDS) * 2, _RETRY_LIMIT)
        self._retries[key] = wait
        self.later(wait, key)
