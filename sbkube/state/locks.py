"""The lock row: a lease with a fencing token, judged by the database's clock.

One row for each project, cluster and namespace; it stays when the lock is given up, so that tokens only grow. A
lock of a process of this machine that provably no longer runs may be taken over at once.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, select, update

from sbkube.errors import LockLost, StateLocked
from sbkube.models.deployment_state import LockInfo, LockTarget
from sbkube.state.rows import lock_info
from sbkube.state.tables import locks
from sbkube.state.writing import database_now, insert_new


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that wants a lock. `host_id` tells machines (and PID namespaces) apart that share a name."""

    user: str
    host: str
    host_id: str
    pid: int
    started: str


def this_process() -> Holder:
    """Who we are."""
    return Holder(_user(), socket.gethostname(), _host_id(), os.getpid(), process_start(os.getpid()))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


@cache
def _host_id() -> str:
    """Boot id and PID namespace, so that a PID found here is the PID that was written down; else empty."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:32]


def process_start(pid: int) -> str:
    """When a process of this machine started, in clock ticks since boot (proc(5), field 22); "" if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


def proof() -> str:
    """What identifies this process on this machine, to be left where others may find it."""
    who = this_process()
    return f"{who.host_id}:{who.started}" if who.host_id else ""


def is_dead(host: str, pid: str, left: str) -> bool:
    """Whether the process that left `proof()` was one of this very machine and no longer runs."""
    there, _, started = left.partition(":")
    here = _host_id()
    if not here or there != here or host != socket.gethostname() or not pid.isdigit():
        return False
    return process_start(int(pid)) != started


def provably_dead(row: Any) -> bool:
    """The holder was a process of this very machine, and that process no longer runs."""
    return is_dead(row.host, str(row.pid), f"{row.host_id}:{row.pid_started}")


def alive(row: Any, now: datetime) -> bool:
    """Held, not expired, and not by a process that is provably dead."""
    expires: datetime | None = row.expires_at
    return bool(row.holder) and expires is not None and expires > now and not provably_dead(row)


def acquire(conn: Connection, target: LockTarget, command: str, seconds: int) -> LockInfo:
    """Take the lock; raises StateLocked naming who has it."""
    insert_new(conn, locks, [_identity(target)])
    now = database_now(conn)
    row = _read(conn, target, for_update=True)
    if alive(row, now):
        raise _locked(row, now)
    who = this_process()
    values = {
        "holder": who.user,
        "host": who.host,
        "host_id": who.host_id,
        "pid": who.pid,
        "pid_started": who.started,
        "command": command,
        "acquired_at": now,
        "expires_at": now + timedelta(seconds=seconds),
        "token": row.token + 1,
    }
    conn.execute(update(locks).where(locks.c.id == row.id).values(**values))
    return lock_info(_read(conn, target))


def renew(conn: Connection, lock: LockInfo, seconds: int) -> LockInfo:
    """Move the expiry; raises LockLost when it is no longer ours or has expired."""
    check(conn, lock)
    expires = database_now(conn) + timedelta(seconds=seconds)
    conn.execute(update(locks).where(_ours(lock)).values(expires_at=expires))
    return lock_info(_read(conn, lock.target))


def release(conn: Connection, lock: LockInfo) -> None:
    """Give it up if it is still ours; the token stays."""
    conn.execute(update(locks).where(_ours(lock)).values(holder="", expires_at=None))


def check(conn: Connection, lock: LockInfo) -> None:
    """Raise LockLost unless the token is the newest one and has not expired by the database's clock."""
    query = select(locks.c.holder, locks.c.token, locks.c.expires_at).where(_at(lock.target)).with_for_update()
    row = conn.execute(query).first()
    if row is None or row.token != lock.token or not row.holder:
        raise LockLost("the deployment lock was taken by another run", hint="see `sbkube history`, then run again")
    if row.expires_at <= database_now(conn):
        raise LockLost("the deployment lock has expired", hint="see `sbkube history`, then run again")


def held_by(conn: Connection, target: LockTarget) -> tuple[int, LockInfo] | None:
    """(token, holder) of a lock that is alive, else None."""
    row = conn.execute(select(locks).where(_at(target))).first()
    return (row.token, lock_info(row)) if row is not None and alive(row, database_now(conn)) else None


def check_free(conn: Connection, target: LockTarget) -> None:
    """Raise StateLocked, naming the holder, while the lock is alive."""
    row = conn.execute(select(locks).where(_at(target))).first()
    now = database_now(conn)
    if row is not None and alive(row, now):
        raise _locked(row, now)


def break_lock(conn: Connection, target: LockTarget) -> None:
    """Take the lock from whoever has it: the token grows, so that its holder finds out before the next write."""
    change = update(locks).where(_at(target)).values(holder="", expires_at=None, token=locks.c.token + 1)
    conn.execute(change)


def _identity(target: LockTarget) -> dict[str, str]:
    return {"project": target.project, "cluster_uid": target.cluster_uid, "namespace": target.namespace}


def _at(target: LockTarget) -> Any:
    return and_(*(locks.c[name] == value for name, value in _identity(target).items()))


def _ours(lock: LockInfo) -> Any:
    return and_(_at(lock.target), locks.c.token == lock.token)


def _read(conn: Connection, target: LockTarget, *, for_update: bool = False) -> Any:
    query = select(locks).where(_at(target))
    return conn.execute(query.with_for_update() if for_update else query).one()


def _locked(row: Any, now: datetime) -> StateLocked:
    age = int((now - row.acquired_at).total_seconds())
    text = f"{row.holder} on {row.host} (pid {row.pid}) has been running `{row.command}` for {age} s"
    return StateLocked(
        text,
        subject=f"{row.project} in {row.namespace}",
        hint="wait with --wait-for-lock 5m, or take the lock with `sbkube recover --break-lock`",
    )
