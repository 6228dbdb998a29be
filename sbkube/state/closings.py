"""The chain of closings: what tampering with the record of an ended deployment is found by.

When a deployment ends, one row is appended: an HMAC under the state key over the digests of everything recorded
below the deployment, its status, and the hash of the row before; one history for each cluster UID and project.
What arrives later is a new closing of the same deployment. Without a state key the hashes are plain SHA-256, which
`verify` reports as unprotected.

Rows are tied together by their hashes alone, so the history of another database can be laid beside ours: where
that leaves two ends, a `merge` row under our key names the other one. A `checkpoint` names what `prune` removed, a
`rekey` seals with a new key everything that came before it. Digests leave integer keys out: those are each
database's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, func, insert, select

from sbkube.state.blobs import BlobStore
from sbkube.state.secrets import StateKey
from sbkube.state.tables import (
    app_deployments,
    closings,
    deployed_resources,
    deployments,
    events,
    helm_releases,
    time_text,
)
from sbkube.state.writing import database_now, one_at_a_time

CLOSING = "closing"
CHECKPOINT = "checkpoint"
MERGE = "merge"
REKEY = "rekey"
BELOW = (app_deployments, deployed_resources, helm_releases, events)
_LINKED = (
    "cluster_uid",
    "project",
    "sequence",
    "kind",
    "deployment_id",
    "status",
    "content_digest",
    "previous",
    "key_id",
)
_LOCAL = frozenset({"id", "deployment_id", "app_deployment_id"})  # integer keys below a deployment
_MUTABLE = frozenset({"status", "id"})  # a deployment that ended may still become `rolled_back`
ClosingRow = Row[Any]


def content_digests(conn: Connection, key: int) -> dict[str, str]:
    """SHA-256 over the rows of a deployment, by table. Contents are covered by the names of their blobs."""
    row = conn.execute(select(deployments).where(deployments.c.id == key)).one()
    plain = {name: value for name, value in row._mapping.items() if name not in _MUTABLE}
    digests = {str(deployments.name): hashlib.sha256(_plain(plain)).hexdigest()}
    apps: dict[int, str] = {}
    for table in BELOW:
        lines = []
        for below in conn.execute(select(table).where(table.c.deployment_id == key)).mappings():
            if table is app_deployments:
                apps[below["id"]] = below["app_name"]
            values = {name: value for name, value in below.items() if name not in _LOCAL}
            if owner := below.get("app_deployment_id"):
                values["app"] = apps.get(owner, "?")
            lines.append(_plain(values))
        if lines:
            digests[str(table.name)] = hashlib.sha256(b"".join(sorted(lines))).hexdigest()
    return digests


def _plain(values: Mapping[str, Any]) -> bytes:
    """Empty columns are left out, so that a column that a later schema adds changes no digest."""
    full = {str(name): value for name, value in values.items() if value}
    return orjson.dumps(full, default=str, option=orjson.OPT_SORT_KEYS) + b"\n"


def close(conn: Connection, deployment: int, key: StateKey | None) -> str:
    """Append the closing of an ended deployment; returns its hash. The digests by table are kept as a blob, whose
    name is the closing's content digest."""
    row = conn.execute(select(deployments).where(deployments.c.id == deployment)).one()
    batch = BlobStore(key).batch()
    digest = batch.add(content_digests(conn, deployment))
    batch.save(conn)
    one_at_a_time(conn, _chain_name(row.cluster_uid, row.project))
    fields = {"kind": CLOSING, "deployment_id": row.deployment_id, "status": row.status}
    return append(conn, (row.cluster_uid, row.project), fields | {"content_digest": digest}, key)


def _chain_name(cluster_uid: str, project: str) -> str:
    return f"sbkube closings {cluster_uid} {project}"


def append(conn: Connection, chain: tuple[str, str], fields: Mapping[str, Any], key: StateKey | None) -> str:
    """Append one row to the history of a cluster UID and project; returns its hash. The caller is alone there."""
    last = conn.execute(of_chain(chain).order_by(closings.c.sequence.desc()).limit(1)).first()
    values = {
        "cluster_uid": chain[0],
        "project": chain[1],
        "sequence": last.sequence + 1 if last else 1,
        "deployment_id": "",
        "status": "",
        "closed_at": database_now(conn),
        "previous": last.hash if last else "",
        "key_id": key.key_id if key else "",
        **fields,
    }
    values["hash"] = link(values, key)
    conn.execute(insert(closings).values(**values))
    return str(values["hash"])


