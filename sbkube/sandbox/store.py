"""Where the objects are: an index in memory, every change in SQLite before it counts as done.

The file is a log of revisions, as etcd keeps them: one row per write, of which the newest of each object is its
present state, and the last `KEPT` are the past that watches and lists of older versions are served from, also
after a restart. What is older is compacted away.

Changes are visible at once. All that one turn of the event loop has made are committed in one transaction when it
ends (group commit), by the loop itself: handing them to a thread costs more than writing them. `flushed()` waits
until everything written so far is in the file, and only then a request is answered. When the disk is full, the
changes that waited are undone and their writers told.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]
Key = tuple[str, str]
Statement = tuple[str, tuple[Any, ...]]
KEPT = 10_000

_TABLES = """
CREATE TABLE IF NOT EXISTS revisions (
    rv INTEGER PRIMARY KEY, what TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_PUT = "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?)"
_DROP = "DELETE FROM revisions WHERE rv = ?"
_COMPACTED = "INSERT OR REPLACE INTO meta VALUES ('compacted', ?)"
_FIRST = 1000


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


@dataclass(slots=True)
class Revision:
    """One row: a change with the object after it as JSON. `before` is the revision that it replaced."""

    rv: int
    what: str
    resource: str
    namespace: str
    name: str
    body: bytes
    before: Revision | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Which object."""
        return (self.resource, self.namespace, self.name)

    def statement(self) -> Statement:
        """What writes it."""
        return _PUT, (self.rv, self.what, self.resource, self.namespace, self.name, self.body)

    def event(self) -> Event:
        """As a change with objects."""
        before = self.before
        old = None if before is None or before.what == "DELETED" else orjson.loads(before.body)
        new = orjson.loads(self.body)
        return Event(self.rv, self.what, self.resource, self.namespace, self.name, old, new)


class Store:
    """All objects, by store key (`deployments.apps`) and (namespace, name). Stored dicts must never be changed."""

    def __init__(self, path: Path, kept: int = KEPT) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES)
        self._kept = kept
        self._objects: dict[str, dict[Key, Json]] = {}
        self._newest: dict[tuple[str, str, str], Revision] = {}
        self._past: deque[Revision] = deque()
        self._listeners: list[Callable[[Event], None]] = []
        self._pending: list[Statement] = []
        self._commit: asyncio.Future[None] | None = None
        self.lost: set[int] = set()
        self.rv = self.oldest = _FIRST
        self._load()
        self._written = self.rv

    def _load(self) -> None:
        row = self._db.execute("SELECT value FROM meta WHERE key = 'compacted'").fetchone()
        self.rv = self.oldest = int(row[0]) if row else _FIRST
        stale = []  # left behind where a compaction did not reach the disk
        for values in self._db.execute("SELECT * FROM revisions ORDER BY rv"):
            made = Revision(*values)
            before = self._newest.get(made.key)
            self._newest[made.key] = made
            if made.rv > self.oldest:
                made.before = before
                self._past.append(made)
                self.rv = made.rv
            elif before is not None:
                stale.append((before.rv,))
        self._db.executemany(_DROP, stale)
        for key, made in self._newest.items():
            if made.what != "DELETED":
                self._objects.setdefault(key[0], {})[key[1], key[2]] = orjson.loads(made.body)

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
        self._keep(Event(self.rv, "MODIFIED" if old else "ADDED", resource, namespace, name, old, obj))
        return obj

    def drop(self, resource: str, namespace: str, name: str) -> Json | None:
        """Removes an object; returns its last state with the resource version of the deletion."""
        old = self._objects.get(resource, {}).pop((namespace, name), None)
        if old is None:
            return None
        self.rv += 1
        new = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.rv)}}
        self._keep(Event(self.rv, "DELETED", resource, namespace, name, old, new))
        return new

    def _keep(self, event: Event) -> None:
        """Takes a change into the past and on its way to the disk, and tells the listeners."""
        key = (event.resource, event.namespace, event.name)
        # Copied, because the buffer that orjson gives away is several times as large as what is in it.
        body = bytes(memoryview(orjson.dumps(event.new)))
        made = Revision(event.rv, event.what, *key, body, self._newest.get(key))
        self._newest[key] = made
        self._past.append(made)
        self._pending.append(made.statement())
        if len(self._past) > self._kept * 1.1:
            self._compact(len(self._past) - self._kept)
        self._tell(event)

    def _compact(self, count: int) -> None:
        """Forgets up to `count` of the oldest changes: versions before them can no longer be asked for."""
        oldest = self.oldest
        # What is not on disk yet may have to be undone, and stays.
        while count and self._past and self._past[0].rv <= self._written:
            count -= 1
            revision = self._past.popleft()
            before, revision.before = revision.before, None
            if before is not None:
                self._pending.append((_DROP, (before.rv,)))
            if revision.what == "DELETED":
                self._pending.append((_DROP, (revision.rv,)))
                if self._newest.get(revision.key) is revision:
                    del self._newest[revision.key]
            self.oldest = revision.rv
        if self.oldest != oldest:
            self._pending.append((_COMPACTED, (self.oldest,)))

    def forget(self) -> None:
        """Forgets all of the past, as a compaction would."""
        if self._past:
            self._compact(len(self._past))

    def _tell(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `listener` for each change from now on; the returned function ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def since(self, rv: int) -> Iterator[Event]:
        """The kept changes after `rv`; ask `oldest` first whether all of them are kept."""
        found = []
        for revision in reversed(self._past):
            if revision.rv <= rv:
                break
            found.append(revision)
        return (revision.event() for revision in reversed(found))

    def as_of(self, resource: str, namespace: str, rv: int) -> list[tuple[Key, Json]]:
        """`items` as they were at `rv`; ask `oldest` first whether that is still known."""
        found = dict(self.items(resource, namespace))
        for revision in reversed(self._past):
            if revision.rv <= rv:
                break
            if revision.resource != resource or namespace not in ("", revision.namespace):
                continue
            old = revision.event().old
            if old is None:
                found.pop((revision.namespace, revision.name), None)
            else:
                found[revision.namespace, revision.name] = old
        return sorted(found.items(), key=_key)

    async def flushed(self) -> None:
        """Returns when everything written so far is committed. Raises sqlite3.Error when it cannot be."""
        if not self._pending:
            return
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_soon(self._flush)
        await asyncio.shield(self._commit)

    def _flush(self) -> None:
        """Commits what waits, and tells those who wait for it."""
        commit, self._commit = self._commit, None
        batch, self._pending = self._pending, []
        try:
            self._write(batch, self.rv)
        except sqlite3.Error as error:
            self._undo()
            if commit is not None:
                commit.set_exception(error)
                commit.exception()  # Nobody may be waiting any more.
        else:
            if commit is not None:
                commit.set_result(None)

    def _undo(self) -> None:
        """Brings everything that did not reach the disk back to what is there, and tells the listeners."""
        self._pending = []
        first: dict[tuple[str, str, str], Revision] = {}
        while self._past and self._past[-1].rv > self._written:
            revision = self._past.pop()
            self.lost.add(revision.rv)
            first[revision.key] = revision
        for key, revision in reversed(first.items()):
            self._restore(key, revision.before)

    def _restore(self, key: tuple[str, str, str], before: Revision | None) -> None:
        """Makes `before` the present state again. Listeners hear of it under a version that is never stored."""
        place = self._objects.setdefault(key[0], {})
        now = place.pop(key[1:], None)
        self._newest.pop(key, None)
        if before is not None:
            self._newest[key] = before
        self.rv += 1
        if before is not None and before.what != "DELETED":
            kept = place[key[1], key[2]] = orjson.loads(before.body)
            self._tell(Event(self.rv, "MODIFIED" if now is not None else "ADDED", *key, now, kept))
        elif now is not None:
            gone = {**now, "metadata": {**now["metadata"], "resourceVersion": str(self.rv)}}
            self._tell(Event(self.rv, "DELETED", *key, now, gone))

    def _write(self, batch: list[Statement], rv: int) -> None:
        self._db.execute("BEGIN")
        try:
            for statement, values in batch:
                self._db.execute(statement, values)
            self._db.execute("COMMIT")
            self._written = rv
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Writes what waits and closes the file."""
        with contextlib.suppress(sqlite3.Error):
            # Nobody was told that these are kept; a full disk does not keep the server from ending.
            if self._pending:
                self._write(self._pending, self.rv)
        self._pending = []
        self._db.close()


def _key(item: tuple[Key, Json]) -> Key:
    return item[0]
