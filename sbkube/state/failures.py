"""Every foreign exception of the database, in one table: what it means and the way out."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from sbkube.errors import StateError, StateNotWritable

# SQLite's result code names (https://www.sqlite.org/rescode.html), longest prefix first.
SQLITE_FAILURES: tuple[tuple[str, str, str], ...] = (
    ("SQLITE_FULL", "the disk is full", "free some space, or move the state with --state-url"),
    ("SQLITE_BUSY", "another process kept the database locked", "try again when it has finished"),
    ("SQLITE_LOCKED", "another process kept the database locked", "try again when it has finished"),
    ("SQLITE_READONLY", "the database is read-only", "make the file and its folder writable for you"),
    ("SQLITE_PERM", "the database is not accessible", "make the file and its folder writable for you"),
    (
        "SQLITE_CANTOPEN",
        "the database cannot be opened",
        "look whether the file and its folder exist and are yours",
    ),
    ("SQLITE_IOERR", "the disk failed while the database was used", "look at the disk and its free space"),
    (
        "SQLITE_CORRUPT",
        "the database is damaged",
        "restore a backup copy, or start anew and run `sbkube state rebuild`",
    ),
    ("SQLITE_NOTADB", "the file is not a database", "name another file with --state-url"),
)
OS_FAILURES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "free some space, or move the state with --state-url"),
    errno.EDQUOT: ("your disk quota is used up", "free some space, or move the state with --state-url"),
    errno.EROFS: ("the file system is read-only", "name a writable place with --state-url"),
    errno.EACCES: (
        "the folder is not writable",
        "make it writable for you, or name another place with --state-url",
    ),
    errno.EPERM: (
        "the folder is not writable",
        "make it writable for you, or name another place with --state-url",
    ),
    errno.ENOTDIR: ("a file stands where a folder should be", "name another place with --state-url"),
}


def explain(error: exc.SQLAlchemyError | OSError, place: str) -> StateError:
    """Our error for a foreign one; `place` is the file or the URL without password."""
    if isinstance(error, OSError):
        code = error.errno or 0
        reason, hint = OS_FAILURES.get(code, (error.strerror or str(error), "name another place with --state-url"))
        return StateNotWritable(f"cannot use the state database: {reason}", subject=place, hint=hint)
    if isinstance(error, exc.IntegrityError):
        return StateError(f"the state database refuses a row: {_first_line(error)}", subject=place)
    original = getattr(error, "orig", None)
    name = getattr(original, "sqlite_errorname", "") or ""
    for prefix, reason, hint in SQLITE_FAILURES:
        if name.startswith(prefix):
            return StateNotWritable(f"cannot use the state database: {reason}", subject=place, hint=hint)
    return StateNotWritable(
        f"cannot use the state database: {_first_line(error)}",
        subject=place,
        hint="look whether it is there, reachable and upgraded (`sbkube state upgrade`)",
    )


def _first_line(error: exc.SQLAlchemyError) -> str:
    original = getattr(error, "orig", None) or error
    lines = str(original).strip().splitlines()
    return lines[0] if lines else type(original).__name__


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Let no exception of the database or its files out."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise explain(error, place) from error
    except OSError as error:
        raise explain(error, place) from error
