"""Rotation of the state key: everything encrypted is encrypted anew, and the old proof is sealed by the new key.

Names of blobs and digests stay what they are: rows of ended deployments name them, and history only grows. What
opens them changes. A `rekey` row under the new key vouches for every closing before it, so that the old key need
not be kept to prove them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select, update

from sbkube.errors import StateError
from sbkube.state import closings, references
from sbkube.state.blobs import SEALED
from sbkube.state.secrets import KEY_VARIABLE, StateKey, key_file, new_key_text, write_keys
from sbkube.state.tables import blobs, deployments
from sbkube.state.tables import closings as closings_table
from sbkube.state.verify import Finding, ancestors, sealed, verify
from sbkube.state.writing import only_user

if TYPE_CHECKING:
    from sbkube.state.database import DeploymentDatabase


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What a rotation did; nothing where everything was under the newest key already. `retired` is the file that
    the old key was put into: older backups and exports still need it."""

    blobs: int
    chains: int
    key_id: str
    retired: Path | None = None


def rekey(database: DeploymentDatabase) -> Rekeyed:
    """Bring everything under the database's key, in one transaction. The keys that things are encrypted under must
    be among its older ones. A history that `verify` finds altered is not sealed anew: StateError."""
    key = database.key
    if key is None:
        raise StateError("there is no state key to change to", hint="make one: sbkube state key")
    with database.writing() as conn:
        only_user(conn, "sbkube blobs")
        _refuse_altered(conn, database)
        changed = _encrypt_anew(conn, database, key)
        chains = sum(_seal(conn, chain, key) for chain in closings.chains(conn))
    return Rekeyed(changed, chains, key.key_id)


def rotate(place: str | Path | None, environ: Mapping[str, str]) -> Rekeyed:
    """`rekey` for a database as it is named on a command line. Where the key comes from `SBKUBE_STATE_KEY`, its
    first key is the new one; a key file gets a new key by itself, and the old one goes into a file beside it."""
    from sbkube.state.database import DeploymentDatabase

    database = DeploymentDatabase(place, environ=environ)
    file = key_file(database.location.file) if database.location.file else None
    try:
        if environ.get(KEY_VARIABLE) or file is None or not file.exists():
            return rekey(database)
        assert database.key is not None
        old, retired = file.read_text().split(), database.key.key_id
    finally:
        database.close()
    new = new_key_text()
    write_keys(file, [*old, new])  # whatever happens from here on, every key that is used is in the file
    renewed = DeploymentDatabase(place, environ={**environ, KEY_VARIABLE: ",".join([new, *old])})
    try:
        done = rekey(renewed)
    finally:
        renewed.close()
    aside = file.with_name(f"{file.name}.retired-{retired}")
    write_keys(aside, old)
    write_keys(file, [new])
    return replace(done, retired=aside)


def _refuse_altered(conn: Connection, database: DeploymentDatabase) -> None:
    bad: list[Finding] = [f for f in verify(conn, database.store).findings if f.serious]
    if bad:
        raise StateError(
            f"the history was altered ({bad[0].subject}: {bad[0].message}); a new key must not vouch for that",
            hint="see `sbkube state verify`; restore a backup",
        )


def _encrypt_anew(conn: Connection, database: DeploymentDatabase, key: StateKey) -> int:
    query = select(blobs.c.digest, blobs.c.key_id).where(blobs.c.codec == SEALED, blobs.c.key_id != key.key_id)
    waiting = {row.digest: row.key_id for row in conn.execute(query)}
    if missing := sorted({name for name in waiting.values() if key.named(name) is None}):
        raise StateError(
            f"some content is encrypted under the key {missing[0]}, which is not here; nothing was changed",
            hint="put it after the new key: SBKUBE_STATE_KEY=NEW,OLD",
        )
    changed = 0
    for deployment in conn.execute(select(deployments.c.id)).scalars().all():
        for reference in references.of_deployment(conn, database.store, deployment).references:
            if waiting.pop(reference.name, None) is not None:
                _one(conn, key, reference)
                changed += 1
    if waiting:  # nothing refers to them, so nothing tells what they are bound to
        for name in waiting:
            conn.execute(delete(blobs).where(blobs.c.digest == name))
    return changed


def _one(conn: Connection, key: StateKey, reference: references.Reference) -> None:
    row: Any = conn.execute(select(blobs).where(blobs.c.digest == reference.name)).one()
    bound_to = f"{reference.identity}|{reference.name}"
    old = key.named(row.key_id)
    assert old is not None
    content = key.seal(old.open(row.content, bound_to), bound_to)
    values = {"content": content, "key_id": key.key_id}
    conn.execute(update(blobs).where(blobs.c.digest == reference.name).values(**values))


def _seal(conn: Connection, chain: tuple[str, str], key: StateKey) -> int:
    """A `rekey` row at the end of a history, unless everything in it is under this key or sealed by it already."""
    closings.alone(conn, chain)
    rows = conn.execute(closings.of_chain(chain).order_by(closings_table.c.sequence)).all()
    known = {row.hash: row for row in rows}
    covered = sealed(rows, known, StateKey.alone(key))
    if all(row.key_id == key.key_id or row.hash in covered for row in rows):
        return 0
    (head,) = closings.ends(rows)
    before = [head, *ancestors(head, known)]
    closings.append(conn, chain, {"kind": closings.REKEY, "content_digest": closings.seal(before)}, key)
    return 1
