"""One deployment with everything below it as plain values, without the integer keys that only one database has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from sbkube.errors import StateError
from sbkube.state.tables import (
    Utc,
    app_deployments,
    deployed_resources,
    deployments,
    events,
    helm_releases,
    time_text,
)

BELOW_APPS = {"resources": deployed_resources, "releases": helm_releases}
Bundle = Mapping[str, Any]
_KEYS = frozenset({"id", "deployment_id", "app_deployment_id"})


def plain(table: Table, row: Mapping[Any, Any], leave_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A row as JSON values; times as they are stored."""
    names = [column.name for column in table.columns if column.name not in leave_out]
    return {str(name): time_text(row[name]) if isinstance(row[name], datetime) else row[name] for name in names}


def typed(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `plain`; columns that are not given keep their defaults, unknown ones raise StateError."""
    if unknown := sorted(set(values) - {column.name for column in table.columns}):
        raise StateError(
            f"{table.name} has no column {unknown[0]}", hint="import it with the sbkube that exported it, or newer"
        )
    out = {}
    for name, value in values.items():
        column = table.columns[name]
        out[name] = datetime.fromisoformat(value) if isinstance(column.type, Utc) and value else value
    return out


def take(conn: Connection, key: int) -> dict[str, Any]:
    """A deployment and everything below it. Apps are numbered from 0; rows below them name that number."""
    row = conn.execute(select(deployments).where(deployments.c.id == key)).mappings().one()
    apps = _below(conn, app_deployments, key)
    number = {app["id"]: at for at, app in enumerate(apps)}
    bundle: dict[str, Any] = {
        "deployment": plain(deployments, row, frozenset({"id"})),
        "apps": [plain(app_deployments, app, _KEYS) for app in apps],
        "events": [plain(events, event, _KEYS) for event in _below(conn, events, key)],
    }
    for name, table in BELOW_APPS.items():
        rows = _below(conn, table, key)
        bundle[name] = [plain(table, r, _KEYS) | {"app": number[r["app_deployment_id"]]} for r in rows]
    return bundle


def _below(conn: Connection, table: Table, key: int) -> list[Any]:
    query = select(table).where(table.c.deployment_id == key).order_by(table.c.id)
    return list(conn.execute(query).mappings().all())


def put(conn: Connection, bundle: Bundle) -> int:
    """Insert a bundle as the newest deployment; returns its integer key."""
    key = _insert(conn, deployments, typed(deployments, bundle["deployment"]))
    apps = [
        _insert(conn, app_deployments, typed(app_deployments, app) | {"deployment_id": key})
        for app in bundle["apps"]
    ]
    for name, table in BELOW_APPS.items():
        for values in bundle[name]:
            own = {column: value for column, value in values.items() if column != "app"}
            keys = {"deployment_id": key, "app_deployment_id": apps[values["app"]]}
            conn.execute(insert(table).values(**typed(table, own), **keys))
    for event in bundle["events"]:
        conn.execute(insert(events).values(**typed(events, event), deployment_id=key))
    return key


def drop(conn: Connection, key: int) -> None:
    """Remove a deployment and everything below it; its closings stay."""
    for table in (deployed_resources, helm_releases, events, app_deployments):
        conn.execute(delete(table).where(table.c.deployment_id == key))
    conn.execute(delete(deployments).where(deployments.c.id == key))


def move_to_the_end(conn: Connection, key: int) -> int:
    """Give a deployment and its rows new keys, the newest ones; returns the deployment's."""
    bundle = take(conn, key)
    drop(conn, key)
    return put(conn, bundle)


def _insert(conn: Connection, table: Table, values: Mapping[str, Any]) -> int:
    key = conn.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])
