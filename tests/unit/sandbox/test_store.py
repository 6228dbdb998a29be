"""What is answered is on disk; what is not on disk is not seen."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sbkube.sandbox.store import Event, Store

Json = dict[str, Any]
PLACE = ("configmaps", "default")


def config(text: str) -> Json:
    return {"metadata": {"name": "c"}, "data": {"text": text}}


def fill_disk(store: Store) -> None:
    """Lets the database not grow any more."""
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")


def test_objects_and_their_version_survive_a_restart(tmp_path: Path) -> None:
    async def write() -> int:
        store = Store(tmp_path / "store.db")
        store.put(*PLACE, "a", config("1"))
        store.put(*PLACE, "b", config("2"))
        store.drop(*PLACE, "a")
        await store.flushed()
        # Not closed: what was flushed has to be there whatever happens next.
        return store.rv

    version = asyncio.run(write())
    again = Store(tmp_path / "store.db")
    assert again.rv == version
    assert [name for (_, name), _ in again.items("configmaps")] == ["b"]
    again.close()


def test_the_past_survives_a_restart(tmp_path: Path) -> None:
    async def write() -> int:
        store = Store(tmp_path / "store.db")
        store.put(*PLACE, "a", config("1"))
        then = store.rv
        store.put(*PLACE, "a", config("2"))
        store.put(*PLACE, "b", config("1"))
        store.drop(*PLACE, "a")
        await store.flushed()
        return then

    then = asyncio.run(write())
    again = Store(tmp_path / "store.db")
    assert again.oldest < then
    events = [(e.what, e.name, (e.old or {}).get("data"), e.new["data"]) for e in again.since(then)]
    assert events == [
        ("MODIFIED", "a", {"text": "1"}, {"text": "2"}),
        ("ADDED", "b", None, {"text": "1"}),
        ("DELETED", "a", {"text": "2"}, {"text": "2"}),
    ]
    assert [name for (_, name), _ in again.as_of("configmaps", "default", then)] == ["a"]
    again.close()


def _rows(store: Store) -> int:
    (count,) = store._db.execute("SELECT count(*) FROM revisions").fetchone()
    return int(count)


def test_the_past_is_bounded(tmp_path: Path) -> None:
    async def write(store: Store) -> None:
        for number in range(200):
            store.put(*PLACE, f"c{number % 3}", config(str(number)))
            store.put(*PLACE, "gone", config("x"))
            store.drop(*PLACE, "gone")
            await store.flushed()

    store = Store(tmp_path / "store.db", kept=50)
    asyncio.run(write(store))
    assert store.rv - store.oldest <= 55
    # What stays is the past and the newest of each object.
    assert _rows(store) <= 55 + 3
    version, oldest = store.rv, store.oldest
    store.close()
    again = Store(tmp_path / "store.db", kept=50)
    assert (again.rv, again.oldest) == (version, oldest)
    assert {name: o["data"]["text"] for (_, name), o in again.items("configmaps")} == {
        "c0": "198",
        "c1": "199",
        "c2": "197",
    }
    assert len(list(again.since(oldest))) == version - oldest
    again.forget()
    assert again.oldest == version
    again.close()


def test_what_was_forgotten_after_its_deletion_keeps_the_version(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    store.put(*PLACE, "a", config("1"))
    store.drop(*PLACE, "a")
    asyncio.run(store.flushed())
    store.forget()
    version = store.rv
    store.close()
    again = Store(tmp_path / "store.db")
    assert (again.rv, _rows(again)) == (version, 0)
    again.close()


def test_concurrent_writes_share_commits(tmp_path: Path) -> None:
    async def write() -> int:
        store = Store(tmp_path / "store.db")
        commits = 0

        def count(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        store._db.set_trace_callback(count)

        async def one(number: int) -> None:
            store.put(*PLACE, f"c{number}", config("x"))
            await store.flushed()

        await asyncio.gather(*(one(n) for n in range(50)))
        store.close()
        return commits

    assert asyncio.run(write()) <= 3


def test_a_full_disk_undoes_what_it_did_not_take(tmp_path: Path) -> None:
    async def write() -> None:
        store = Store(tmp_path / "store.db")
        store.put(*PLACE, "kept", config("before"))
        store.put(*PLACE, "gone", config("before"))
        await store.flushed()
        heard: list[Event] = []
        store.listen(heard.append)
        fill_disk(store)
        store.put(*PLACE, "kept", config("after" * 10_000))
        store.put(*PLACE, "new", config("after" * 10_000))
        store.drop(*PLACE, "gone")
        lost = [e.rv for e in heard]
        with pytest.raises(sqlite3.Error):
            await store.flushed()
        assert {name: o["data"]["text"] for (_, name), o in store.items("configmaps")} == {
            "kept": "before",
            "gone": "before",
        }
        assert set(lost) <= store.lost
        assert {(e.what, e.name) for e in heard[3:]} == {
            ("MODIFIED", "kept"),
            ("DELETED", "new"),
            ("ADDED", "gone"),
        }
        store.put(*PLACE, "kept", config("small"))
        await store.flushed()
        store.close()

    asyncio.run(write())


def test_the_past_can_be_listed(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    store.put(*PLACE, "a", config("1"))
    store.put(*PLACE, "b", config("1"))
    then = store.rv
    store.put(*PLACE, "b", config("2"))
    store.put(*PLACE, "c", config("2"))
    store.drop(*PLACE, "a")
    found = {name: o["data"]["text"] for (_, name), o in store.as_of("configmaps", "default", then)}
    assert found == {"a": "1", "b": "1"}
    assert [e.what for e in store.since(then)] == ["MODIFIED", "ADDED", "DELETED"]
    store.close()
