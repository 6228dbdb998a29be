"""Which blobs a deployment refers to, and what each is bound to: for `verify`, `rekey`, `prune` and `export`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from sbkube.errors import StateError
from sbkube.state import plans
from sbkube.state.blobs import BlobStore, object_identity, release_identity
from sbkube.state.closings import CHECKPOINT, CLOSING
from sbkube.state.rows import resource_key
from sbkube.state.tables import (
    NOT_KEPT,
    app_deployments,
    closings,
    deployed_resources,
    deployments,
    events,
    helm_releases,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A blob's name, the identity that it is encrypted for, and the table whose row names it."""

    name: str
    identity: str
    table: str


@dataclass(frozen=True, slots=True)
class Walked:
    """The references of a deployment; `hidden` are parts of its plan that cannot be decrypted here, so that what
    they refer to is unknown, and `broken` says why a part cannot be read at all."""

    references: tuple[Reference, ...]
    hidden: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """All names."""
        return frozenset(reference.name for reference in self.references)


def of_deployment(conn: Connection, store: BlobStore, key: int) -> Walked:
    """Everything that the rows of a deployment refer to, its plan included."""
    found = [r for r in _of_rows(conn, key) if r.name != NOT_KEPT]
    row = conn.execute(select(deployments.c.plan_blob).where(deployments.c.id == key)).one()
    hidden: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    if row.plan_blob:
        try:
            pairs, hidden = plans.references(conn, store, row.plan_blob)
            found += [Reference(name, identity, "plan") for name, identity in pairs]
        except StateError as error:
            broken = (str(error),)
    return Walked(tuple(found), hidden, broken)


def _of_rows(conn: Connection, key: int) -> Iterator[Reference]:
    row = conn.execute(select(deployments).where(deployments.c.id == key)).one()
    yield from _named(deployments.name, "", row.config_blob, row.sources_blob, row.plan_blob)
    for app in _below(conn, app_deployments, key):
        yield from _named(app_deployments.name, "", app.spec_blob)
    for item in _below(conn, deployed_resources, key):
        identity = object_identity(resource_key(item))
        yield from _named(deployed_resources.name, identity, item.intent_blob, item.before_blob, item.after_blob)
    for item in _below(conn, helm_releases, key):
        identity = release_identity(item.namespace, item.release_name)
        yield from _named(helm_releases.name, identity, item.values_blob, item.before_blob, item.after_blob)
    for event in _below(conn, events, key):
        yield from _named(events.name, "", event.detail_blob)


def _below(conn: Connection, table: Any, key: int) -> Any:
    return conn.execute(select(table).where(table.c.deployment_id == key)).all()


def _named(table: str, identity: str, *names: str | None) -> Iterator[Reference]:
    return (Reference(name, identity, table) for name in names if name)


def of_closings(conn: Connection) -> frozenset[str]:
    """Blobs that closings name: digests by table, and the lists of what was pruned."""
    query = select(closings.c.content_digest).where(closings.c.kind.in_((CLOSING, CHECKPOINT)))
    return frozenset(conn.execute(query).scalars())
