"""Which deployments have been rolled back, and by which.

This is derived, not stored: a rollback is a deployment of its own that points at the first one it undoes, and the
rows of the past stay as they were closed. A rollback that was itself rolled back undoes nothing any more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
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


def undone_by(conn: Connection, found: Sequence[Any], spans: Spans | None = None) -> dict[int, str]:
    """Key of a deployment → public id of the rollback that undid all of it; `found` are rows of `deployments`.

    `spans` are those of all rollbacks, for whoever asks several times.
    """
    if not found:
        return {}
    if spans is None:
        spans = Spans(_effective(conn, min(int(row.id) for row in found)))
    result = {}
    for row in filter(_changed, found):
        rollback = next((one for one in spans.over(row) if _whole(conn, one, row)), None)
        if rollback is not None:
            result[int(row.id)] = rollback.name
    return result


def resumed_by(conn: Connection, found: Sequence[Any]) -> dict[str, str]:
    """Public id of a deployment → that of the newest that went on with it; `found` are rows of `deployments`."""
    c = deployments.c
    result: dict[str, str] = {}
    for part in batches(row.deployment_id for row in found):
        query = select(c.parent, c.deployment_id).where(c.command == RESUME, c.parent.in_(part)).order_by(c.id)
        result |= {row.parent: row.deployment_id for row in conn.execute(query)}
    return result


def all_spans(conn: Connection) -> Spans:
    """Everything that has been undone."""
    return Spans(_effective(conn, 0))


class Spans:
    """Effective rollbacks by target: of everything, which never overlap (the newer one would have undone the
    older), and of some apps, which do."""

    def __init__(self, rollbacks: Sequence[_Rollback]) -> None:
        """`rollbacks` come newest first."""
        self._whole: dict[Target, list[_Rollback]] = defaultdict(list)
        self._of_some: dict[Target, list[_Rollback]] = defaultdict(list)
        for rollback in reversed(rollbacks):
            (self._of_some if rollback.restricted else self._whole)[rollback.target].append(rollback)

    def __bool__(self) -> bool:
        return bool(self._whole or self._of_some)

    def over(self, row: Any) -> Iterator[_Rollback]:
        """The rollbacks that a deployment lies in."""
        for found, reach in ((self._whole, 1), (self._of_some, None)):
            own = found.get(_target(row), [])
            at = bisect_right(own, int(row.id), key=lambda rollback: rollback.key)
            yield from (one for one in own[at : at + reach if reach else None] if one.covers(row))


def _effective(conn: Connection, after: int) -> list[_Rollback]:
    """Rollbacks newer than a key that are not undone themselves, newest first."""
    c = deployments.c
    columns = (c.id, c.deployment_id, c.parent, c.project, c.cluster_uid, c.namespace, c.command, c.status)
    query = select(*columns, c.command_args).where(c.purpose == ROLLBACK, c.parent.is_not(None))
    query = query.order_by(c.id.desc())
    rows = {row.deployment_id: row for row in conn.execute(query.where(c.id > after))}
    bases = dict(rows)  # and what the resumed ones went on with, however old
    while resumed := {r.parent for r in bases.values() if r.command == RESUME} - bases.keys():
        older = [
            r for part in batches(sorted(resumed)) for r in conn.execute(query.where(c.deployment_id.in_(part)))
        ]
        if not older:
            break
        bases |= {row.deployment_id: row for row in older}
    starts: dict[str, int] = {}
    for part in batches(row.parent for row in bases.values()):
        found = conn.execute(select(c.deployment_id, c.id).where(c.deployment_id.in_(part)))
        starts |= {row.deployment_id: row.id for row in found}
    effective: list[_Rollback] = []
    over: dict[Target, list[_Rollback]] = {}
    for row in rows.values():
        if row.status != DeploymentStatus.SUCCESS.value:
            continue
        own, base = {int(row.id)}, row
        while base.command == RESUME and base.parent in bases:
            base = bases[base.parent]
            own.add(int(base.id))
        first = starts.get(base.parent)
        if first is None or any(one.covers(row) and _whole(conn, one, row) for one in over.get(_target(row), ())):
            continue
        args = base.command_args or {}
        restricted = bool(args.get("apps")) or (args.get("scope") or "all") != "all"
        one = _Rollback(row.id, row.deployment_id, _target(row), first, restricted, frozenset(own))
        effective.append(one)
        # Of those of everything the newest reaches over all that an older one could; those of some apps add up.
        over[one.target] = [o for o in over.get(one.target, ()) if o.restricted or restricted] + [one]
    return effective


def _target(row: Any) -> Target:
    return (row.project, row.cluster_uid, row.namespace)


def _changed(row: Any) -> bool:
    return any((row.counts or {}).get(name) for name in ("create", "change", "recreate", "delete", "releases"))


def _whole(conn: Connection, rollback: _Rollback, row: Any) -> bool:
    """A rollback of some apps undoes a deployment in which no other app took part."""
    if not rollback.restricted:
        return True
    c = app_deployments.c
    begun = c.status != DeploymentStatus.PENDING.value
    took_part = set(conn.execute(select(c.app_name).where(c.deployment_id == row.id, begun)).scalars())
    undone = set(conn.execute(select(c.app_name).where(c.deployment_id == rollback.key)).scalars())
    return took_part <= undone
