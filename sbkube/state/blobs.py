"""Content-addressed storage: the same manifest is kept once, however many deployments it takes part in.

A blob is named by the SHA-256 of its canonical JSON, or, when it is sensitive, by an HMAC of identity and content
under the state key; the bytes are compressed with zstd and, when sensitive, encrypted with the identity of what it
belongs to as associated data. Nothing sensitive is kept without a key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from sbkube.errors import StateError
from sbkube.models.resource import ResourceKey
from sbkube.plan.scrub import named_values
from sbkube.state.packing import compress, decompress, zstd
from sbkube.state.secrets import StateKey
from sbkube.state.tables import NOT_KEPT, blobs
from sbkube.state.writing import insert_new, one_of_many

PLAIN = "zstd"
SEALED = "zstd+aes-256-gcm"
SEALED_NAME = "s-"  # begins the name of what must not be readable
BATCH = 500  # below SQLite's and PostgreSQL's limits of variables in one statement
SERVER_FIELDS = frozenset(
    {
        "managedFields",
        "resourceVersion",
        "uid",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    }
)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no blanks; values that JSON does not know are written as text."""
    return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS)


def object_identity(key: ResourceKey) -> str:
    """What encrypted images of an object are bound to. The version is left out: the server may change it."""
    return "object:" + "/".join(key.identity)


def release_identity(namespace: str, name: str) -> str:
    """What encrypted values and records of a release are bound to."""
    return f"release:{namespace}/{name}"


def is_secret(body: Mapping[str, Any] | None) -> bool:
    """A core `Secret`."""
    return body is not None and body.get("kind") == "Secret" and body.get("apiVersion") == "v1"


