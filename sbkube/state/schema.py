"""The schema's version: an empty database is filled, an older one upgraded (backup first), a newer one refused.

The version is read with one plain query; Alembic is imported only to migrate. A PostgreSQL database is changed
only when somebody asks for it, so that one person's upgrade does not lock colleagues out.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, inspect, select

from sbkube.errors import StateError, StateSchemaError
from sbkube.state.connecting import Location, prepare_file
from sbkube.state.secrets import StateKey
from sbkube.state.tables import SCHEMA_VERSION, closings, metadata, version_table

PACKAGED = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Migrations:
    """Numbered migrations of a folder (Alembic's layout); `head` is the newest number."""

    folder: Path = PACKAGED
    head: str = SCHEMA_VERSION

    def upgrade(self, conn: Connection) -> None:
        """Run what is missing, on an open connection and in its transaction."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.attributes["connection"] = conn
        command.upgrade(config, self.head)


def read_version(conn: Connection, place: str = "") -> str | None:
    """The number of the schema, "" for an empty database, None for the tables of the earlier tool. Our own tables
    without a mark raise StateError: taking them for the earlier tool's would write history anew."""
    tables = set(inspect(conn).get_table_names())
    if version_table.name in tables and (version := conn.execute(select(version_table.c.version_num)).scalar()):
        return str(version)
    if closings.name in tables:
        raise StateError(
            "the state database has lost the mark of its schema: it was damaged or altered",
            subject=place,
            hint="restore a backup copy, or start anew and run `sbkube state rebuild`",
        )
    return None if "deployments" in tables else ""


def is_current(conn: Connection, migrations: Migrations, location: Location) -> bool:
    """Whether nothing is to be done; a newer schema raises StateSchemaError."""
    version = read_version(conn, str(location))
    if version == migrations.head:
        return True
    if version and (not version.isdigit() or int(version) > int(migrations.head)):
        raise StateSchemaError(
            f"the state database has schema {version}, this sbkube knows up to {migrations.head}",
            subject=str(location),
            hint="upgrade sbkube, or name another database with --state-url",
        )
    return False


def refuse_upgrade(conn: Connection, location: Location) -> None:
    """PostgreSQL waits for an explicit upgrade."""
    state = "is empty" if read_version(conn) == "" else "has an older schema"
    raise StateSchemaError(
        f"the state database {state}", subject=str(location), hint="run `sbkube state upgrade` when all users can"
    )


def bring_up(conn: Connection, migrations: Migrations, key: StateKey | None) -> None:
    """Bring the schema to the head, in the connection's transaction. Another process may have been first."""
    version = read_version(conn)
    if version is None:
        from sbkube.state.imports import import_earlier

        import_earlier(conn, key)
    elif version == "" and migrations.folder == PACKAGED:
        create_current(conn)
    elif version != migrations.head:
        migrations.upgrade(conn)
        if version == "0001":
            from sbkube.state.closings import reseal_earlier

            reseal_earlier(conn, key)


def create_current(conn: Connection) -> None:
    """All tables at once; a test holds them equal to what the migrations make."""
    metadata.create_all(conn)
    version_table.create(conn, checkfirst=True)
    conn.execute(version_table.insert(), {"version_num": SCHEMA_VERSION})


def backup_copy(file: Path, version: str | None) -> Path:
    """A consistent copy beside the file (0600), named after the schema it has and the time."""
    stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    copy = file.with_name(f"{file.name}.backup-{version or 'earlier'}-{stamp}")
    prepare_file(copy)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy
