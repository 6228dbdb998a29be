"""What a state database holds, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select, text

from sbkube.state.schema import read_version
from sbkube.state.tables import (
    app_deployments,
    blobs,
    closings,
    deployed_resources,
    deployments,
    events,
    helm_releases,
)

if TYPE_CHECKING:
    from sbkube.state.database import DeploymentDatabase


@dataclass(frozen=True, slots=True)
class Info:
    """`size` is in bytes; `blob_keys` counts blobs by the id of the key that they are encrypted under (plain ones
    under ""); `key_id` is "" without a state key."""

    place: str
    schema: str
    size: int
    counts: Mapping[str, int]
    projects: int
    oldest: datetime | None
    newest: datetime | None
    key_id: str
    older_keys: tuple[str, ...]
    blob_keys: Mapping[str, int]


def info(database: DeploymentDatabase) -> Info:
    """Count everything."""
    tables = (deployments, app_deployments, deployed_resources, helm_releases, events, blobs, closings)
    key = database.key
    with database.reading() as conn:
        counts = {
            str(table.name): conn.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
        }
        c = deployments.c
        oldest, newest = conn.execute(select(func.min(c.created_at), func.max(c.created_at))).one()
        pairs = select(c.cluster_uid, c.project).distinct().subquery()
        by_key = select(blobs.c.key_id, func.count()).group_by(blobs.c.key_id).order_by(blobs.c.key_id)
        return Info(
            place=str(database.location),
            schema=read_version(conn) or "",
            size=_size(conn),
            counts=counts,
            projects=conn.execute(select(func.count()).select_from(pairs)).scalar_one(),
            oldest=oldest,
            newest=newest,
            key_id=key.key_id if key else "",
            older_keys=tuple(old.key_id for old in key.older) if key else (),
            blob_keys={row[0]: row[1] for row in conn.execute(by_key)},
        )


def _size(conn: Connection) -> int:
    if conn.dialect.name == "postgresql":
        return int(conn.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    pages, size = (conn.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size"))
    return int(pages) * int(size)
