"""Export and import: a whole state database as one compressed file of JSON lines, from any database to any other.

The first line says what the file is, then come blobs, closings and deployments (each with everything below it, in
the order in which they began), and the last line counts them and holds the SHA-256 of all lines before it. Locks
are left out: they are about processes, not about what happened. Encrypted blobs stay encrypted under their key.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import func, select

from sbkube.errors import StateError, StateNotWritable, UsageError
from sbkube.state import bundles
from sbkube.state.blobs import BlobStore
from sbkube.state.merging import Merged, Merger
from sbkube.state.packing import zstd
from sbkube.state.tables import SCHEMA_VERSION, blobs, closings, deployments
from sbkube.state.writing import insert_new, one_at_a_time

if TYPE_CHECKING:
    from sbkube.state.database import DeploymentDatabase

FORMAT = "sbkube/state-export/v1"
BATCH = 100
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What a file holds."""

    file: Path
    deployments: int
    closings: int
    blobs: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `foreign_keys` are ids of keys that the file's blobs need and that are not here."""

    deployments: Merged
    blobs: int
    foreign_keys: tuple[str, ...] = ()


def export(database: DeploymentDatabase, file: Path, progress: Progress | None = None) -> Exported:
    """Write everything into a new file (0600). An existing file raises UsageError. `progress` gets lines done and
    lines in all."""
    if file.exists():
        raise UsageError(f"{file} exists already", hint="name a new file")
    draft = file.with_name(f"{file.name}.part")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as raw, zstd.ZstdFile(raw, "wb") as packed:
            counts = _Writer(database, packed, progress).run()
        draft.rename(file)
    except OSError as error:
        raise StateNotWritable(
            f"the export cannot be written: {error.strerror or error}", subject=str(file), hint="name another file"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return Exported(file, counts["deployments"], counts["closings"], counts["blobs"])


class _Writer:
    def __init__(self, database: DeploymentDatabase, out: Any, progress: Progress | None) -> None:
        self.database = database
        self.out = out
        self.progress = progress or (lambda done, total: None)
        self.digest = hashlib.sha256()
        self.done = 0

    def run(self) -> dict[str, int]:
        tables = (blobs, closings, deployments)
        with self.database.reading() as conn:
            counts = {
                str(table.name): conn.execute(select(func.count()).select_from(table)).scalar_one()
                for table in tables
            }
            self.total = sum(counts.values())
            self.line({"format": FORMAT, "schema": SCHEMA_VERSION, "counts": counts})
            for row in conn.execute(select(blobs).order_by(blobs.c.digest)).mappings():
                self.item(
                    "blob", bundles.plain(blobs, row) | {"content": base64.b64encode(row["content"]).decode()}
                )
            for row in conn.execute(select(closings).order_by(closings.c.sequence, closings.c.id)).mappings():
                self.item("closing", bundles.plain(closings, row, frozenset({"id"})))
            order = (deployments.c.created_at, deployments.c.id)
            for key in conn.execute(select(deployments.c.id).order_by(*order)).scalars().all():
                self.item("bundle", bundles.take(conn, key))
        self.line({"end": self.done, "sha256": self.digest.hexdigest()})
        return counts

    def item(self, kind: str, value: dict[str, Any]) -> None:
        self.line({kind: value})
        self.done += 1
        self.progress(self.done, self.total)

    def line(self, value: dict[str, Any]) -> None:
        data = orjson.dumps(value) + b"\n"
        self.digest.update(data)
        self.out.write(data)


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of an export, without the last; damage of any kind raises StateError when it is met."""
    digest, count, ended = hashlib.sha256(), -1, False
    try:
        with zstd.ZstdFile(file, "rb") as packed:
            for data in packed:
                line = orjson.loads(data)
                if ended or "end" in line:
                    if ended or line["end"] != count or line["sha256"] != digest.hexdigest():
                        raise _damaged(file)
                    ended = True
                    continue
                digest.update(data)
                count += 1
                yield line
    except (zstd.ZstdError, orjson.JSONDecodeError, EOFError, KeyError, TypeError) as error:
        raise _damaged(file) from error
    except OSError as error:
        raise StateNotWritable(f"the file cannot be read: {error.strerror or error}", subject=str(file)) from error
    if not ended:
        raise _damaged(file)


def _damaged(file: Path) -> StateError:
    return StateError(
        "the file is damaged, cut off or no export; nothing was imported", subject=str(file), hint="export again"
    )


def check(file: Path) -> dict[str, Any]:
    """Read the whole file once; gives its first line. Raises StateError for damage and for newer formats."""
    lines = read_lines(file)
    head = next(lines, {})
    if head.get("format") != FORMAT or int(head.get("schema", "9999")) > int(SCHEMA_VERSION):
        raise StateError(
            f"the file is no export that this sbkube can read ({head.get('format', 'unknown format')})",
            subject=str(file),
            hint="upgrade sbkube, or export again",
        )
    for _ in lines:
        pass
    return head


def import_file(database: DeploymentDatabase, file: Path, progress: Progress | None = None) -> Imported:
    """Merge an export into a database, in one transaction. The file is checked as a whole before anything is
    written. Importing the same file again changes nothing."""
    try:
        return _import(database, file, progress or (lambda done, total: None))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:  # whole, but not ours
        raise _damaged(file) from error


def _import(database: DeploymentDatabase, file: Path, tell: Progress) -> Imported:
    total = sum(check(file)["counts"].values())
    with database.writing() as conn:
        one_at_a_time(conn, "sbkube import")
        lines = read_lines(file)
        next(lines)
        pending: list[dict[str, Any]] = []
        chain: list[dict[str, Any]] = []
        merger: Merger | None = None
        foreign: set[str] = set()
        for done, line in enumerate(lines, 1):
            if "blob" in line:
                pending.append(_blob(line["blob"], file))
                if (key_id := pending[-1]["key_id"]) and not (database.key and database.key.named(key_id)):
                    foreign.add(key_id)
            elif "closing" in line:
                chain.append(line["closing"])
            else:
                merger = merger or Merger(conn, database.key, chain)
                merger.add(line["bundle"])
            if len(pending) >= BATCH or "blob" not in line:
                insert_new(conn, blobs, pending)
                pending.clear()
            tell(done, total)
        insert_new(conn, blobs, pending)
        merged = (merger or Merger(conn, database.key, chain)).finish()
    return Imported(merged, total, tuple(sorted(foreign)))


def _blob(values: dict[str, Any], file: Path) -> dict[str, Any]:
    row = bundles.typed(blobs, values)
    row["content"] = base64.b64decode(row["content"])
    try:
        BlobStore(None).unpack(SimpleNamespace(**row), "")  # without a key: plain ones only
    except StateError as error:
        raise _damaged(file) from error
    return row
