"""The state system on PostgreSQL: the same promises, but upgraded only on request, and without a key file.

The unit tests of the state system run on PostgreSQL too; here is what only PostgreSQL does.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from ledger_plans import apply, config_map, install, installed, live, outcome, plan_of, secret
from sqlalchemy import text

from sbkube.errors import LockLost, StateError, StateLocked, StateNotWritable, StateSchemaError
from sbkube.models.deployment_state import DeploymentCreate, DeploymentStatus, LockTarget
from sbkube.state.database import DeploymentDatabase
from sbkube.state.schema import Migrations
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


@pytest.fixture
def tracker(postgres_url: str) -> Iterator[DeploymentTracker]:
    environ = {"SBKUBE_STATE_KEY": new_key_text()}
    opened = DeploymentTracker(DeploymentDatabase(postgres_url, environ=environ))
    yield opened
    opened.close()


def test_it_waits_for_an_explicit_upgrade(empty_postgres_url: str) -> None:
    with pytest.raises(StateSchemaError, match="is empty"):
        DeploymentDatabase(empty_postgres_url)
    DeploymentDatabase.upgrade(empty_postgres_url, {})
    DeploymentDatabase.upgrade(empty_postgres_url, {})
    DeploymentDatabase(empty_postgres_url).close()


def test_a_newer_one_is_refused(postgres_url: str, tracker: DeploymentTracker) -> None:
    with tracker.database.writing() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    for opening in (DeploymentDatabase, DeploymentDatabase.upgrade):
        with pytest.raises(StateSchemaError, match="0999"):
            opening(postgres_url)


def test_without_the_variable_there_is_no_key(postgres_url: str) -> None:
    tracker = DeploymentTracker(DeploymentDatabase(postgres_url, environ={}))
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


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hun%40ter2@127.0.0.1:1/x?connect_timeout=1",
        "postgresql://ann@127.0.0.1:1/x?password=hunter2&sslpassword=hunter2&connect_timeout=1",
        "postgresql://ann:un@ter:hunter2@127.0.0.1/x",
        "mysql://ann:hunter2@db/x",
    ],
)
def test_no_form_of_a_url_lets_its_password_out(url: str) -> None:
    with pytest.raises(StateError) as raised:
        DeploymentDatabase(url, environ={})
    error: BaseException | None = raised.value
    while error is not None:  # what a log would have of it
        assert "ter2" not in str(error)
        error = error.__cause__
    assert raised.value.hint


def test_a_commit_waits_for_the_disk_whatever_the_default_is(postgres_url: str) -> None:
    def setting(default: str) -> str:
        with_default = f"{postgres_url}&options=-csynchronous_commit%3D{default}"
        database = DeploymentDatabase(with_default, environ={})
        with database.reading() as conn:
            assert conn.execute(text("SHOW synchronous_commit")).scalar() == default
        with database.writing() as conn:
            found = conn.execute(text("SHOW synchronous_commit")).scalar()
        database.close()
        return str(found)

    assert setting("off") == "on"
    assert setting("remote_apply") == "remote_apply"  # stricter stays


def test_after_an_upgrade_an_older_client_stops_and_says_why(
    postgres_url: str, tracker: DeploymentTracker
) -> None:
    """A colleague's sbkube of yesterday: it knows one migration less."""
    yesterday = Migrations(head="0002")
    with pytest.raises(StateSchemaError) as raised:
        DeploymentDatabase(postgres_url, environ={}, migrations=yesterday)
    assert "0003" in str(raised.value)
    assert "upgrade sbkube" in raised.value.hint
    with tracker.track_deployment(DATA) as handle:  # type: ignore[union-attr]
        pass
    assert tracker.detail(handle.deployment_id).deployment.status is DeploymentStatus.SUCCESS
