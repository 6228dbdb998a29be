"""Ways to break the state database under a running command; called in its process, as a transaction begins.

Each gets SQLAlchemy's connection and whether this is the first of the broken transactions: once broken, always
broken.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_HELD: list[sqlite3.Connection] = []


def _file(conn: Any) -> Path:
    return Path(conn.engine.url.database)


def _wal(conn: Any) -> Path:
    return Path(f"{_file(conn)}-wal")


def full(conn: Any, _: bool) -> None:
    """SQLITE_FULL: not one page more."""
    pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
    conn.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def no_room(conn: Any, first: bool) -> None:
    """The system refuses to make the write-ahead log longer (EFBIG, as a quota would)."""
    if first:
        size = _wal(conn).stat().st_size if _wal(conn).exists() else 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(size, 200_000), resource.RLIM_INFINITY))


def read_only(conn: Any, _: bool) -> None:
    """SQLITE_READONLY."""
    conn.exec_driver_sql("PRAGMA query_only=1")


def locked(conn: Any, first: bool) -> None:
    """Somebody else writes and does not end."""
    if first:
        other = sqlite3.connect(_file(conn), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        _HELD.append(other)


def deleted(conn: Any, first: bool) -> None:
    """Somebody has deleted the file."""
    if first:
        _file(conn).unlink()


def corrupted(conn: Any, first: bool) -> None:
    """Somebody has written rubbish over the database and its write-ahead log."""
    if first:
        for file in (_file(conn), _wal(conn)):
            if file.exists():
                with file.open("r+b") as stream:
                    stream.write(b"\xa5" * file.stat().st_size)


def backend_killed(conn: Any, first: bool) -> None:
    """The PostgreSQL process that serves us dies; the server restarts itself."""
    if first:
        pid = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        os.kill(pid, signal.SIGKILL)


def server_stopped(conn: Any, first: bool) -> None:
    """The PostgreSQL server is stopped at once, and stays down."""
    if first:
        folder = conn.exec_driver_sql("SHOW data_directory").scalar()
        pid = int((Path(folder) / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)


BREAKAGES: Mapping[str, Callable[[Any, bool], None]] = {
    "full": full,
    "no room": no_room,
    "read only": read_only,
    "locked": locked,
    "deleted": deleted,
    "corrupted": corrupted,
    "backend killed": backend_killed,
    "server stopped": server_stopped,
}
