"""Laying the history of another database beside ours: each deployment once, in the order in which they began.

What both have is kept once, in its newer form. The order of integer keys is the order of time within a project on
a cluster (`latest`, inventory and rollback rely on it), so what is ours and newer moves behind what is inserted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select, update

from sbkube.errors import StateError, StateLocked
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.state import bundles, closings, locks
from sbkube.state.blobs import canonical
from sbkube.state.bundles import Bundle
from sbkube.state.closings import CLOSING
from sbkube.state.rows import lock_info
from sbkube.state.secrets import StateKey
from sbkube.state.tables import closings as closings_table
from sbkube.state.tables import deployments
from sbkube.state.tables import locks as locks_table
from sbkube.state.verify import pruned_ids
from sbkube.state.writing import database_now

Chain = tuple[str, str]


@dataclass
class Merged:
    """What became of the deployments of a file. `conflicts` are recorded differently in both; ours was kept."""

    added: int = 0
    replaced: int = 0
    known: int = 0
    pruned: int = 0
    conflicts: list[str] = field(default_factory=list)


class Merger:
    """Merges bundles, which must come in the order in which they began, into a database, in one transaction."""

    def __init__(self, conn: Connection, key: StateKey | None, incoming: Sequence[Mapping[str, Any]]) -> None:
        """`incoming` are the closings of the file."""
        self.conn = conn
        self.key = key
        self.result = Merged()
        self._incoming = [bundles.typed(closings_table, row) for row in incoming]
        self._their_digests = _digests(self._incoming)
        rows = conn.execute(select(closings_table).order_by(closings_table.c.sequence)).all()
        self._our_digests = _digests([row._asdict() for row in rows])
        self._known = {row.hash for row in rows}
        self._pruned, _ = pruned_ids(conn, rows)
        self._tips: dict[Chain, str] = {}
        self._later: dict[Chain, list[tuple[datetime, int]]] = {}
        self._moving: set[Chain] = set()

    def add(self, bundle: Bundle) -> None:
        """Insert, replace or leave out one deployment."""
        values = bundles.typed(deployments, bundle["deployment"])
        name = values["deployment_id"]
        ours = self.conn.execute(select(deployments).where(deployments.c.deployment_id == name)).first()
        if ours is None and name in self._pruned:
            self.result.pruned += 1
        elif ours is None:
            self._insert(bundle, values)
            self.result.added += 1
        elif self._is_newer(name, ours):
            bundles.drop(self.conn, ours.id)
            self._insert(bundle, values)
            self.result.replaced += 1
        else:
            self._keep(ours, values)
            self.result.known += 1

    def _is_newer(self, name: str, ours: Any) -> bool:
        """The file's form of a deployment that both have is newer than ours."""
        theirs, own = self._their_digests[name], self._our_digests[name]
        if not theirs:
            return False
        if not own:
            return True
        if theirs[-1] in own or theirs[-1] == self._digest(ours.id):
            return False
        if own[-1] in theirs:
            return True
        self.result.conflicts.append(name)
        return False

    def _keep(self, ours: Any, values: Mapping[str, Any]) -> None:
        """Ours stays; that it was rolled back later is taken over."""
        rolled = DeploymentStatus.ROLLED_BACK.value
        if values["status"] == rolled != ours.status and ours.status in _ENDED:
            self.conn.execute(update(deployments).where(deployments.c.id == ours.id).values(status=rolled))

    def _insert(self, bundle: Bundle, values: Mapping[str, Any]) -> None:
        chain = (values.get("cluster_uid") or "", values.get("project") or "")
        self._move_ours(chain, values["created_at"])
        key = bundles.put(self.conn, bundle)
        self._moving.add(chain)
        closed = self._their_digests[values["deployment_id"]]
        if closed and self._digest(key) != closed[-1]:
            raise StateError(
                "what the file holds of it is not what was recorded when it ended; nothing was imported",
                subject=values["deployment_id"],
                hint="export again, and check the source with `sbkube state verify`",
            )

    def _digest(self, key: int) -> str:
        return sha256(canonical(closings.content_digests(self.conn, key))).hexdigest()

    def _move_ours(self, chain: Chain, before: datetime | None) -> None:
        """Once something was inserted into a history, what is ours and comes later moves behind it."""
        if chain not in self._later:
            self._refuse_running(chain)
            query = select(deployments.c.created_at, deployments.c.id).where(
                deployments.c.cluster_uid == chain[0], deployments.c.project == chain[1]
            )
            self._later[chain] = [
                (r.created_at, r.id) for r in self.conn.execute(query.order_by(deployments.c.id))
            ]
        waiting = self._later[chain]
        while waiting and (before is None or waiting[0][0] <= before):
            _, key = waiting.pop(0)
            there = select(deployments.c.id).where(deployments.c.id == key)
            if chain in self._moving and self.conn.execute(there).first():
                bundles.move_to_the_end(self.conn, key)

    def _refuse_running(self, chain: Chain) -> None:
        """A run that lives knows its rows by their keys: it must end first, and none may begin meanwhile."""
        closings.alone(self.conn, chain)
        query = select(locks_table).where(locks_table.c.cluster_uid == chain[0], locks_table.c.project == chain[1])
        now = database_now(self.conn)
        for row in self.conn.execute(query.with_for_update()):
            if locks.alive(row, now):
                who = lock_info(row)
                raise StateLocked(
                    f"{who.holder} on {who.host} (pid {who.pid}) is running `{who.command}`; nothing was imported",
                    subject=f"{chain[1]} in {row.namespace}",
                    hint="wait until it has ended, then import again",
                )

    def finish(self) -> Merged:
        """Put what is left into its place, and join the histories of closings."""
        for chain in list(self._later):
            self._move_ours(chain, None)
        fresh = [row for row in self._incoming if row["hash"] not in self._known]
        by_chain: dict[Chain, list[Mapping[str, Any]]] = defaultdict(list)
        for row in fresh:
            by_chain[row["cluster_uid"], row["project"]].append(row)
        for chain, rows in by_chain.items():
            self._join(chain, rows)
        for name in self.result.conflicts:
            key = self.conn.execute(
                select(deployments.c.id).where(deployments.c.deployment_id == name)
            ).scalar_one()
            closings.close(self.conn, key, self.key)
        return self.result

    def _join(self, chain: Chain, rows: Sequence[Mapping[str, Any]]) -> None:
        closings.alone(self.conn, chain)
        tips = closings.ends(self.conn.execute(closings.of_chain(chain)).all())
        for row in rows:
            values = {name: value for name, value in row.items() if name != "id"}
            self.conn.execute(insert(closings_table).values(**values))
        closings.join(self.conn, chain, tips[0].hash if tips else "", self.key)


_ENDED = frozenset(status.value for status in DeploymentStatus if status.ended)


def _digests(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Content digests of the closings of each deployment, the newest last."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["sequence"]):
        if row["kind"] == CLOSING:
            found[row["deployment_id"]].append(row["content_digest"])
    return found
