"""Opening the database: where it is, who may read it, and how SQLite must behave.

SQLite runs in WAL mode with `synchronous=FULL` (a committed intent survives a power cut), enforced foreign keys
and a busy timeout of ten seconds; writers take the write lock at once (`BEGIN IMMEDIATE`), so that two processes
wait for each other instead of failing half-way.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import QueuePool

from sbkube.errors import StateError, StateNotWritable, ToolMissing
from sbkube.state.failures import translated

URL_VARIABLE = "SBKUBE_STATE_URL"
BUSY_SECONDS = 10.0
STARTING_SECONDS = 10.0
_STARTING = re.compile(r"database system is (starting up|in recovery mode|not yet accepting|not accepting)")
READ_ONLY = "sbkube_read_only"
_WAIT_FOR_DISK = (
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)


@dataclass(frozen=True, slots=True)
class Location:
    """A database: a SQLite file or the URL of something else. `str()` never shows a password."""

    url: URL
    file: Path | None

    def __str__(self) -> str:
        if self.file:
            return str(self.file)
        shown = {name: "***" if "pass" in name else value for name, value in self.url.query.items()}
        return self.url.set(query=shown).render_as_string(hide_password=True)


def locate(path_or_url: str | Path | None, environ: Mapping[str, str]) -> Location:
    """None is `SBKUBE_STATE_URL`, else `~/.sbkube/deployments.db`; a path is SQLite; a URL is what it says."""
    chosen = path_or_url or environ.get(URL_VARIABLE) or Path.home() / ".sbkube" / "deployments.db"
    if isinstance(chosen, str) and "://" in chosen:
        try:
            url = make_url(chosen)
        except (exc.ArgumentError, ValueError):  # what they say may hold a part of a password
            hint = "like postgresql://user@host:5432/name; in a password write @ as %40 and : as %3A"
            raise StateError("the state URL cannot be read", hint=hint) from None
        if url.get_backend_name() != "sqlite":
            return Location(_with_driver(url), None)
        chosen = url.database or ""
    if str(chosen) in ("", ":memory:"):
        raise StateError("the state needs a file", hint="name one with --state-url")
    file = Path(chosen).expanduser().absolute()
    return Location(URL.create("sqlite", database=str(file)), file)


def _with_driver(url: URL) -> URL:
    """`postgresql://` and `postgres://` mean psycopg 3."""
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise StateError(f"{url.drivername} is no state database", hint="use a SQLite file or postgresql://…")
    return url.set(drivername="postgresql+psycopg")


def connect(location: Location) -> Engine:
    """An engine for the location; nothing is created except the folder and the file of a SQLite database."""
    if location.file is not None:
        with translated(str(location)):
            prepare_file(location.file)
        engine = create_engine(location.url, creator=_opener(location.file), poolclass=QueuePool)
        event.listen(engine, "begin", _begin)
        return engine
    try:
        # Prepared statements belong to a session, which a pooler in transaction mode does not keep for us.
        engine = create_engine(location.url, pool_pre_ping=True, connect_args={"prepare_threshold": None})
    except ImportError as error:  # also of a psycopg that finds no libpq
        raise ToolMissing("PostgreSQL needs psycopg", hint="pip install 'sbkube[postgres]'") from error
    event.listen(engine, "begin", _durable)
    event.listen(engine, "do_connect", _patiently)
    return engine


def _patiently(dialect: Any, record: Any, args: Any, words: Any) -> Any:
    """A server that is just starting, or recovers from a crash, is waited for."""
    deadline = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            return dialect.connect(*args, **words)
        except dialect.loaded_dbapi.OperationalError as error:
            if not _STARTING.search(str(error)) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def prepare_file(file: Path) -> None:
    """Create missing parents 0700 and the file 0600; a file that others can read is closed to them.

    One that is there is not opened: closing any descriptor of it would drop the locks that SQLite holds on it for
    other connections of this process (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    missing = [folder for folder in (file.parent, *file.parent.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    if not os.access(file, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
    if os.name == "posix" and file.stat().st_mode & 0o077:
        file.chmod(0o600)


def _opener(file: Path) -> object:
    """`mode=rw` so that a deleted file is an error and not silently a new, empty database."""
    name = f"file:{quote(str(file))}?mode=rw"

    def open_connection() -> sqlite3.Connection:
        conn = sqlite3.connect(name, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        conn.execute("PRAGMA foreign_keys=ON")
        conn.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
        _use_wal(conn)
        conn.execute("PRAGMA synchronous=FULL")
        return conn

    return open_connection


def _use_wal(conn: sqlite3.Connection) -> None:
    """The switch to WAL does not wait for other processes by itself, so it is asked for until it is done."""
    deadline = time.monotonic() + BUSY_SECONDS
    while conn.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            conn.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin(conn: Connection) -> None:
    """Take the write lock at once, except for readers."""
    read_only = conn.get_execution_options().get(READ_ONLY, False)
    conn.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _durable(conn: Connection) -> None:
    """A committed intent survives a crash of the server, even where its default is not to wait for the disk. What
    is stricter than `on` (remote_apply) stays."""
    if not conn.get_execution_options().get(READ_ONLY, False):
        conn.exec_driver_sql(_WAIT_FOR_DISK)


def read_only(conn: Connection) -> Connection:
    """Before its first statement: make a connection see one consistent state, and take no write lock."""
    if conn.dialect.name == "postgresql":
        return conn.execution_options(isolation_level="REPEATABLE READ", **{READ_ONLY: True})
    return conn.execution_options(**{READ_ONLY: True})


class FileGuard:
    """Tells when the SQLite file was deleted or replaced: the open connection would not notice."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._identity = self._look() if file else None

    def check(self) -> None:
        """Raise StateNotWritable unless the path still names the file that was opened."""
        if self._file is not None and self._look() != self._identity:
            raise StateNotWritable(
                "the state database was deleted or replaced while it was in use",
                subject=str(self._file),
                hint="put the file back, or start anew and run `sbkube state rebuild`",
            )

    def _look(self) -> tuple[int, int] | None:
        assert self._file is not None
        try:
            found = self._file.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino)
