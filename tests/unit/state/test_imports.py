"""A `deployments.db` of the earlier tool becomes ours with its history."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from ledger_plans import PASSWORD, config_map, secret

from sbkube.errors import StateError
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.outcome import OpState
from sbkube.state.database import DeploymentDatabase
from sbkube.state.tracker import DeploymentTracker

SCHEMA = """
CREATE TABLE deployments (id INTEGER PRIMARY KEY, deployment_id VARCHAR, timestamp DATETIME,
  cluster VARCHAR, namespace VARCHAR, app_config_dir VARCHAR, config_file_path VARCHAR, command VARCHAR,
  command_args JSON,
  dry_run BOOLEAN, status VARCHAR, error_message TEXT, config_snapshot JSON, sources_snapshot JSON,
  sbkube_version VARCHAR, operator VARCHAR);
CREATE TABLE app_deployments (id INTEGER PRIMARY KEY, deployment_id INTEGER REFERENCES deployments(id),
  app_name VARCHAR, app_type VARCHAR, namespace VARCHAR, status VARCHAR, error_message TEXT, app_config JSON,
  deployment_metadata JSON, rollback_info JSON);
CREATE TABLE deployed_resources (id INTEGER PRIMARY KEY, app_deployment_id INTEGER REFERENCES app_deployments(id),
  api_version VARCHAR, kind VARCHAR, name VARCHAR, namespace VARCHAR, action VARCHAR, previous_state JSON,
  current_state JSON, checksum VARCHAR, source_file VARCHAR);
CREATE TABLE helm_releases (id INTEGER PRIMARY KEY, app_deployment_id INTEGER REFERENCES app_deployments(id),
  release_name VARCHAR, namespace VARCHAR, chart VARCHAR, chart_version VARCHAR, app_version VARCHAR,
  revision INTEGER, "values" JSON, status VARCHAR);
CREATE INDEX ix_deployments_status ON deployments (status);
"""


@pytest.fixture
def earlier(file):
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as conn, conn:
        conn.executescript(SCHEMA)
        for number, (name, status) in enumerate([("one", "success"), ("two", "in_progress")], 1):
            snapshot = json.dumps({"apps": {"db": {"password": PASSWORD}}})
            conn.execute(
                "INSERT INTO deployments VALUES (?,?,'2025-06-01 10:11:12.000013','k3s','default','config',"
                "'config/config.yaml','deploy','{}',0,?,NULL,?,NULL,'0.4.0','anna')",
                (number, name, status, snapshot),
            )
        conn.execute("INSERT INTO app_deployments VALUES (7,1,'db','helm','default','success',NULL,?,NULL,NULL)",
                     (json.dumps({"password": PASSWORD}),))  # fmt: skip
        for body in (config_map(), secret()):
            conn.execute(
                "INSERT INTO deployed_resources (app_deployment_id, api_version, kind, name, namespace, action,"
                " current_state, source_file) VALUES (7,'v1',?,?,'default','create',?,'a.yaml')",
                (body["kind"], body["metadata"]["name"], json.dumps(body)),
            )
        release = "INSERT INTO helm_releases VALUES (?,?,'db','default','bitnami/db','1.2','16',4,?,'deployed')"
        conn.execute(release, (1, 7, json.dumps({"password": PASSWORD})))
        conn.execute(release, (2, 99, None))  # its app is gone
    return file


def test_the_history_is_taken_over(earlier):
    tracker = DeploymentTracker(earlier)
    two, one = tracker.list_deployments()
    assert (one.deployment_id, one.status, one.operator) == ("one", DeploymentStatus.SUCCESS, "anna")
    assert one.created_at == datetime(2025, 6, 1, 10, 11, 12, 13, UTC)
    assert one.config_snapshot == {"apps": {"db": {"password": PASSWORD}}}
    assert two.status is DeploymentStatus.INTERRUPTED
    detail = tracker.detail("one")
    assert [app.app_name for app in detail.apps] == ["db"]
    assert {row.key.kind: row.after for row in detail.resources} == {"ConfigMap": config_map(), "Secret": secret()}
    assert {row.state for row in detail.resources} == {OpState.APPLIED}
    assert (detail.releases[0].release_name, detail.releases[0].revision_after) == ("db", 4)
    assert tracker.verify().ok


def test_nothing_of_it_stays_readable_outside_of_the_backup(earlier):
    tracker = DeploymentTracker(earlier)
    with tracker.database.reading() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    tracker.close()
    (backup,) = [p for p in earlier.parent.glob("*backup-earlier-*") if PASSWORD.encode() in p.read_bytes()]
    for path in earlier.parent.iterdir():
        if path != backup:
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_the_import_happens_once(earlier, create):
    DeploymentDatabase(earlier).close()
    database = DeploymentDatabase(earlier)
    database.create_deployment(create)
    assert len(database.list_deployments()) == 3
    assert len(list(earlier.parent.glob("*backup-earlier-*[0-9]"))) == 1


def test_a_failed_import_leaves_the_old_database_as_it_was(earlier):
    with closing(sqlite3.connect(earlier)) as conn, conn:
        conn.execute("UPDATE deployments SET deployment_id = 'one'")
    with pytest.raises(StateError, match="refuses a row"):
        DeploymentDatabase(earlier)
    with closing(sqlite3.connect(earlier)) as conn:
        assert conn.execute("SELECT count(*) FROM deployed_resources").fetchone() == (2,)
        tables = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"deployments", "app_deployments", "deployed_resources", "helm_releases"}
