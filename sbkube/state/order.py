"""The order of history: integer keys are each database's own, but what is newest is told by them.

Keys are not hashed, so that histories can be merged. That they were exchanged shows all the same, where one
deployment had ended before the other began. A clock that was set back is told from that by the chain of closings,
which goes on in the true order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, func, select

from sbkube.models.plan import GIVEN_BACK, HELM
from sbkube.state.closings import CLOSING, ClosingRow
from sbkube.state.tables import deployed_resources, deployments, helm_releases

_MOVED = "it does not stand where it stood when it was recorded (in {})"


def moved(conn: Connection, rows: Sequence[ClosingRow]) -> Iterator[tuple[str, str]]:
    """(public id, what is wrong) of deployments, and of what is below them, that changed places."""
    first: dict[str, int] = {}
    for row in rows:
        if row.kind == CLOSING:
            first.setdefault(row.deployment_id, row.sequence)
    c = deployments.c
    columns = (c.id, c.deployment_id, c.created_at, c.ended_at, c.cluster_uid, c.project, c.namespace)
    by_target: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for deployment in conn.execute(select(*columns).order_by(c.id)):
        if deployment.deployment_id in first:
            target = (deployment.cluster_uid, deployment.project, deployment.namespace)
            by_target[target].append(deployment)
    for history in by_target.values():
        latest = history[0]
        for row in history:
            closed_before = first[row.deployment_id] < first[latest.deployment_id]
            if closed_before and _was_over(row, latest):
                yield row.deployment_id, _MOVED.format(deployments.name)
            latest = max(latest, row, key=lambda one: one.created_at)
    yield from _moved_below(conn, by_target.values())


def _was_over(one: Any, other: Any) -> bool:
    """The one had ended when the other began."""
    return one.ended_at is not None and bool(one.ended_at < other.created_at)


def _moved_below(conn: Connection, histories: Any) -> Iterator[tuple[str, str]]:
    """All rows of a deployment that was over come before those of the next; within one they keep the order of the
    plan."""
    names = {row.id: row.deployment_id for history in histories for row in history}
    for table in (deployed_resources, helm_releases):
        c = table.c
        spans = select(c.deployment_id, func.min(c.id), func.max(c.id)).group_by(c.deployment_id)
        found = {key: (low, high) for key, low, high in conn.execute(spans)}
        for history in histories:
            for one, other in pairwise(row for row in history if row.id in found):
                if _was_over(one, other) and found[one.id][1] > found[other.id][0]:
                    yield other.deployment_id, _MOVED.format(table.name)
        before = func.lag(c.position).over(partition_by=c.deployment_id, order_by=c.id).label("before")
        steps = select(c.deployment_id, c.position, before).where(c.verb.not_in((HELM, GIVEN_BACK))).subquery()
        for key in conn.execute(select(steps.c.deployment_id).where(steps.c.before > steps.c.position).distinct()):
            if key.deployment_id in names:
                yield names[key.deployment_id], _MOVED.format(table.name)
