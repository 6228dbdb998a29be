"""The few things that SQLite and PostgreSQL say differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import sqlite

SQLITE_NOW = text("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")
POSTGRES_NOW = text("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")


def database_now(conn: Connection) -> datetime:
    """The database's clock: the one that all who share it agree on. Aware UTC."""
    statement = POSTGRES_NOW if conn.dialect.name == "postgresql" else SQLITE_NOW
    return datetime.fromisoformat(conn.execute(statement).scalar_one())


def one_at_a_time(conn: Connection, name: str) -> None:
    """Until the transaction ends, nobody else gets past this with the same name. SQLite has one writer anyway."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def one_of_many(conn: Connection, name: str) -> None:
    """Until the transaction ends, nobody gets past `only_user` with the same name; others like us do."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))"), {"name": name})


def only_user(conn: Connection, name: str) -> None:
    """Wait for everybody who is past `one_of_many`, and keep others out until the transaction ends."""
    one_at_a_time(conn, name)


def insert_new(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows and leave alone those that are there already."""
    if not rows:
        return
    if conn.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # not needed by most, and slow to load

        conn.execute(postgresql.insert(table).on_conflict_do_nothing(), list(rows))
    else:
        conn.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))
