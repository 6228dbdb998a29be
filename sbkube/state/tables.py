"""The tables, as SQLAlchemy Core sees them. There are no mapped classes, so no row can outlive its session.

Times are RFC 3339 text in UTC with microseconds: they sort as text, on SQLite and PostgreSQL alike. Columns that
end in `_blob` hold the name of a row in `blobs`; `NOT_KEPT` says that there was content that could not be kept
because it is sensitive and no state key is there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from sbkube.errors import StateError

SCHEMA_VERSION = "0003"
NOT_KEPT = "-"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def time_text(value: datetime) -> str:
    """The stored form of an aware time."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Utc(TypeDecorator[datetime]):
    """An aware UTC time, stored as text of 27 characters."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Aware times only: a naive one would be read as local time by somebody."""
        return None if value is None else time_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Back to an aware time; raises StateError for what we never wrote."""
        if value is None:
            return None
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise _unreadable("time") from error


class Json(TypeDecorator[Any]):
    """Any JSON value, as compact text with sorted keys."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        """None is SQL's NULL, not JSON's null."""
        return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any | None:
        """Back to plain Python values; raises StateError for what is no JSON."""
        try:
            return None if value is None else orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise _unreadable("JSON value") from error


def _unreadable(what: str) -> StateError:
    return StateError(
        f"the state database holds a {what} that cannot be read: it was damaged or altered",
        hint="see `sbkube state verify`; restore a backup copy",
    )


def _text(name: str, length: int | None = None, *, key: bool = False) -> Column[str]:
    kind = String(length) if length else Text()
    return Column(name, kind, nullable=False, default="", server_default="", index=key or None)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, default=0, server_default="0")


def _blob(name: str) -> Column[str | None]:
    return Column(name, String(80), nullable=True)


deployments = Table(
    "deployments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("deployment_id", String(64), nullable=False, unique=True),
    Column("created_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("status", String(20), nullable=False),
    Column("error_message", Text),
    _text("purpose", 40),
    _text("command"),
    Column("command_args", Json),
    _text("project"),
    _text("cluster"),
    _text("cluster_uid"),
    _text("context"),
    _text("namespace"),
    _text("app_config_dir"),
    _text("config_file_path"),
    _blob("config_blob"),
    _blob("sources_blob"),
    Column("dry_run", Boolean, nullable=False, default=False),
    Column("sbkube_version", Text),
    Column("operator", Text),
    _text("host"),
    _text("kubernetes_user"),
    Column("origin", Json),
    Column("parent", String(64)),
    _blob("plan_blob"),
    _text("plan_digest", 80),
    Column("counts", Json),
    _number("lock_token"),
    Index(None, "cluster_uid", "project", "namespace", "id"),
    Index(None, "created_at"),
    Index(None, "status"),
)

app_deployments = Table(
    "app_deployments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False, index=True),
    _text("app_name"),
    _text("app_type", 40),
    _text("namespace"),
    Column("status", String(20), nullable=False),
    _blob("spec_blob"),
    Column("sources", Json),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Column("error_message", Text),
    Column("rollback_info", Json),
    Index(None, "app_name"),
)

deployed_resources = Table(
    "deployed_resources",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False),
    Column("app_deployment_id", ForeignKey("app_deployments.id", ondelete="CASCADE"), nullable=False, index=True),
    _number("position"),
    _text("operation"),
    _text("api_group"),
    _text("api_version"),
    _text("kind"),
    _text("namespace"),
    _text("name"),
    _text("verb", 20),
    _text("state", 20),
    Column("sensitive", Boolean, nullable=False, default=False),
    _blob("intent_blob"),
    _blob("before_blob"),
    _blob("after_blob"),
    _text("intent_digest", 64),
    _text("image_digest", 64),
    _text("uid"),
    _text("resource_version_before"),
    _text("resource_version_after"),
    _text("reason"),
    _text("message"),
    _text("source_file"),
    _number("source_line"),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Index(None, "deployment_id", "operation"),
    Index(None, "kind", "name", "namespace"),
)

helm_releases = Table(
    "helm_releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False),
    Column("app_deployment_id", ForeignKey("app_deployments.id", ondelete="CASCADE"), nullable=False, index=True),
    _number("position"),
    _text("operation"),
    _text("release_name"),
    _text("namespace"),
    _text("verb", 20),
    _text("state", 20),
    _text("status", 40),
    _text("chart"),
    _text("chart_version"),
    _text("app_version"),
    _text("chart_digest", 80),
    _text("values_digest", 64),
    _text("manifest_digest", 64),
    _blob("values_blob"),
    _blob("before_blob"),
    _blob("after_blob"),
    _number("revision_before"),
    _number("revision_after"),
    _text("reason"),
    _text("message"),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Index(None, "deployment_id", "operation"),
    Index(None, "namespace", "release_name"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", String(80), primary_key=True),
    Column("codec", String(40), nullable=False),
    _text("key_id", 16),
    _number("size"),
    Column("content", LargeBinary, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("deployment_id", ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Utc, nullable=False),
    _text("kind", 40),
    _text("app_name"),
    _text("subject"),
    _text("message"),
    _blob("detail_blob"),
)

# The row stays when the lock is given up, so that the fencing token only ever grows.
locks = Table(
    "locks",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("project"),
    _text("cluster_uid"),
    _text("namespace"),
    _text("holder"),
    _text("host"),
    _text("host_id", 64),
    _number("pid"),
    _text("pid_started"),
    _text("command"),
    Column("acquired_at", Utc),
    Column("expires_at", Utc),
    _number("token"),
    UniqueConstraint("project", "cluster_uid", "namespace"),
)

# Without foreign keys: closings outlive what a prune removes. Histories of two databases may lie side by side, so
# a sequence number is no key; the hash is.
closings = Table(
    "closings",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("cluster_uid"),
    _text("project"),
    _number("sequence"),
    _text("kind", 20),
    _text("deployment_id", 64),
    _text("status", 20),
    Column("closed_at", Utc, nullable=False),
    _text("content_digest", 64),
    _text("previous", 64),
    _text("hash", 64),
    _text("key_id", 16),
    Index(None, "cluster_uid", "project", "sequence"),
    Index(None, "deployment_id"),
)

version_table = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
