"""Watches: what a client sees of the changes, from the version it names."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.status import StatusError
from sbkube.sandbox.store import Event, Store


class Dropped(Exception):
    """The watch was dropped on demand: its connection ends without a word."""


Json = dict[str, Any]
BOOKMARK_EVERY = 60.0


@dataclass(slots=True)
class Wanted:
    """What to watch: objects of a kind in a namespace ("" all) that `matches`.

    `version`: None for the present state and then changes, else changes after it. `initial`: send the present
    state first, then a bookmark that says so (WatchList).
    """

    kind: Kind
    namespace: str
    matches: Callable[[Json], bool]
    version: int | None = None
    initial: bool = False
    bookmarks: bool = False
    seconds: float = 1800.0


def _seen(wanted: Wanted, event: Event) -> tuple[str, Json] | None:
    """How a change looks through a selector: leaving it is a deletion, entering it an addition."""
    after = event.what != "DELETED" and wanted.matches(event.new)
    before = event.old is not None and wanted.matches(event.old)
    if after:
        return ("MODIFIED" if before else "ADDED"), event.new
    if not before:
        return None
    old = event.old or {}
    version = event.new["metadata"]["resourceVersion"]
    return "DELETED", {**old, "metadata": {**old["metadata"], "resourceVersion": version}}


async def watch(
    store: Store, wanted: Wanted, opened: set[Callable[[], None]] | None = None
) -> AsyncIterator[tuple[str, Json]]:
    """The events (type, object) until the time is over.

    `opened` holds, while the watch is open, a function that drops it. Raises StatusError 410 when the past is no
    longer kept, and Dropped.
    """
    queue: asyncio.Queue[Event | None] = asyncio.Queue()
    key, kind = wanted.kind.store_key, wanted.kind

    def hear(event: Event) -> None:
        if event.resource == key and wanted.namespace in ("", event.namespace):
            queue.put_nowait(event)

    if wanted.version is not None and not wanted.initial and wanted.version < store.oldest:
        raise StatusError(410, "Expired", f"too old resource version: {wanted.version} ({store.oldest})")
    past = [] if wanted.version is None or wanted.initial else list(store.since(wanted.version))
    present = store.items(key, wanted.namespace) if wanted.version is None or wanted.initial else []
    at = store.rv
    stop = store.listen(hear)

    def drop() -> None:
        queue.put_nowait(None)

    opened = set() if opened is None else opened
    opened.add(drop)
    try:
        # What was just read may still be on its way to the disk; nobody may see what a kill would take back.
        with contextlib.suppress(sqlite3.Error):
            await store.flushed()
        for _, obj in present:
            if wanted.matches(obj):
                yield "ADDED", obj
        if wanted.initial and wanted.bookmarks:
            mark = bookmark(kind, at)
            mark["metadata"]["annotations"] = {"k8s.io/initial-events-end": "true"}
            yield "BOOKMARK", mark
        for event in past:
            if event.rv not in store.lost and event.resource == key and wanted.namespace in ("", event.namespace):
                seen = _seen(wanted, event)
                if seen:
                    yield seen
        async for found in _live(store, wanted, queue):
            yield found
    finally:
        stop()
        opened.discard(drop)


async def _live(
    store: Store, wanted: Wanted, queue: asyncio.Queue[Event | None]
) -> AsyncIterator[tuple[str, Json]]:
    loop = asyncio.get_running_loop()
    end = loop.time() + wanted.seconds
    while (left := end - loop.time()) > 0:
        try:
            event = await asyncio.wait_for(queue.get(), min(left, BOOKMARK_EVERY))
        except TimeoutError:
            if wanted.bookmarks:
                yield "BOOKMARK", bookmark(wanted.kind, store.rv)
            continue
        if event is None:
            raise Dropped
        with contextlib.suppress(sqlite3.Error):
            await store.flushed()
        seen = None if event.rv in store.lost else _seen(wanted, event)
        if seen:
            yield seen


def bookmark(kind: Kind, rv: int) -> Json:
    """An object of the kind that carries nothing but a resource version."""
    return {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": {"resourceVersion": str(rv), "creationTimestamp": None},
    }
