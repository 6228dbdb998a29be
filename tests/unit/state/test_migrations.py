"""Schemas: empty, ours, older, newer, and what the migrations make compared with what the code expects."""

from __future__ import annotations

import shutil
import stat

import pytest
from sqlalchemy import create_engine, inspect, make_url, select, text

from sbkube.errors import StateSchemaError
from sbkube.state.closings import earlier_digest
from sbkube.state.database import DeploymentDatabase
from sbkube.state.schema import PACKAGED, Migrations
from sbkube.state.secrets import new_key_text
from sbkube.state.tables import SCHEMA_VERSION, deployments, metadata
from sbkube.state.tracker import DeploymentTracker

TOMORROW = """
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    op.add_column("deployments", sa.Column("mood", sa.Text(), nullable=True))
"""

OLD_ROW = """INSERT INTO deployments (deployment_id, created_at, status, cluster, namespace, dry_run)
VALUES (:id, '2026-01-01T00:00:00.000000Z', 'success', 'k3s', 'default', false)"""
OLD_CLOSING = """INSERT INTO closings (sequence, kind, deployment_id, status, closed_at, content_digest, hash)
VALUES (:n, 'closing', :id, 'success', '2026-01-01T00:00:00.000000Z', :digest, :id)"""


@pytest.fixture
def tomorrow(tmp_path):
    """The migrations of a later version: ours and one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(PACKAGED, folder)
    (folder / "versions" / "v0004_mood.py").write_text(TOMORROW)
    return Migrations(folder, "0004")


def described(conn):
    """Columns, indexes and constraints of all our tables, as the database sees them."""
    found, out = inspect(conn), {}
    for table in metadata.tables:
        columns = sorted(
            (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(table)
        )
        indexes = sorted((i["name"], i["column_names"], i["unique"]) for i in found.get_indexes(table))
        unique = sorted((u["name"], u["column_names"]) for u in found.get_unique_constraints(table))
        foreign = sorted((f["name"], f["referred_table"], f["options"]) for f in found.get_foreign_keys(table))
        out[table] = (columns, indexes, unique, foreign)
    return out


def test_the_migrations_make_what_the_code_expects(tmp_path):
    with create_engine(f"sqlite:///{tmp_path}/m.db").begin() as conn:
        Migrations().upgrade(conn)
        migrated = described(conn)
        assert conn.execute(text("SELECT version_num FROM alembic_version")).scalar() == SCHEMA_VERSION
    with create_engine("sqlite://").begin() as conn:
        metadata.create_all(conn)
        assert migrated == described(conn)


def test_they_make_the_same_on_postgresql(postgres_url, empty_postgres_url):
    tables = []
    for url in (postgres_url, empty_postgres_url):
        with create_engine(make_url(url).set(drivername="postgresql+psycopg")).begin() as conn:
            if url == empty_postgres_url:
                Migrations().upgrade(conn)
            tables.append(described(conn))
    assert tables[0] == tables[1]


@pytest.fixture
def earliest(backend, request, monkeypatch):
    """A database with the schema 0001, and what it is opened with."""
    if backend == "sqlite":
        place = request.getfixturevalue("file")
        place.parent.mkdir()
        url = f"sqlite:///{place}"
    else:
        place = request.getfixturevalue("empty_postgres_url")
        url = make_url(place).set(drivername="postgresql+psycopg")
        monkeypatch.setenv("SBKUBE_STATE_KEY", new_key_text())
    with create_engine(url).begin() as conn:
        Migrations(head="0001").upgrade(conn)
        for name in ("right", "wrong"):
            conn.execute(text(OLD_ROW), {"id": name})
            key = conn.execute(select(deployments.c.id).where(deployments.c.deployment_id == name)).scalar_one()
            row = conn.execute(select(deployments).where(deployments.c.id == key)).one()
            conn.execute(text(OLD_CLOSING), {"id": name, "n": key, "digest": earlier_digest(conn, row)})
        conn.execute(text("UPDATE deployments SET operator = 'mallory' WHERE deployment_id = 'wrong'"))
    return place


def test_a_history_of_schema_0001_stays_provable(earliest):
    DeploymentDatabase.upgrade(earliest)
    tracker = DeploymentTracker(DeploymentDatabase(earliest))
    assert [record.deployment_id for record in tracker.list_deployments()] == ["wrong", "right"]
    altered = {finding.subject for finding in tracker.verify().findings if "altered after" in finding.message}
    assert altered == {"wrong"}


def test_the_newest_migration_has_the_number_the_code_names():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(PACKAGED))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_VERSION]


def test_an_empty_file_is_filled_by_migrations_too(file, tomorrow, create):
    database = DeploymentDatabase(file, migrations=tomorrow)
    database.create_deployment(create)
    with database.reading() as conn:
        assert conn.execute(text("SELECT mood FROM deployments")).all() == [(None,)]
    assert list(file.parent.glob("*backup*")) == []


def test_an_older_database_is_upgraded_after_a_backup_copy(file, database, create, tomorrow):
    record = database.create_deployment(create)
    database.update_deployment_status(record.id, "success")
    database.close()
    later = DeploymentDatabase(file, migrations=tomorrow)
    assert later.get_deployment(record.id).deployment_id == record.deployment_id
    with later.reading() as conn:
        assert conn.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0004"
    (copy,) = file.parent.glob("deployments.db.backup-0003-*[0-9]")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    restored = DeploymentDatabase(copy, environ={})
    assert restored.get_deployment(record.id) == later.get_deployment(record.id)


def test_a_newer_database_is_refused(file, tomorrow):
    DeploymentDatabase(file, migrations=tomorrow).close()
    with pytest.raises(StateSchemaError, match="schema 0004, this sbkube knows up to 0003") as caught:
        DeploymentDatabase(file)
    assert caught.value.exit_code == 5
    assert caught.value.hint


def test_opening_again_changes_nothing_and_needs_no_alembic(file, database):
    import subprocess
    import sys

    code = (
        "import sys; from sbkube.state.database import DeploymentDatabase;"
        f"DeploymentDatabase({str(file)!r}); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