def image(body: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A live object as it is stored: without `status`, with everything else."""
    if body is None or "status" not in body:
        return body
    return {name: value for name, value in body.items() if name != "status"}


def stripped(body: Mapping[str, Any]) -> dict[str, Any]:
    """An object without status and server-managed metadata."""
    out = {name: value for name, value in body.items() if name != "status"}
    meta = out.get("metadata")
    if isinstance(meta, Mapping):
        out["metadata"] = {name: value for name, value in meta.items() if name not in SERVER_FIELDS}
    return out


def fingerprint(body: Mapping[str, Any] | None, key: StateKey | None, *, sensitive: bool = False) -> str:
    """Digest of an object without status and server-managed metadata, "" for none.

    With a key it is always an HMAC, so that a reader of digests cannot guess values. Without one, sensitive
    content has no digest.
    """
    if body is None:
        return ""
    content = canonical(stripped(body))
    if key is not None:
        return key.digest(content)
    return "" if sensitive or is_secret(body) else hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Content:
    """Something to keep: canonical bytes, what they belong to, and whether they must not be readable."""

    data: bytes
    identity: str = ""
    sensitive: bool = False


class BlobStore:
    """Names, packs and unpacks blobs. `key` is None where no state key is there."""

    def __init__(self, key: StateKey | None) -> None:
        """`sensitive` may be set to the path globs that a project calls so."""
        self.key = key
        self.sensitive: Sequence[str] = ()

    def is_sensitive(self, body: Mapping[str, Any] | None) -> bool:
        """A Secret, or an object with something that `sensitive` names."""
        if body is None or is_secret(body):
            return body is not None
        return bool(self.sensitive) and next(named_values(body, self.sensitive), None) is not None

    def name(self, content: Content) -> str:
        """The name under which content is kept, or `NOT_KEPT`."""
        if not content.sensitive:
            return hashlib.sha256(content.data).hexdigest()
        if self.key is None:
            return NOT_KEPT
        return SEALED_NAME + self.key.digest(content.identity.encode() + b"\0" + content.data)

    def batch(self) -> BlobBatch:
        """Collect contents that are then written at once."""
        return BlobBatch(self)

    def pack(self, name: str, content: Content) -> dict[str, Any]:
        """A row of `blobs`."""
        packed = compress(content.data)
        row = {"digest": name, "codec": PLAIN, "key_id": "", "size": len(content.data), "content": packed}
        if content.sensitive and self.key is not None:
            sealed = self.key.seal(packed, f"{content.identity}|{name}")
            row |= {"codec": SEALED, "key_id": self.key.key_id, "content": sealed}
        return row

    def load(self, conn: Connection, wanted: Mapping[str, str]) -> dict[str, Any]:
        """Values by blob name; `wanted` maps names to identities. What cannot be decrypted here is left out.

        A blob that is missing, altered or bound to something else raises StateError.
        """
        names = [name for name in wanted if name != NOT_KEPT]
        found: dict[str, Any] = {}
        seen = set()
        for part in batches(names):
            for row in conn.execute(select(blobs).where(blobs.c.digest.in_(part))):
                seen.add(row.digest)
                data = self.unpack(row, wanted[row.digest])
                if data is not None:
                    found[row.digest] = orjson.loads(data)
        if lost := set(names) - seen:
            raise StateError(
                f"the state database lacks {len(lost)} blobs", subject=min(lost), hint="restore a backup"
            )
        return found

    def unpack(self, row: Any, identity: str) -> bytes | None:
        """The bytes of a row of `blobs`, or None where its key is missing; altered ones raise StateError."""
        packed, sealed = row.content, row.digest.startswith(SEALED_NAME)
        if row.codec != (SEALED if sealed else PLAIN) or bool(row.key_id) != sealed:
            raise StateError("a blob of the state database was altered", subject=row.digest)
        if sealed:
            key = self.key.named(row.key_id) if self.key else None
            if key is None:
                return None
            packed = key.open(packed, f"{identity}|{row.digest}")
        try:
            data = decompress(packed)
        except zstd.ZstdError as error:
            raise StateError("a blob of the state database is damaged", subject=row.digest) from error
        right = sealed or hashlib.sha256(data).hexdigest() == row.digest
        if not right or len(data) != row.size:
            raise StateError("a blob of the state database was altered", subject=row.digest)
        return data

    def under_another_key(self, row: Any, identity: str) -> bool:
        """Whether a sealed row of `blobs` names a key that is not here, but was made with one that is."""
        for key in self.key.all if self.key else ():
            try:
                key.open(row.content, f"{identity}|{row.digest}")
            except StateError:
                continue
            return bool(key.key_id != row.key_id)
        return False


class BlobBatch:
    """Contents on their way into the database. Their names are known at once, the rows are written by `save`."""

    def __init__(self, store: BlobStore) -> None:
        self.store = store
        self._pending: dict[str, Content] = {}

    def add(self, value: Any, identity: str = "", *, sensitive: bool = False) -> str | None:
        """Keep a JSON value; returns its name, `NOT_KEPT`, or None for None."""
        if value is None:
            return None
        content = Content(canonical(value), identity, sensitive)
        name = self.store.name(content)
        if name != NOT_KEPT:
            self._pending[name] = content
        return name

    def save(self, conn: Connection) -> None:
        """Write what is not there yet. Only new content is compressed and encrypted."""
        one_of_many(conn, "sbkube blobs")  # what is found here must not be pruned before we refer to it
        known: set[str] = set()
        for part in batches(list(self._pending)):
            known.update(conn.execute(select(blobs.c.digest).where(blobs.c.digest.in_(part))).scalars())
        missing = sorted(self._pending.keys() - known)  # always in the same order, so that writers cannot deadlock
        rows = [self.store.pack(name, self._pending[name]) for name in missing]
        insert_new(conn, blobs, rows)
        self._pending.clear()


def batches(items: Iterable[str], size: int = BATCH) -> Iterable[list[str]]:
    """Parts of a list that fit into one statement."""
    everything = list(items)
    return (everything[start : start + size] for start in range(0, len(everything), size))
