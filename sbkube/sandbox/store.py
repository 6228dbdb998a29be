"""Where the objects are: an index in memory, every change in SQLite before it counts as done.

Changes are visible at once and committed by a writer thread that takes all waiting changes into one
transaction (group commit). `flushed()` waits until everything written so far is on disk: a request is answered
after that. When the disk takes nothing (it is full), the changes that waited are undone and their writers told.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]
Key = tuple[str, str]
KEPT_EVENTS = 20_000

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, rv INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_PUT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)"
_GET = "SELECT body FROM objects WHERE resource = ? AND namespace = ? AND name = ?"
_DROP = "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?"
_RV = "INSERT OR REPLACE INTO meta VALUES ('rv', ?)"


@dataclass(frozen=True, slots=True)
class Event:
    """One change: `what` is ADDED, MODIFIED or DELETED; `old` is the object before (None when added).

    `new` of a deletion is the last state, with the resource version of the deletion.
    """

    rv: int
    what: str
    resource: str
    namespace: str
    name: str
    old: Json | None
    new: Json


class Store:
    """All objects, by store key (`deployments.apps`) and (namespace, name). Stored dicts must never be changed."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES)
        self._objects: dict[str, dict[Key, Json]] = {}
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._listeners: list[Callable[[Event], None]] = []
        self._pending: list[tuple[str, tuple[Any, ...]]] = []
        self._writing: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None
        self._writer = ThreadPoolExecutor(1, "store")
        self._sent: list[tuple[str, tuple[Any, ...]]] = []
        self.lost: set[int] = set()
        self.rv = 1000
        self._load()
        self.oldest = self._written = self.rv

    def _load(self) -> None:
        for resource, namespace, name, body in self._db.execute(
            "SELECT resource, namespace, name, body FROM objects"
        ):
            self._objects.setdefault(resource, {})[namespace, name] = orjson.loads(body)
        row = self._db.execute("SELECT value FROM meta WHERE key = 'rv'").fetchone()
        if row:
            self.rv = int(row[0])

    def get(self, resource: str, namespace: str, name: str) -> Json | None:
        """The stored object, not to be changed; None when there is none."""
        found = self._objects.get(resource)
        return found.get((namespace, name)) if found else None

    def items(self, resource: str, namespace: str = "") -> list[tuple[Key, Json]]:
        """The objects of one resource (in one namespace, or in all), ordered by namespace and name."""
        found = self._objects.get(resource) or {}
        if namespace:
            return sorted((i for i in found.items() if i[0][0] == namespace), key=_key)
        return sorted(found.items(), key=_key)

    def resources(self) -> list[str]:
        """The store keys that hold objects."""
        return [r for r, found in self._objects.items() if found]

    def put(self, resource: str, namespace: str, name: str, obj: Json) -> Json:
        """Stores `obj` (its metadata gets the new resource version, in place) and tells the listeners."""
        self.rv += 1
        obj["metadata"]["resourceVersion"] = str(self.rv)
        place = self._objects.setdefault(resource, {})
        old = place.get((namespace, name))
        place[namespace, name] = obj
        self._pending.append((_PUT, (resource, namespace, name, self.rv, orjson.dumps(obj))))
        self._tell(Event(self.rv, "MODIFIED" if old else "ADDED", resource, namespace, name, old, obj))
        return obj

    def drop(self, resource: str, namespace: str, name: str) -> Json | None:
        """Removes an object; returns its last state with the resource version of the deletion."""
        old = self._objects.get(resource, {}).pop((namespace, name), None)
        if old is None:
            return None
        self.rv += 1
        new = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.rv)}}
        self._pending.append((_DROP, (resource, namespace, name)))
        self._tell(Event(self.rv, "DELETED", resource, namespace, name, old, new))
        return new

    def _tell(self, event: Event) -> None:
        if len(self._events) == KEPT_EVENTS:
            self.oldest = self._events[0].rv
        self._events.append(event)
        for listener in tuple(self._listeners):
            listener(event)

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `listener` for each change from now on; the returned function ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def since(self, rv: int) -> Iterator[Event]:
        """The kept changes after `rv`; ask `oldest` first whether all of them are kept."""
        return (e for e in tuple(self._events) if e.rv > rv)

    def as_of(self, resource: str, namespace: str, rv: int) -> list[tuple[Key, Json]]:
        """`items` as they were at `rv`; ask `oldest` first whether that is still known."""
        found = dict(self.items(resource, namespace))
        for event in reversed(self._events):
            if event.rv <= rv:
                break
            if event.resource != resource or namespace not in ("", event.namespace):
                continue
            if event.old is None:
                found.pop((event.namespace, event.name), None)
            else:
                found[event.namespace, event.name] = event.old
        return sorted(found.items(), key=_key)

    async def flushed(self) -> None:
        """Returns when everything written so far is committed. Raises sqlite3.Error when it cannot be."""
        if not self._pending:
            if self._writing is not None:
                await asyncio.shield(self._writing)
            return
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        mine = self._next
        if self._writing is None:
            self._start()
        await asyncio.shield(mine)

    def _start(self) -> None:
        """Hands everything that waits to the writer thread."""
        batch, self._pending = self._pending, []
        self._sent = batch
        self._writing, self._next = self._next, None
        work = asyncio.get_running_loop().run_in_executor(self._writer, self._write, batch, self.rv)
        work.add_done_callback(self._finish)

    def _finish(self, work: asyncio.Future[None]) -> None:
        waiting, self._writing = self._writing, None
        failure = work.exception()
        if failure is not None:
            self._undo(self._sent + self._pending)
            after, self._next = self._next, None
            for future in (waiting, after):
                if future is not None and not future.done():
                    future.set_exception(failure)
                    future.exception()  # Nobody may be waiting any more.
            return
        self._sent = []
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        if self._next is not None:
            self._start()

    def _undo(self, changes: list[tuple[str, tuple[Any, ...]]]) -> None:
        """Brings what `changes` touched back to what is on disk, and tells the listeners."""
        self._sent, self._pending = [], []
        touched = dict.fromkeys((values[0], values[1], values[2]) for _, values in changes)
        self.lost.update(e.rv for e in self._events if e.rv > self._written)
        for resource, namespace, name in touched:
            place = self._objects.setdefault(resource, {})
            now = place.pop((namespace, name), None)
            row = self._db.execute(_GET, (resource, namespace, name)).fetchone()
            self.rv += 1
            if row is not None:
                kept = place[namespace, name] = orjson.loads(row[0])
                what = "MODIFIED" if now is not None else "ADDED"
                self._tell(Event(self.rv, what, resource, namespace, name, now, kept))
            elif now is not None:
                gone = {**now, "metadata": {**now["metadata"], "resourceVersion": str(self.rv)}}
                self._tell(Event(self.rv, "DELETED", resource, namespace, name, now, gone))
        self._written = self.rv

    def _write(self, batch: list[tuple[str, tuple[Any, ...]]], rv: int) -> None:
        self._db.execute("BEGIN")
        try:
            for statement, values in batch:
                self._db.execute(statement, values)
            self._db.execute(_RV, (rv,))
            self._db.execute("COMMIT")
            self._written = rv
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Writes what waits and closes the file."""
        self._writer.shutdown(wait=True)
        with contextlib.suppress(sqlite3.Error):
            # Nobody was told that these are kept; a full disk does not keep the server from ending.
            if self._pending:
                self._write(self._pending, self.rv)
        self._pending = []
        self._db.close()


def _key(item: tuple[Key, Json]) -> Key:
    return item[0]
