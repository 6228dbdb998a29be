"""Forgetting old deployments, without forgetting what is in the cluster or how to go back to what is kept.

Of each project, cluster and namespace the newest deployments are kept, and of the older ones those that hold the
newest record of an object or release as it was when the oldest kept one ended: the inventory and every rollback
to or past a kept deployment read exactly these. What never ended is kept too. Closings stay; a checkpoint in the
chain names what was removed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, func, select

from sbkube.models.outcome import OpState
from sbkube.models.plan import BESIDE
from sbkube.state import bundles, closings, references
from sbkube.state.blobs import BATCH, batches
from sbkube.state.history import RUNNING
from sbkube.state.tables import blobs, deployed_resources, deployments, helm_releases
from sbkube.state.writing import only_user

if TYPE_CHECKING:
    from sbkube.state.database import DeploymentDatabase

Target = tuple[str, str, str]
Holders = dict[Any, list[tuple[int, bool]]]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which deployments of a target are old: all but the newest `keep`, or those that began before `before`. Where
    both are given, what is old by both. The newest one is never old. `only`: of this target alone (cluster UID,
    project, namespace)."""

    keep: int | None = None
    before: datetime | None = None
    only: Target | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was (or would be) removed. `needed` are old ones that must stay; `blobs_kept` says why blobs stayed."""

    removed: tuple[str, ...]
    needed: int
    blobs: int = 0
    blobs_kept: str = ""


def choose(conn: Connection, rule: Rule) -> tuple[dict[int, tuple[str, Target]], int]:
    """Integer keys that may go, each with public id and target, and how many old ones are needed."""
    c = deployments.c
    query = select(c.id, c.deployment_id, c.project, c.cluster_uid, c.namespace, c.created_at, c.status)
    by_target: dict[Target, list[Any]] = defaultdict(list)
    for row in conn.execute(query.order_by(c.id.desc())):
        by_target[row.cluster_uid, row.project, row.namespace].append(row)
    chosen: dict[int, tuple[str, Target]] = {}
    needed = 0
    for target, rows in by_target.items():
        if rule.only is not None and target != rule.only:
            continue
        old = [row for at, row in enumerate(rows) if _is_old(rule, at, row)]
        if not old:
            continue
        oldest_kept = min((row.id for row in rows if row not in old), default=rows[0].id)
        old = [row for row in old if row.id < oldest_kept]
        stay = _needed(conn, target, oldest_kept)
        gone = [row for row in old if row.id not in stay and row.status not in RUNNING]
        needed += len(old) - len(gone)
        chosen |= {row.id: (row.deployment_id, target) for row in gone}
    return chosen, needed


def _is_old(rule: Rule, position: int, row: Any) -> bool:
    by_count = rule.keep is None or position >= max(rule.keep, 1)
    by_age = rule.before is None or row.created_at < rule.before
    return by_count and by_age and position > 0


def _needed(conn: Connection, target: Target, kept: int) -> set[int]:
    """Deployments up to `kept` that hold what it needs: the newest records up to then, the first record of each
    namespace (it tells whether that was there before us), and whatever would otherwise let an older record look
    like the newest one."""
    c = deployments.c
    own = (c.cluster_uid == target[0], c.project == target[1], c.namespace == target[2])
    holders = _holders(conn, select(c.id).where(c.id <= kept, *own))
    stay = {kept} | {deployment for group in holders.values() for deployment, exists in group if exists}
    stay |= _earlier_results(conn, select(c.id).where(c.id >= kept, *own))
    while True:
        seen = _identities(conn, stay)
        more = {
            deployment
            for identity, group in holders.items()
            if identity in seen
            for deployment, _ in group
            if deployment not in stay
        }
        if not more:
            return stay
        stay |= more


def _earlier_results(conn: Connection, late: Any) -> set[int]:
    """Deployments whose result is what a Helm action of `late` found: its record is kept there only."""
    newer, older = helm_releases.alias(), helm_releases.alias()
    same = (newer.c.namespace == older.c.namespace) & (newer.c.release_name == older.c.release_name)
    query = select(older.c.deployment_id).where(
        same,
        newer.c.deployment_id.in_(late),
        newer.c.before_blob.is_(None),
        newer.c.revision_before > 0,
        older.c.revision_after == newer.c.revision_before,
        older.c.after_blob.is_not(None),
    )
    return set(conn.execute(query.distinct()).scalars())


def _holders(conn: Connection, early: Any) -> Holders:
    """For each object and release: the deployments that hold its newest records, and whether it exists there."""
    found: Holders = defaultdict(list)
    c, r = deployed_resources.c, helm_releases.c
    settled = c.state != OpState.INTENDED.value
    applied = c.state == OpState.APPLIED.value
    own = applied & c.verb.not_in(sorted(BESIDE))
    identity = (c.api_group, c.kind, c.namespace, c.name)
    pick: Any
    for pick, condition in ((func.max, settled), (func.max, applied), (func.max, own)):
        _collect(conn, found, deployed_resources, (pick, identity), condition & c.deployment_id.in_(early))
    spaces = applied & (c.kind == "Namespace") & c.deployment_id.in_(early)
    _collect(conn, found, deployed_resources, (func.min, (*identity, c.uid)), spaces)
    release = (r.namespace, r.release_name)
    for condition in (r.state != OpState.INTENDED.value, r.after_blob.is_not(None)):
        _collect(conn, found, helm_releases, (func.max, release), condition & r.deployment_id.in_(early))
    return found


def _collect(
    conn: Connection, found: dict[Any, list[tuple[int, bool]]], table: Any, pick: Any, where: Any
) -> None:
    choose_one, identity = pick
    newest = select(choose_one(table.c.id).label("id")).where(where).group_by(*identity).subquery()
    columns = (table.c.deployment_id, table.c.after_blob, *identity)
    for row in conn.execute(select(*columns).join(newest, newest.c.id == table.c.id)):
        first = choose_one is func.min
        found[table.name, *row[2:6]].append((row.deployment_id, first or row.after_blob is not None))


def _identities(conn: Connection, of: set[int]) -> set[Any]:
    c, r = deployed_resources.c, helm_releases.c
    found: set[Any] = set()
    keys = sorted(of)
    for part in (keys[start : start + BATCH] for start in range(0, len(keys), BATCH)):
        objects = select(c.api_group, c.kind, c.namespace, c.name).where(c.deployment_id.in_(part)).distinct()
        releases = select(r.namespace, r.release_name).where(r.deployment_id.in_(part)).distinct()
        found |= {(deployed_resources.name, *row) for row in conn.execute(objects)}
        found |= {(helm_releases.name, *row) for row in conn.execute(releases)}
    return found


def prune(database: DeploymentDatabase, rule: Rule, *, dry_run: bool = False) -> Pruned:
    """Remove old deployments and the blobs that only they refer to, in one transaction."""
    if dry_run:
        with database.reading() as conn:
            chosen, needed = choose(conn, rule)
            return Pruned(tuple(name for name, _ in chosen.values()), needed)
    with database.writing() as conn:
        only_user(conn, "sbkube blobs")
        chosen, needed = choose(conn, rule)
        removed = tuple(name for name, _ in chosen.values())
        for key in chosen:
            bundles.drop(conn, key)
        _checkpoints(conn, database, chosen.values())
        collected, why = _collect_blobs(conn, database) if removed else (0, "")
    if removed:
        database.give_space_back()
    return Pruned(removed, needed, collected, why)


def _checkpoints(conn: Connection, database: DeploymentDatabase, gone: Iterable[tuple[str, Target]]) -> None:
    by_chain: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, target in gone:
        by_chain[target[0], target[1]].append(name)
    for chain, names in sorted(by_chain.items()):
        batch = database.store.batch()
        listed = batch.add(sorted(names))
        batch.save(conn)
        closings.alone(conn, chain)
        closings.append(conn, chain, {"kind": closings.CHECKPOINT, "content_digest": listed}, database.key)


def _collect_blobs(conn: Connection, database: DeploymentDatabase) -> tuple[int, str]:
    """Delete what nothing refers to. Where a plan cannot be read, what it refers to is unknown: all stays."""
    used = set(references.of_closings(conn))
    for key in conn.execute(select(deployments.c.id)).scalars().all():
        walked = references.of_deployment(conn, database.store, key)
        if walked.hidden or walked.broken:
            return 0, "plans that cannot be decrypted here may refer to them"
        used |= walked.names
    unused = [name for name in conn.execute(select(blobs.c.digest)).scalars() if name not in used]
    for part in batches(unused):
        conn.execute(delete(blobs).where(blobs.c.digest.in_(part)))
    return len(unused), ""
