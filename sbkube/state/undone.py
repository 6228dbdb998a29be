"""Which deployments have been rolled back, and by which.

This is derived, not stored: a rollback is a deployment of its own that points at the first one it undoes, and the
rows of the past stay as they were closed. A rollback that was itself rolled back undoes nothing any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from sbkube.models.deployment_state import RESUME, DeploymentStatus
from sbkube.state.blobs import batches
from sbkube.state.tables import app_deployments, deployments

ROLLBACK = "rollback"
Target = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Rollback:
    """A rollback that succeeded: it undoes the deployments of its target from `first` to before `key`, but for
    itself (`own`): what it goes on with, where it was resumed."""

    key: int
    name: str
    target: Target
    first: int
    restricted: bool
    own: frozenset[int]

    def covers(self, row: Any) -> bool:
        within = self.first <= int(row.id) < self.key and int(row.id) not in self.own
        return within and self.target == _target(row)


def undone_by(conn: Connection, found: Sequence[Any]) -> dict[int, str]:
    """Key of a deployment → public id of the rollback that undid all of it; `found` are rows of `deployments`."""
    rollbacks = _effective(conn) if found else []
    result = {}
    for row in found:
        for rollback in rollbacks:
            if rollback.covers(row) and _changed(row) and _whole(conn, rollback, row):
                result[int(row.id)] = rollback.name
                break
    return result


def resumed_by(conn: Connection, found: Sequence[Any]) -> dict[str, str]:
    """Public id of a deployment → that of the newest that went on with it; `found` are rows of `deployments`."""
    c = deployments.c
    result: dict[str, str] = {}
    for part in batches(row.deployment_id for row in found):
        query = select(c.parent, c.deployment_id).where(c.command == RESUME, c.parent.in_(part)).order_by(c.id)
        result |= {row.parent: row.deployment_id for row in conn.execute(query)}
    return result


def _effective(conn: Connection) -> list[_Rollback]:
    """Rollbacks that are not undone themselves, newest first."""
    c = deployments.c
    columns = (c.id, c.deployment_id, c.parent, c.project, c.cluster_uid, c.namespace, c.command, c.status)
    query = select(*columns, c.command_args).where(c.purpose == ROLLBACK, c.parent.is_not(None))
    rows = {row.deployment_id: row for row in conn.execute(query.order_by(c.id.desc()))}
    starts: dict[str, int] = {}
    for part in batches(row.parent for row in rows.values()):
        found = conn.execute(select(c.deployment_id, c.id).where(c.deployment_id.in_(part)))
        starts |= {row.deployment_id: row.id for row in found}
    effective: list[_Rollback] = []
    for row in rows.values():
        if row.status != DeploymentStatus.SUCCESS.value:
            continue
        own, base = {int(row.id)}, row
        while base.command == RESUME and base.parent in rows:
            base = rows[base.parent]
            own.add(int(base.id))
        first = starts.get(base.parent)
        if first is None or any(known.covers(row) for known in effective):
            continue
        args = base.command_args or {}
        restricted = bool(args.get("apps")) or args.get("scope") == "app"
        effective.append(_Rollback(row.id, row.deployment_id, _target(row), first, restricted, frozenset(own)))
    return effective


def _target(row: Any) -> Target:
    return (row.project, row.cluster_uid, row.namespace)


def _changed(row: Any) -> bool:
    return any((row.counts or {}).get(name) for name in ("create", "change", "recreate", "delete"))


def _whole(conn: Connection, rollback: _Rollback, row: Any) -> bool:
    """A rollback of some apps undoes a deployment in which no other app took part."""
    if not rollback.restricted:
        return True
    c = app_deployments.c
    begun = c.status != DeploymentStatus.PENDING.value
    took_part = set(conn.execute(select(c.app_name).where(c.deployment_id == row.id, begun)).scalars())
    undone = set(conn.execute(select(c.app_name).where(c.deployment_id == rollback.key)).scalars())
    return took_part <= undone
