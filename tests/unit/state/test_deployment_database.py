"""The database alone: rows in, values out."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_plans import config_map, live, secret
from sqlalchemy import text

from sbkube.errors import DeploymentNotFound, StateError, StateNotWritable
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.outcome import OpState
from sbkube.state.database import DeploymentDatabase

APP = {"app_name": "web", "app_type": "yaml", "namespace": "default", "spec": {"type": "yaml"}}


def resource(name="web", **more):
    return {"api_version": "v1", "kind": "ConfigMap", "name": name, "namespace": "default", **more}


def test_create_deployment_returns_a_value_that_stays_usable(database, create):
    record = database.create_deployment(create)
    database.close()
    assert record.id == 1
    assert record.status is DeploymentStatus.PENDING
    assert record.config_snapshot == {"apps": {"web": {"type": "yaml"}}}
    assert record.created_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - record.created_at) < timedelta(minutes=1)


def test_a_generated_id_has_its_form(database, create):
    key, public_id = database.create_deployment_and_get_id(create)
    assert key == 1
    prefix, stamp, tail = public_id.split("-")
    assert (prefix, len(stamp), len(tail)) == ("dep", 14, 8)
    assert int(tail, 16) >= 0


def test_a_mapping_is_accepted_and_its_id_kept(database):
    data = {
        "deployment_id": "mine",
        "cluster": "k3s",
        "namespace": "default",
        "app_config_dir": "config",
        "config_file_path": "config/sbkube.yaml",
        "command": "deploy",
        "config_snapshot": {"apps": {}},
    }
    assert database.create_deployment(data).deployment_id == "mine"
    with pytest.raises(StateError, match="already"):
        database.create_deployment(data)


@pytest.mark.parametrize("bad", ["", "x" * 65])
def test_an_impossible_id_raises(database, create, bad):
    with pytest.raises(ValueError, match="characters"):
        database.create_deployment(replace(create, deployment_id=bad))


def test_unknown_and_missing_fields_raise(database):
    with pytest.raises(ValueError, match="missing"):
        database.create_deployment({"cluster": "k3s"})
    with pytest.raises(ValueError, match="unknown"):
        database.add_app_deployment(1, {**APP, "colour": "red"})


def test_add_app_deployment(database, create):
    record = database.create_deployment(create)
    app = database.add_app_deployment(record.deployment_id, APP)
    assert (app.app_name, app.status) == ("web", DeploymentStatus.IN_PROGRESS)
    assert app.spec == {"type": "yaml"}
    assert database.get_detail(record.id).apps == (app,)


def test_add_deployed_resource(database, create):
    record = database.create_deployment(create)
    app = database.add_app_deployment(record.id, APP)
    after = live(config_map())
    database.add_deployed_resource(
        app.id, resource(current_state=after, desired=config_map(), source_file="w.yaml")
    )
    (row,) = database.get_detail(record.id).resources
    assert row.app_name == "web"
    assert row.state is OpState.APPLIED
    assert row.before is None
    assert row.after == {name: value for name, value in after.items() if name != "status"}
    assert row.intent == config_map()
    assert (row.uid, row.resource_version_after) == ("u-1", "10")
    assert row.checksum == database.compute_resource_checksum(after)


def test_add_helm_release(database, create):
    record = database.create_deployment(create)
    app = database.add_app_deployment(record.id, APP)
    database.add_helm_release(
        app.id,
        {"release_name": "db", "namespace": "default", "chart": "db", "revision": 3, "values": {"a": 1}},
    )
    (row,) = database.get_detail(record.id).releases
    assert (row.release_name, row.revision_after, len(row.values_digest)) == ("db", 3, 64)


def test_update_status(database, create):
    record = database.create_deployment(create)
    assert database.update_deployment_status(record.id, "in_progress").status is DeploymentStatus.IN_PROGRESS
    ended = database.update_deployment_status(record.deployment_id, "failed", "no such chart")
    assert (ended.status, ended.error_message) == (DeploymentStatus.FAILED, "no such chart")
    assert ended.ended_at is not None


def test_a_status_that_operations_contradict_raises(database, create):
    record = database.create_deployment(create)
    app = database.add_app_deployment(record.id, APP)
    database.add_deployed_resource(app.id, resource(state=OpState.FAILED))
    with pytest.raises(StateError, match="say failed"):
        database.update_deployment_status(record.id, "success")
    assert database.update_deployment_status(record.id, "failed").status is DeploymentStatus.FAILED
    with pytest.raises(StateError, match="has ended"):
        database.update_deployment_status(record.id, "in_progress")


def test_rolled_back_wants_a_rollback(database, create):
    record = database.create_deployment(create)
    app = database.add_app_deployment(record.id, APP)
    database.add_deployed_resource(app.id, resource())
    database.finish_deployment(record.id)
    with pytest.raises(StateError, match="no rollback"):
        database.update_deployment_status(record.id, "rolled_back")


def test_update_app_status(database, create):
    record = database.create_deployment(create)
    app = database.add_app_deployment(record.id, APP)
    changed = database.update_app_deployment_status(app.id, "failed", "bad image", rollback_info={"to": "x"})
    assert (changed.status, changed.error_message) == (DeploymentStatus.FAILED, "bad image")
    assert changed.rollback_info == {"to": "x"}


def test_list_deployments_with_filters(database, create):
    first = database.create_deployment(create)
    second = database.create_deployment(replace(create, namespace="other", cluster="prod", cluster_uid="uid-2"))
    third = database.create_deployment(replace(create, project="blog"))
    database.add_app_deployment(third.id, APP)
    database.update_deployment_status(first.id, "success")

    def ids(**filters):
        return [record.id for record in database.list_deployments(**filters)]

    assert ids() == [third.id, second.id, first.id]
    assert ids(namespace="other") == [second.id]
    assert ids(cluster="prod") == ids(cluster="uid-2") == [second.id]
    assert ids(app_name="web") == [third.id]
    assert ids(status="success") == [first.id]
    assert ids(project="blog") == [third.id]
    assert ids(limit=1, offset=1) == [second.id]
    assert ids(since=datetime.now(UTC) + timedelta(hours=1)) == []
    with pytest.raises(ValueError, match="colourful"):
        ids(status="colourful")


def test_get_deployment_by_id_prefix_and_latest(database, create):
    for name in ("alpha-1", "alpha-2", "beta"):
        database.create_deployment(replace(create, deployment_id=name))
    assert database.get_deployment("beta").deployment_id == "beta"
    assert database.get_deployment("alpha-1").deployment_id == "alpha-1"
    assert database.get_deployment("b").deployment_id == "beta"
    assert database.get_deployment("latest").deployment_id == "beta"
    assert database.get_deployment("latest~2").deployment_id == "alpha-1"
    for reference in ("alpha", "gamma", "latest~3", "", "%"):
        with pytest.raises(DeploymentNotFound):
            database.get_deployment(reference)


def test_the_checksum_ignores_what_the_server_manages(database):
    body = config_map()
    assert database.compute_resource_checksum(body) == database.compute_resource_checksum(live(body))
    assert database.compute_resource_checksum(body) != database.compute_resource_checksum(config_map(value="2"))
    labelled = {**body, "metadata": {**body["metadata"], "labels": {"a": "b"}}}
    assert database.compute_resource_checksum(body) != database.compute_resource_checksum(labelled)


def test_a_session_commits_rolls_back_and_closes(database, create):
    database.create_deployment(create)
    with database.get_session() as session:
        session.execute(text("UPDATE deployments SET command = 'one'"))
    with pytest.raises(RuntimeError), database.get_session() as session:
        session.execute(text("UPDATE deployments SET command = 'two'"))
        raise RuntimeError
    assert database.get_deployment("latest").command == "one"


def test_folder_and_files_belong_to_the_user_alone(file, database, create):
    database.create_deployment(create)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes.keys() >= {"deployments.db", "deployments.db-wal", "deployments.db.key"}
    assert set(modes.values()) == {0o600}


def test_the_default_place_and_the_variable(tmp_path, monkeypatch):
    DeploymentDatabase().close()
    assert (tmp_path / "home" / ".sbkube" / "deployments.db").exists()
    monkeypatch.setenv("SBKUBE_STATE_URL", f"sqlite:///{tmp_path}/elsewhere.db")
    DeploymentDatabase().close()
    assert (tmp_path / "elsewhere.db").exists()


def test_sqlite_is_set_up_to_survive_a_power_cut(file, database):
    with database.reading() as conn:
        values = [conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in
                  ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")]  # fmt: skip
    assert values == ["wal", 2, 1, 10000]


def test_an_unusable_folder_is_an_error_with_a_way_out(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateNotWritable) as caught:
        DeploymentDatabase(tmp_path / "file" / "deployments.db")
    assert caught.value.hint
    assert caught.value.exit_code == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StateNotWritable, match="not writable"):
        DeploymentDatabase(tmp_path / "deployments.db")


def test_what_is_no_database_is_refused(file):
    file.parent.mkdir()
    file.write_bytes(b"not a database at all, but long enough to be looked at" * 50)
    with pytest.raises(StateNotWritable, match="not a database"):
        DeploymentDatabase(file)


def test_a_full_disk_is_an_error_and_leaves_no_half(file, database, create):
    record = database.create_deployment(create)
    with pytest.raises(StateNotWritable, match="disk is full"), database.writing() as conn:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        for _ in range(1000):
            conn.execute(
                text("INSERT INTO events (deployment_id, created_at, message) VALUES (1, '', :m)"),
                {"m": "x" * 500},
            )
    assert database.get_detail(record.id).events == ()


def test_a_deleted_database_is_noticed(file, database, create):
    database.create_deployment(create)
    for path in file.parent.glob("deployments.db*"):
        path.unlink()
    with pytest.raises(StateNotWritable, match="deleted or replaced"):
        database.create_deployment(create)
    assert not file.exists()


def test_a_locked_database_is_an_error(file, database, create):
    with database.reading() as conn:
        conn.exec_driver_sql("PRAGMA busy_timeout = 100")  # of the only connection in the pool
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateNotWritable, match="locked"):
        database.create_deployment(create)
    other.close()
    database.create_deployment(create)


def test_several_threads_write_at_once(database, create):
    def work():
        for _ in range(10):
            record = database.create_deployment(create)
            database.add_app_deployment(record.id, APP)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(database.list_deployments(limit=None)) == 60


def test_a_secret_is_encrypted_and_comes_back(file, database, create):
    record = database.create_deployment(create)
    app = database.add_app_deployment(record.id, APP)
    body = secret()
    database.add_deployed_resource(
        app.id, resource("login", kind="Secret", current_state=body, previous_state=body)
    )
    (row,) = database.get_detail(record.id).resources
    assert row.after == body
    for path in Path(file.parent).iterdir():
        assert b"correct-horse" not in path.read_bytes(), path


COUNT = """
import sys
from sbkube.state.database import DeploymentDatabase
database = DeploymentDatabase(sys.argv[1])
print(len(database.list_deployments(limit=None)))
database.close()
"""


def test_a_second_opening_in_one_process_keeps_the_locks_of_the_first(file, create):
    """POSIX drops all locks of a process on a file when it closes any descriptor of it; another process would then
    believe to be the last user, and delete the log that this one goes on writing."""
    first, second = DeploymentDatabase(file), DeploymentDatabase(file)
    for expected in (1, 2, 3):
        first.create_deployment(replace(create, deployment_id=f"dep-{expected}"))
        seen = subprocess.run(
            [sys.executable, "-c", COUNT, str(file)], capture_output=True, text=True, check=True
        ).stdout
        assert int(seen) == expected == len(second.list_deployments())
    first.close()
    second.close()