def forgotten_since(conn: Connection, chain: tuple[str, str], deployment: str) -> bool:
    """Deployments that were closed after this one are not in the database any more."""
    c = closings.c
    own = select(func.min(c.sequence)).where(c.deployment_id == deployment, c.kind == CLOSING)
    still = select(deployments.c.deployment_id)
    later = (c.kind == CLOSING, c.sequence > own.scalar_subquery())
    query = of_chain(chain).where(*later, c.deployment_id.not_in(still))
    return conn.execute(query.limit(1)).first() is not None


def of_chain(chain: tuple[str, str]) -> Any:
    """The query for the rows of a cluster UID and project."""
    return select(closings).where(closings.c.cluster_uid == chain[0], closings.c.project == chain[1])


def link(values: Any, key: StateKey | None) -> str:
    """The hash of a closing over its own fields and the hash before."""
    data = linked(values)
    return key.closing(data) if key else hashlib.sha256(data).hexdigest()


def linked(values: Any) -> bytes:
    """The fields of a closing that its hash covers."""
    return orjson.dumps([values[name] for name in _LINKED] + [time_text(values["closed_at"])])


def newest_hash(conn: Connection, public_id: str) -> str:
    """The hash of the newest closing of a deployment, "" before it has ended."""
    query = select(closings.c.hash).where(closings.c.deployment_id == public_id, closings.c.kind == CLOSING)
    return conn.execute(query.order_by(closings.c.sequence.desc()).limit(1)).scalar() or ""


def chains(conn: Connection) -> list[tuple[str, str]]:
    """(cluster UID, project) of every history."""
    pair = (closings.c.cluster_uid, closings.c.project)
    return [(row.cluster_uid, row.project) for row in conn.execute(select(*pair).distinct().order_by(*pair))]


def alone(conn: Connection, chain: tuple[str, str]) -> None:
    """Until the transaction ends nobody else appends to this history."""
    one_at_a_time(conn, _chain_name(*chain))


def ends(rows: Iterable[ClosingRow]) -> list[ClosingRow]:
    """Rows that no other row continues or joins, the longest history first."""
    found = list(rows)
    followed = {row.previous for row in found} | {row.content_digest for row in found if row.kind == MERGE}
    return sorted((row for row in found if row.hash not in followed), key=lambda row: -row.sequence)


def join(conn: Connection, chain: tuple[str, str], ours: str, key: StateKey | None) -> int:
    """Leave one end: a `merge` row for each of the others. `ours` is the hash that our own history ended with (""
    for none); it goes on from there if it is still an end. Returns how many rows were written."""
    tips = ends(conn.execute(of_chain(chain)).all())
    head = next((row for row in tips if row.hash == ours), tips[0] if tips else None)
    if head is None:
        return 0
    previous, sequence = head.hash, head.sequence
    others = [row for row in tips if row.hash != head.hash]
    for other in others:
        sequence = max(sequence, other.sequence) + 1
        fields = {"kind": MERGE, "sequence": sequence, "previous": previous, "content_digest": other.hash}
        previous = append(conn, chain, fields, key)
    return len(others)


def seal(rows: Sequence[ClosingRow]) -> str:
    """SHA-256 over closings and their hashes: what a `rekey` row vouches for under its own key."""
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda row: (row.sequence, row.hash)):
        digest.update(linked(row._mapping) + row.hash.encode() + b"\n")
    return digest.hexdigest()


def reseal_earlier(conn: Connection, key: StateKey | None) -> int:
    """After the migration to schema 0002: a new closing for each deployment whose earlier one was right. Digests
    of schema 0001 covered integer keys, which only one database can have. Returns how many were written."""
    newest = {}
    for row in conn.execute(select(closings).order_by(closings.c.sequence)):
        newest[row.deployment_id] = row
    right = [
        row.id
        for row in conn.execute(select(deployments).order_by(deployments.c.id)).all()
        if (closed := newest.get(row.deployment_id)) is not None
        and earlier_digest(conn, row) == closed.content_digest
    ]
    for deployment in right:
        close(conn, deployment, key)
    return len(right)


def earlier_digest(conn: Connection, row: Any) -> str:
    """The content digest of a deployment (a whole row) as schema 0001 had it."""
    digest = hashlib.sha256()
    digest.update(_plain({name: value for name, value in row._mapping.items() if name not in _MUTABLE}))
    for table in BELOW:
        query = select(table).where(table.c.deployment_id == row.id).order_by(table.c.id)
        for below in conn.execute(query):
            digest.update(_plain(dict(below._mapping)))
    return digest.hexdigest()
