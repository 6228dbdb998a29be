"""The chain of closings: tampering with the record of an ended deployment is found.

When a deployment ends, one row is appended: an HMAC under the state key over the digest of everything recorded
below the deployment, its status, and the hash of the row before, one chain for each cluster UID and project. What
arrives later is a new closing of the same deployment. Without a state key the hashes are plain SHA-256, which
`verify` reports as unprotected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select

from sbkube.models.deployment_state import DeploymentStatus
from sbkube.state.history import RUNNING
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
_MUTABLE = frozenset({"status", "id"})  # a deployment that ended may still become `rolled_back`


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `verify` found. `serious` is False where nothing was altered, only unprotected."""

    subject: str
    message: str
    serious: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` looked at and found."""

    chains: int
    closings: int
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing was altered, removed or inserted."""
        return not any(finding.serious for finding in self.findings)


def content_digest(conn: Connection, key: int) -> str:
    """SHA-256 over all rows of a deployment. Contents are covered by the names of their blobs."""
    digest = hashlib.sha256()
    row = conn.execute(select(deployments).where(deployments.c.id == key)).one()
    digest.update(_plain({name: value for name, value in row._mapping.items() if name not in _MUTABLE}))
    for table in (app_deployments, deployed_resources, helm_releases, events):
        query = select(table).where(table.c.deployment_id == key).order_by(table.c.id)
        for below in conn.execute(query):
            digest.update(_plain(dict(below._mapping)))
    return digest.hexdigest()


def _plain(values: dict[str, Any]) -> bytes:
    """Empty columns are left out, so that a column that a later schema adds changes no digest."""
    full = {str(name): value for name, value in values.items() if value}
    return orjson.dumps(full, default=str, option=orjson.OPT_SORT_KEYS) + b"\n"


def close(conn: Connection, deployment: int, key: StateKey | None) -> str:
    """Append the closing of an ended deployment; returns its hash."""
    row = conn.execute(select(deployments).where(deployments.c.id == deployment)).one()
    one_at_a_time(conn, f"sbkube closings {row.cluster_uid} {row.project}")
    return _append(conn, row, CLOSING, content_digest(conn, deployment), key)


def _append(conn: Connection, row: Any, kind: str, digest: str, key: StateKey | None) -> str:
    c = closings.c
    chain = (c.cluster_uid == row.cluster_uid, c.project == row.project)
    last = conn.execute(select(c.sequence, c.hash).where(*chain).order_by(c.sequence.desc()).limit(1)).first()
    values = {
        "cluster_uid": row.cluster_uid,
        "project": row.project,
        "sequence": last.sequence + 1 if last else 1,
        "kind": kind,
        "deployment_id": row.deployment_id,
        "status": row.status,
        "closed_at": database_now(conn),
        "content_digest": digest,
        "previous": last.hash if last else "",
        "key_id": key.key_id if key else "",
    }
    values["hash"] = link(values, key)
    conn.execute(insert(closings).values(**values))
    return str(values["hash"])


def link(values: Any, key: StateKey | None) -> str:
    """The hash of a closing over its own fields and the hash before."""
    fields = [values[name] for name in _LINKED] + [time_text(values["closed_at"])]
    data = orjson.dumps(fields)
    return key.closing(data) if key else hashlib.sha256(data).hexdigest()


def newest_hash(conn: Connection, public_id: str) -> str:
    """The hash of the newest closing of a deployment, "" before it has ended."""
    query = select(closings.c.hash).where(closings.c.deployment_id == public_id).order_by(closings.c.id.desc())
    return conn.execute(query.limit(1)).scalar() or ""


def verify(conn: Connection, key: StateKey | None) -> Verdict:
    """Follow every chain and compare every deployment with its newest closing."""
    rows = conn.execute(select(closings).order_by(closings.c.cluster_uid, closings.c.project, closings.c.sequence))
    by_chain: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        by_chain.setdefault((row.cluster_uid, row.project), []).append(row)
    findings = [finding for chain in by_chain.values() for finding in _verify_chain(chain, key)]
    findings += _verify_contents(conn, [row for chain in by_chain.values() for row in chain])
    return Verdict(len(by_chain), sum(len(chain) for chain in by_chain.values()), tuple(findings))


def _verify_chain(chain: list[Any], key: StateKey | None) -> Iterator[Finding]:
    before = chain[0].previous if chain[0].kind == CHECKPOINT else ""
    expected = chain[0].sequence if chain[0].kind == CHECKPOINT else 1
    protected = False
    for row in chain:
        subject = row.deployment_id or f"closing {row.id}"
        if row.sequence != expected or row.previous != before:
            yield Finding(subject, "the chain is broken before this closing")
        if not row.key_id:
            yield Finding(subject, "its closing was made without a state key", serious=protected)
        elif key is None or key.key_id != row.key_id:
            yield Finding(subject, "its closing was made with a key that is not here", serious=False)
        elif link(row._mapping, key) != row.hash:
            yield Finding(subject, "its closing was altered")
        if not row.key_id and link(row._mapping, None) != row.hash:
            yield Finding(subject, "its closing was altered")
        protected = protected or bool(row.key_id)
        before, expected = row.hash, row.sequence + 1


def _verify_contents(conn: Connection, rows: list[Any]) -> Iterator[Finding]:
    newest = {row.deployment_id: row for row in rows if row.kind == CLOSING}
    pruned = {(row.cluster_uid, row.project): row.sequence for row in rows if row.kind == CHECKPOINT}
    found = {row.deployment_id: row for row in conn.execute(select(deployments))}
    for public_id, closing in newest.items():
        row = found.get(public_id)
        if row is None:
            if closing.sequence > pruned.get((closing.cluster_uid, closing.project), 0):
                yield Finding(public_id, "the deployment was removed")
        elif content_digest(conn, row.id) != closing.content_digest:
            yield Finding(public_id, "what is recorded was altered after it ended")
        elif row.status not in (closing.status, DeploymentStatus.ROLLED_BACK.value):
            yield Finding(public_id, f"its status was altered from {closing.status} to {row.status}")
    for public_id, row in found.items():
        if row.status not in RUNNING and public_id not in newest:
            yield Finding(public_id, "it ended without a closing")
