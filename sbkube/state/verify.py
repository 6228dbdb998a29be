"""Verifying: is what is recorded of ended deployments what was recorded when they ended?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from sbkube.errors import StateError
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.state import order, references
from sbkube.state.blobs import BlobStore, batches, canonical
from sbkube.state.closings import CHECKPOINT, CLOSING, MERGE, REKEY, ClosingRow, content_digests, ends, link, seal
from sbkube.state.history import RUNNING
from sbkube.state.secrets import StateKey
from sbkube.state.tables import blobs, closings, deployments

Progress = Callable[[int, int], None]

_NOT_HERE = "its closing was made with a key that is not here"
_TAIL = (
    "this closing and those after it were made with a key that is not here, so they may be forged: give that key"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `verify` found. `serious` is False where nothing was altered, only unprotected."""

    subject: str
    message: str
    serious: bool = True


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a cluster's Lease says was the last deployment: its id and the hash of its closing ("" if unknown)."""

    deployment_id: str
    closing: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` looked at and found. `unproven` counts closings and blobs whose key is not here."""

    chains: int
    closings: int
    findings: tuple[Finding, ...] = ()
    blobs: int = 0
    unproven: int = 0

    @property
    def ok(self) -> bool:
        """Nothing was altered, removed or inserted."""
        return not any(finding.serious for finding in self.findings)


def verify(
    conn: Connection, store: BlobStore, anchor: Anchor | None = None, progress: Progress | None = None
) -> Verdict:
    """Follow every chain, compare every deployment with its newest closing, and open every blob it refers to.

    `anchor` comes from the cluster: closings that were removed at the very end show only against it. `progress`
    gets deployments done and deployments in all.
    """
    try:
        rows = conn.execute(select(closings).order_by(closings.c.sequence)).all()
    except StateError as error:
        return Verdict(0, 0, (Finding("closings", error.message),))
    by_chain: dict[tuple[str, str], list[ClosingRow]] = {}
    for row in rows:
        by_chain.setdefault((row.cluster_uid, row.project), []).append(row)
    findings: list[Finding] = []
    for chain in by_chain.values():
        findings += _verify_chain(chain, store.key)
    hidden = sum(finding.message == _NOT_HERE for finding in findings)
    pruned, lost = pruned_ids(conn, rows)
    findings += lost
    step = _Steps(conn, progress)
    findings += _verify_contents(conn, rows, pruned, step)
    findings += _verify_order(conn, rows)
    opened = _Opened(conn, store, step)
    findings += opened.run()
    findings += _verify_anchor(rows, anchor)
    return Verdict(len(by_chain), len(rows), tuple(findings), len(opened.seen), hidden + opened.unproven)


class _Steps:
    """Called twice for each deployment; tells how far it is."""

    def __init__(self, conn: Connection, progress: Progress | None) -> None:
        self.progress = progress
        self.done = 0
        self.total = conn.execute(select(func.count()).select_from(deployments)).scalar() or 0

    def __call__(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done // 2, self.total)


def _verify_chain(chain: Sequence[ClosingRow], key: StateKey | None) -> Iterator[Finding]:
    known = {row.hash: row for row in chain}
    if len(known) != len(chain):
        yield Finding(f"project {chain[0].project}", "closings are there twice")
    protected: set[str] = set()
    covered = sealed(chain, known, key)
    vouched = covered | _vouched(chain, key)
    for row in chain:
        subject = row.deployment_id or f"{row.kind} {row.sequence}"
        before = known.get(row.previous)
        other = known.get(row.content_digest) if row.kind == MERGE else None
        if not _follows(row, before, other):
            yield Finding(subject, "the chain is broken before this closing")
        if row.kind == MERGE and other is None:
            yield Finding(subject, "the history that was joined here is missing")
        if row.key_id or row.previous in protected:
            protected.add(row.hash)
        if row.hash not in vouched and row.previous in vouched and _foreign(row, key):
            yield Finding(subject, _TAIL)
        else:
            was_protected = row.previous in protected
            yield from _verify_link(row, key, subject, was_protected=was_protected, covered=covered)
    if len(tips := ends(chain)) > 1:
        names = ", ".join(row.deployment_id or row.kind for row in tips[:3])
        yield Finding(f"project {chain[0].project}", f"the chain has {len(tips)} ends ({names}): one was removed")


def _foreign(row: ClosingRow, key: StateKey | None) -> bool:
    """It says that it was made with a key that is not here, and none of ours made it."""
    keys = key.all if key else ()
    own = any(link({**row._mapping, "key_id": one.key_id}, one) == row.hash for one in keys)
    return bool(row.key_id) and not own and all(one.key_id != row.key_id for one in keys)


def _vouched(chain: Sequence[ClosingRow], key: StateKey | None) -> set[str]:
    """Hashes of what was made with a key that is here, and of everything that those rest on."""
    found: set[str] = set()
    for row in reversed(chain):
        own = key.named(row.key_id) if key and row.key_id else None
        if row.hash in found or (own is not None and link(row._mapping, own) == row.hash):
            found |= {row.hash, row.previous, *((row.content_digest,) if row.kind == MERGE else ())}
    return found - {""}


def _follows(row: ClosingRow, before: ClosingRow | None, other: ClosingRow | None) -> bool:
    if not row.previous:
        return bool(row.sequence == 1)
    if before is None:
        return False
    if row.kind == MERGE and other is not None:
        return bool(row.sequence == max(before.sequence, other.sequence) + 1)
    return bool(row.sequence == before.sequence + 1)


def _verify_link(
    row: ClosingRow, key: StateKey | None, subject: str, *, was_protected: bool, covered: set[str]
) -> Iterator[Finding]:
    own = key.named(row.key_id) if key and row.key_id else None
    if not row.key_id:
        if row.hash not in covered:
            yield Finding(subject, "its closing was made without a state key", serious=was_protected)
        if link(row._mapping, None) != row.hash:
            yield Finding(subject, "its closing was altered")
    elif own is not None:
        if link(row._mapping, own) != row.hash:
            yield Finding(subject, "its closing was altered")
        if row.kind == REKEY and row.hash not in covered:
            yield Finding(subject, "what was sealed with this key was altered since")
    elif not _foreign(row, key):
        yield Finding(subject, "its closing was altered")
    elif row.hash not in covered:
        yield Finding(subject, _NOT_HERE, serious=False)


def sealed(chain: Sequence[ClosingRow], known: Mapping[str, ClosingRow], key: StateKey | None) -> set[str]:
    """Hashes of all rows that a `rekey` row vouches for (itself included), under a key that is here."""
    found: set[str] = set()
    for row in reversed(chain):
        own = key.named(row.key_id) if key else None
        if row.kind != REKEY or own is None or link(row._mapping, own) != row.hash:
            continue
        before = ancestors(row, known)
        if seal(before) == row.content_digest:
            found |= {row.hash, *(one.hash for one in before)}
    return found


def ancestors(row: ClosingRow, known: Mapping[str, ClosingRow]) -> list[ClosingRow]:
    """Every row that a row rests on, through joined histories too."""
    found: dict[str, ClosingRow] = {}
    waiting = [row]
    while waiting:
        one = waiting.pop()
        names = [one.previous, one.content_digest if one.kind == MERGE else ""]
        for before in (known[name] for name in names if name in known and name not in found):
            found[before.hash] = before
            waiting.append(before)
    return list(found.values())


def pruned_ids(conn: Connection, rows: Sequence[ClosingRow]) -> tuple[set[str], list[Finding]]:
    """Deployments that checkpoints name as pruned, and findings about lists that are missing or altered."""
    lists = {row.content_digest for row in rows if row.kind == CHECKPOINT}
    pruned: set[str] = set()
    findings = []
    for name in sorted(lists):
        try:
            found = BlobStore(None).load(conn, {name: ""})
        except StateError as error:
            findings.append(Finding("checkpoint", f"the list of what was pruned: {error.message}"))
            continue
        pruned.update(found.get(name, ()))
    return pruned, findings


def _verify_contents(
    conn: Connection, rows: Sequence[ClosingRow], pruned: set[str], step: Callable[[], None]
) -> Iterator[Finding]:
    closed = [row for row in rows if row.kind == CLOSING]
    newest = {row.deployment_id: row for row in closed}
    rolled_back = {row.deployment_id for row in closed if row.status == DeploymentStatus.ROLLED_BACK.value}
    columns = (deployments.c.id, deployments.c.deployment_id, deployments.c.status)
    found = {row.deployment_id: row for row in conn.execute(select(*columns))}
    for public_id, closing in newest.items():
        row = found.get(public_id)
        if row is None:
            if public_id not in pruned:
                yield Finding(public_id, "the deployment was removed")
            continue
        step()
        try:
            digests = content_digests(conn, row.id)
        except StateError as error:
            yield Finding(public_id, f"what is recorded was altered after it ended: {error.message}")
            continue
        if _named(digests) != closing.content_digest:
            where = ", ".join(_changed(conn, closing.content_digest, digests))
            yield Finding(public_id, f"what is recorded was altered after it ended (in {where})")
            continue
        status = DeploymentStatus.ROLLED_BACK.value if public_id in rolled_back else closing.status
        if row.status != status:
            yield Finding(public_id, f"its status was altered from {status} to {row.status}")
        yield from _verify_digests(conn, public_id, closing)
    for public_id, row in found.items():
        if row.status not in RUNNING and public_id not in newest:
            yield Finding(public_id, "it ended without a closing")


def _verify_digests(conn: Connection, public_id: str, closing: ClosingRow) -> Iterator[Finding]:
    """The digests by table are proven by the closing; only their copy may be damaged."""
    try:
        BlobStore(None).load(conn, {closing.content_digest: ""})
    except StateError as error:
        yield Finding(public_id, f"the digests that its closing names: {error.message}")


def _verify_order(conn: Connection, rows: Sequence[ClosingRow]) -> Iterator[Finding]:
    try:
        yield from (Finding(*found) for found in order.moved(conn, rows))
    except StateError as error:
        yield Finding("deployments", error.message)


def _named(digests: Mapping[str, str]) -> str:
    return hashlib.sha256(canonical(digests)).hexdigest()


def _changed(conn: Connection, name: str, now: Mapping[str, str]) -> list[str]:
    """Tables whose rows differ from what the closing says; all of them where that cannot be read any more."""
    try:
        then: Mapping[str, str] = BlobStore(None).load(conn, {name: ""}).get(name, {})
    except StateError:
        then = {}
    return [table for table in sorted({*now, *then}) if now.get(table) != then.get(table)]


class _Opened:
    """Opens every blob that a deployment refers to, once. Sealed ones only under a key that is here."""

    def __init__(self, conn: Connection, store: BlobStore, step: Callable[[], None]) -> None:
        self.conn = conn
        self.store = store
        self.step = step
        self.seen: set[str] = set()
        self.unproven = 0

    def run(self) -> Iterator[Finding]:
        for row in self.conn.execute(select(deployments.c.id, deployments.c.deployment_id)).all():
            self.step()
            try:
                walked = references.of_deployment(self.conn, self.store, row.id)
            except StateError:
                continue  # told already: its rows cannot be read
            for text in walked.broken:
                yield Finding(row.deployment_id, f"its plan cannot be read: {text}")
            fresh = {r.name: r for r in walked.references if r.name not in self.seen}
            self.seen |= fresh.keys()
            for part in batches(sorted(fresh)):
                yield from self._some(row.deployment_id, {name: fresh[name] for name in part})

    def _some(self, public_id: str, wanted: Mapping[str, references.Reference]) -> Iterator[Finding]:
        query = select(blobs).where(blobs.c.digest.in_(list(wanted)))
        there: dict[str, Any] = {row.digest: row for row in self.conn.execute(query)}
        for name, reference in wanted.items():
            if name not in there:
                yield Finding(public_id, f"a blob that {reference.table} refers to is missing: {name[:14]}…")
                continue
            try:
                if self.store.unpack(there[name], reference.identity) is None:
                    self.unproven += 1
                    if self.store.under_another_key(there[name], reference.identity):
                        raise StateError("it names a key that it was not made with")
            except StateError as error:
                yield Finding(public_id, f"a blob that {reference.table} refers to: {error.message}")


def _verify_anchor(rows: Sequence[ClosingRow], anchor: Anchor | None) -> Iterator[Finding]:
    if anchor is None or not anchor.deployment_id:
        return
    own = [row for row in rows if row.kind == CLOSING and row.deployment_id == anchor.deployment_id]
    if not own:
        text = (
            "the cluster names it as the last deployment, but it is not recorded here: the newest closings were "
        )
        yield Finding(anchor.deployment_id, text + "removed, or another database has them")
    elif anchor.closing and anchor.closing not in {row.hash for row in own}:
        yield Finding(anchor.deployment_id, "its closing is not the one that the cluster was told of")
