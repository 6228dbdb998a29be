"""Every column of every row of an ended deployment, changed by hand, is found; so is every row that is missing."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_plans import apply, config_map, install, installed, live, outcome, plan_of, secret

from sbkube.errors import StateError
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.outcome import Event, OpState
from sbkube.state import closings
from sbkube.state.database import DeploymentDatabase
from sbkube.state.tracker import DeploymentTracker
from sbkube.state.verify import verify

HISTORY = ("deployments", "app_deployments", "deployed_resources", "helm_releases", "events", "closings", "blobs")
FLAGS = frozenset({"dry_run", "sensitive"})
KEYS = frozenset({"id"})  # each database's own; what matters of them is their order, see below


def ended(tracker, target, create, *pairs, error=None):
    """A deployment of (operation, outcome) pairs, with an event."""
    ops = [op for op, _ in pairs]
    lock = tracker.acquire(target, "apply")
    journal = tracker.begin(create, plan_of(*ops), lock)
    journal.intend(ops)
    journal.settle([result for _, result in pairs])
    journal.event(
        Event("warning", lock.acquired, app=ops[0].app, subject="s", message="slow", data={"detail": "d"})
    )
    for app in dict.fromkeys(op.app for op in ops):
        journal.app_ended(app, DeploymentStatus.FAILED if error else DeploymentStatus.SUCCESS, error)
    journal.finish(error)
    tracker.release(lock)


@pytest.fixture
def history(file, target, create) -> Path:
    """A closed file with three deployments: objects, a Secret, a release, a failure."""
    tracker = DeploymentTracker(DeploymentDatabase(file))
    first, login, chart = config_map(value="1"), secret(), install()
    second, third = apply(config_map(value="2"), live(first)), apply(config_map(value="3"), live(first, "11"))
    ended(
        tracker,
        target,
        create,
        (apply(first), outcome(apply(first), live(first))),
        (apply(login), outcome(apply(login), live(login, uid="u-2"))),
        (chart, installed(chart, config_map("db"), 1, "raw")),
    )
    ended(tracker, target, create, (second, outcome(second, live(config_map(value="2"), "11"))))
    ended(tracker, target, create, (third, outcome(third, None, OpState.FAILED)), error="boom")
    assert tracker.verify().findings == ()
    tracker.close()
    with sqlite3.connect(file) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def findings(file: Path, *statements: tuple[str, tuple[Any, ...]]) -> list[str]:
    """What `verify` has to say of a copy of the file after statements that some other program ran."""
    copy = file.with_name("copy.db")
    for left in file.parent.glob("copy.db*"):
        left.unlink()
    shutil.copy(file, copy)
    shutil.copy(f"{file}.key", f"{copy}.key")
    conn = sqlite3.connect(copy, isolation_level=None)
    for statement, values in statements:
        conn.execute(statement, values)
    conn.close()
    tracker = DeploymentTracker(DeploymentDatabase(copy))
    try:
        return [
            f"{finding.subject}: {finding.message}" for finding in tracker.verify().findings if finding.serious
        ]
    finally:
        tracker.close()


class Undone(Exception):
    """Ends a transaction without a trace."""


def is_found(database: DeploymentDatabase, statement: str, *values: Any) -> bool:
    """Whether `verify` finds a change; nothing of it stays."""
    found = []
    with contextlib.suppress(Undone), database.writing() as conn:
        conn.exec_driver_sql(statement, values)
        found = [finding for finding in verify(conn, database.store).findings if finding.serious]
        raise Undone
    return bool(found)


REFERS = frozenset({"deployment_id", "app_deployment_id"})  # SQLite itself lets these name nothing else


@pytest.fixture
def opened(history: Path) -> Iterator[DeploymentDatabase]:
    database = DeploymentDatabase(history)
    yield database
    database.close()


def other(column: str, value: Any) -> Any:
    """Something else of the same kind, as near to the value as can be."""
    if column in FLAGS:
        return 1 - value
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, int):
        return value + 1
    return "x" if not value else value[:-1] + chr(ord(value[-1]) ^ 1)


def cells(file: Path) -> Iterator[tuple[str, str, int, Any]]:
    """(table, column, row, value) of everything that history consists of."""
    with sqlite3.connect(file) as conn:
        for table in HISTORY:
            found = conn.execute(f"SELECT rowid, * FROM {table}")
            names = [column[0] for column in found.description[1:]]
            for rowid, *values in found.fetchall():
                yield from ((table, *cell) for cell in zip(names, [rowid] * len(values), values, strict=True))


def test_every_change_of_a_value_is_found(history: Path, opened: DeploymentDatabase) -> None:
    tried, missed = 0, []
    for table, column, rowid, value in cells(history):
        if column in KEYS or (column in REFERS and isinstance(value, int)):
            continue
        tried += 1
        change = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
        if not is_found(opened, change, other(column, value), rowid):
            missed.append((table, column, rowid, value))
    assert missed == []
    assert tried > 300


def test_every_row_that_is_missing_or_there_twice_is_found(history: Path, opened: DeploymentDatabase) -> None:
    missed = []
    rows: dict[tuple[str, int], list[str]] = {}
    for table, column, rowid, _ in cells(history):
        rows.setdefault((table, rowid), []).append(column)
    for (table, rowid), columns in rows.items():
        if not is_found(opened, f"DELETE FROM {table} WHERE rowid = ?", rowid):
            missed.append(("delete", table, rowid))
        if table in ("deployments", "blobs"):
            continue  # their names are unique
        names = ", ".join(name for name in columns if name != "id")
        copy = f"INSERT INTO {table} ({names}) SELECT {names} FROM {table} WHERE rowid = ?"
        if not is_found(opened, copy, rowid):
            missed.append(("twice", table, rowid))
    assert missed == []


@pytest.mark.parametrize("table", ["deployments", "deployed_resources"])
def test_rows_that_exchanged_their_keys_are_found(history: Path, table: str) -> None:
    """What is newest is told by the keys, so their order is history too."""
    key, below = "id", ("app_deployments", "deployed_resources", "helm_releases", "events")
    a, b = (1, 2) if table == "deployments" else (1, 5)
    swap = [(f"UPDATE {table} SET {key} = ? WHERE {key} = ?", pair) for pair in ((-1, a), (a, b), (b, -1))]
    if table == "deployments":  # with everything below them, so that each stays complete
        for name in below:
            pairs = ((-1, a), (a, b), (b, -1))
            swap += [(f"UPDATE {name} SET deployment_id = ? WHERE deployment_id = ?", pair) for pair in pairs]
    assert any("does not stand where it stood" in text for text in findings(history, *swap))


def test_content_under_an_unknown_codec_is_not_believed(history: Path) -> None:
    with sqlite3.connect(history) as conn:
        (name,) = conn.execute("SELECT after_blob FROM deployed_resources WHERE sensitive = 0 LIMIT 1").fetchone()
        (forged,) = conn.execute("SELECT content FROM blobs WHERE digest != ? LIMIT 1", (name,)).fetchone()
    change = ("UPDATE blobs SET content = ?, codec = 'zstd2' WHERE digest = ?", (forged, name))
    assert any("altered" in text for text in findings(history, change))


@pytest.mark.parametrize("change", ["DROP TABLE alembic_version", "DELETE FROM alembic_version"])
def test_without_its_mark_a_history_is_not_taken_for_the_earlier_tools(history: Path, change: str) -> None:
    """Else all of it would be written anew, and proven anew."""
    with sqlite3.connect(history) as conn:
        conn.execute(change)
    before = history.read_bytes()
    with pytest.raises(StateError, match="lost the mark"):
        DeploymentDatabase(history)
    assert history.read_bytes() == before


def test_a_rollback_that_never_was_is_found(history: Path) -> None:
    (text,) = findings(history, ("UPDATE deployments SET status = 'rolled_back' WHERE id = 2", ()))
    assert text.endswith("its status was altered from success to rolled_back")


def test_a_rollback_that_was_noted_is_part_of_history(tracker, create) -> None:
    with tracker.track_deployment(create) as handle:
        pass
    tracker.database.update_deployment_status(handle.deployment_id, "rolled_back")
    assert tracker.verify().findings == ()
    with tracker.database.writing() as conn:
        conn.exec_driver_sql("UPDATE deployments SET status = 'success'")
    (finding,) = tracker.verify().findings
    assert finding.message == "its status was altered from rolled_back to success"


def test_a_closing_that_names_another_key_is_found(history: Path) -> None:
    assert findings(history, ("UPDATE closings SET key_id = 'aaaaaaaaaaaaaaaa' WHERE id = 3", ()))


def test_what_cannot_be_read_is_a_finding_and_no_crash(history: Path) -> None:
    for table, column in (("deployments", "created_at"), ("events", "created_at"), ("closings", "closed_at")):
        assert findings(history, (f"UPDATE {table} SET {column} = 'yesterday'", ()))
    for table, column in (("deployments", "origin"), ("deployments", "counts"), ("app_deployments", "sources")):
        assert findings(history, (f"UPDATE {table} SET {column} = '[['", ()))
    assert findings(history, ("UPDATE blobs SET content = x''", ()))


@pytest.mark.parametrize("table", ["app_deployments", "deployed_resources", "events"])
def test_a_row_that_was_given_to_another_deployment_is_found(opened: DeploymentDatabase, table: str) -> None:
    assert is_found(opened, f"UPDATE {table} SET deployment_id = 2 WHERE id = 1")


def test_a_clock_that_was_set_back_is_no_tampering(opened: DeploymentDatabase) -> None:
    """Times contradict the keys, but the chain of closings does not."""
    with opened.writing() as conn:
        for key, day in ((1, "09"), (2, "05"), (3, "01")):
            times = (f"2026-01-{day}T01:00:00.000000Z", f"2026-01-{day}T02:00:00.000000Z", key)
            conn.exec_driver_sql("UPDATE deployments SET created_at = ?, ended_at = ? WHERE id = ?", times)
            closings.close(conn, key, opened.key)
        assert verify(conn, opened.store).findings == ()
