"""The state system on a real SQLite file and on a real PostgreSQL, from the first row to the history that somebody
reads later. Other processes take part."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from integration.conftest import Bench
from ledger_plans import PASSWORD, apply, config_map, live, outcome, plan_of
from shapes import configmap
from sqlalchemy import select

from sbkube.edges.cluster import HttpCluster
from sbkube.errors import ClusterError, StateLocked
from sbkube.models.deployment_state import DeploymentCreate, DeploymentStatus, LockTarget
from sbkube.models.outcome import OpState
from sbkube.state.database import DeploymentDatabase
from sbkube.state.secrets import new_key_text
from sbkube.state.tables import metadata
from sbkube.state.tracker import DeploymentTracker

TARGET = LockTarget("shop", "uid-1", "default")
DATA = DeploymentCreate(
    cluster="k3s",
    namespace="default",
    app_config_dir="config",
    config_file_path="config/sbkube.yaml",
    command="apply",
    config_snapshot={"apps": {"web": {"type": "yaml"}}},
    project="shop",
    cluster_uid="uid-1",
)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a database is opened with: the path of a file, or the URL of a database that has our tables."""
    if request.param == "sqlite":
        return str(tmp_path / "state" / "deployments.db")
    monkeypatch.setenv("SBKUBE_STATE_KEY", new_key_text())  # no key file is made there
    return str(request.getfixturevalue("postgres_url"))


def written(place: str) -> Iterator[bytes]:
    """Everything that is kept: the files of SQLite, or all rows of PostgreSQL."""
    if "://" not in place:
        yield from (path.read_bytes() for path in Path(place).parent.iterdir())
        return
    database = DeploymentDatabase(place)
    with database.reading() as conn:
        for table in metadata.sorted_tables:
            for row in conn.execute(select(table)):
                yield repr(row).encode() + b"".join(value for value in row if isinstance(value, bytes))
    database.close()


def process(code: str, file: str) -> subprocess.Popen[str]:
    """Another Python that imports what this module imports and runs `code` with `file` as its argument."""
    folder = Path(__file__).resolve().parent
    head = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(folder.parent)!r}]\n"
    head += "from ledger_plans import *\nfrom test_state_integration import *\nfile = sys.argv[1]\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + code, str(file)], stdout=subprocess.PIPE, text=True, cwd=folder.parent.parent
    )


def test_a_deployment_without_a_plan_from_start_to_history(place: str) -> None:
    tracker = DeploymentTracker(place)
    handle = tracker.track_deployment(DATA)
    assert handle is not None
    with handle:
        app = tracker.track_app_deployment(handle, app_name="web", app_type="yaml", namespace="default")
        tracker.track_resource(
            app,
            api_version="v1",
            kind="ConfigMap",
            name="web",
            namespace="default",
            current_state=live(config_map()),
        )
        chart = tracker.track_app_deployment(handle, app_name="db", app_type="helm", namespace="default")
        tracker.track_helm_release(chart, release_name="db", namespace="default", chart="db", revision=1)
        assert tracker.active_deployments[handle.id]["deployment_id"] == handle.deployment_id
    assert handle.record.status is DeploymentStatus.SUCCESS
    tracker.close()

    later = DeploymentTracker(place)
    detail = later.detail("latest")
    assert detail.deployment == handle.record
    assert [(app.app_name, app.status) for app in detail.apps] == [
        ("web", DeploymentStatus.SUCCESS),
        ("db", DeploymentStatus.SUCCESS),
    ]
    assert len(detail.resources) == len(detail.releases) == 1
    assert later.inventory(TARGET).keys() == {row.key for row in detail.resources}


def test_an_exception_fails_the_deployment_and_propagates(place: str) -> None:
    tracker = DeploymentTracker(place)
    handle = tracker.track_deployment(DATA)
    assert handle is not None
    with pytest.raises(ClusterError), handle:
        app = tracker.track_app_deployment(handle, app_name="web", app_type="yaml")
        tracker.track_resource(app, api_version="v1", kind="ConfigMap", name="web", state=OpState.FAILED)
        raise ClusterError("quota exceeded")
    record = tracker.detail("latest").deployment
    assert record.status is DeploymentStatus.FAILED
    assert record.error_message == "ClusterError: quota exceeded"


def test_a_run_with_a_plan_is_there_for_the_next_process(place: str) -> None:
    code = """
tracker = DeploymentTracker(file)
ops = (apply(config_map()), apply(secret()), install())
lock = tracker.acquire(TARGET, "apply")
journal = tracker.begin(DATA, plan_of(*ops), lock)
journal.intend(ops)
journal.settle([outcome(ops[0], live(config_map())), outcome(ops[1], live(secret()))])
journal.settle([installed(ops[2], config_map("db"), 1, "raw")])
for app in ("web", "db"):
    journal.app_ended(app, DeploymentStatus.SUCCESS)
journal.finish()
tracker.release(lock)
"""
    assert process(code, place).wait() == 0
    tracker = DeploymentTracker(place)
    detail = tracker.detail("latest", TARGET)
    assert detail.deployment.status is DeploymentStatus.SUCCESS
    images = {row.key.name: row.after for row in detail.resources}
    assert images["login"] is not None
    assert images["login"]["stringData"] == {"password": PASSWORD}
    assert tracker.plan("latest").operations[2].release is not None
    assert tracker.verify().ok
    tracker.close()
    kept = list(written(place))
    assert any(b"login" in data for data in kept)
    assert not any(PASSWORD.encode() in data for data in kept)


def test_a_killed_run_is_told_and_settled_by_the_next(place: str) -> None:
    code = """
import os
tracker = DeploymentTracker(file)
op = apply(config_map())
journal = tracker.begin(DATA, plan_of(op), tracker.acquire(TARGET, "apply"))
journal.app_started("web")
journal.intend([op])
os.kill(os.getpid(), 9)
"""
    assert process(code, place).wait() == -9
    tracker = DeploymentTracker(place)
    lock = tracker.acquire(TARGET, "recover")
    (detail,) = tracker.unsettled(TARGET)
    (row,) = detail.resources
    assert row.state.open
    now = datetime.now(UTC)
    settled = tracker.settle(detail.deployment.deployment_id, [outcome(apply(config_map()), live(config_map()))])
    assert settled.status is DeploymentStatus.INTERRUPTED
    assert abs(settled.ended_at - now) < timedelta(minutes=1) if settled.ended_at else False
    assert tracker.unsettled(TARGET) == ()
    assert tracker.inventory(TARGET)[row.key].uid == "u-1"
    tracker.release(lock)


def test_several_processes_write_into_one_file(place: str) -> None:
    code = """
tracker = DeploymentTracker(file)
for number in range(10):
    with tracker.track_deployment(DATA) as handle:
        app = tracker.track_app_deployment(handle, app_name="web", app_type="yaml")
        tracker.track_resource(app, api_version="v1", kind="ConfigMap", name=f"c{number}")
"""
    children = [process(code, place) for _ in range(4)]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    tracker = DeploymentTracker(place)
    records = tracker.list_deployments(limit=None)
    assert len(records) == 40
    assert {record.status for record in records} == {DeploymentStatus.SUCCESS}
    assert tracker.verify().ok
    assert tracker.verify().closings == 40


def test_several_deployments_at_once_in_threads(place: str) -> None:
    tracker = DeploymentTracker(place)
    barrier = threading.Barrier(6)

    def work(number: int) -> DeploymentStatus:
        target = LockTarget("shop", "uid-1", f"ns-{number}")
        op = apply(config_map(f"c{number}"))
        lock = tracker.acquire(target, "apply")
        journal = tracker.begin(DATA, plan_of(op), lock)
        barrier.wait()
        journal.intend([op])
        journal.settle([outcome(op, live(config_map(f"c{number}")))])
        journal.app_ended("web", DeploymentStatus.SUCCESS)
        return journal.finish().status

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(work, range(6))) == {DeploymentStatus.SUCCESS}
    assert tracker.active_deployments == {}
    assert tracker.verify().ok


def test_two_processes_cannot_hold_the_same_lock(place: str) -> None:
    tracker = DeploymentTracker(place)
    tracker.acquire(TARGET, "apply here")
    code = """
try:
    DeploymentTracker(file).acquire(TARGET, "apply there")
except StateLocked as error:
    print(error.message)
"""
    child = process(code, place)
    text, _ = child.communicate()
    assert "apply here" in text


def test_one_database_may_be_shared_by_trackers(place: str) -> None:
    database = DeploymentDatabase(place)
    one, two = DeploymentTracker(database), DeploymentTracker(database)
    first, second = one.track_deployment(DATA), two.track_deployment(DATA)
    assert first is not None
    assert second is not None
    assert one.active_deployments.keys() == {first.id}
    assert two.active_deployments.keys() == {second.id}
    with pytest.raises(StateLocked):
        one.acquire(TARGET, "a")
        two.acquire(TARGET, "b")


def test_from_apply_to_the_row_and_back_through_rollback(bench: Bench, api_server: HttpCluster) -> None:
    """What the command line did can be read from the database alone, and undone from it."""
    bench.write("m.yaml", configmap("settings", colour="blue"))
    bench.project({"plain": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    bench.write("m.yaml", configmap("settings", colour="red"))
    bench.ok("apply", "-y")
    ledger = DeploymentTracker(os.environ["SBKUBE_STATE_URL"])
    newest, first = (ledger.detail(r.deployment_id) for r in ledger.list_deployments(project=bench.namespace))
    created = next(row for row in first.resources if row.key.kind == "ConfigMap")
    changed = next(row for row in newest.resources if row.key.kind == "ConfigMap")
    assert created.before is None and created.after is not None and created.after["data"] == {"colour": "blue"}
    assert changed.before == created.after
    assert changed.after is not None and changed.after["data"] == {"colour": "red"}
    assert changed.intent is not None and changed.intent["data"] == {"colour": "red"}
    bench.ok("rollback", "-y")
    live = api_server.get(created.key)
    assert live is not None and live["data"] == {"colour": "blue"}
    undone = ledger.detail(ledger.list_deployments(project=bench.namespace)[0].deployment_id)
    assert undone.deployment.parent == newest.deployment.deployment_id
    assert [row.state for row in undone.resources] == [OpState.APPLIED]
    assert ledger.verify().ok
    ledger.close()
