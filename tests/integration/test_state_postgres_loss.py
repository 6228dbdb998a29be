"""PostgreSQL goes away: before the first write nothing was touched, after it nothing is lost for good. And what a
pooler in transaction mode would not keep is never asked of a connection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_crash import _start, _until
from ledger_plans import apply, config_map, live, outcome, plan_of, secret
from postgres import Server, own_server
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.models.deployment_state import DeploymentCreate, DeploymentStatus, LockTarget
from sbkube.state.database import DeploymentDatabase
from sbkube.state.secrets import new_key_text
from sbkube.state.tracker import DeploymentTracker

TARGET = LockTarget("shop", "uid-1", "default")
DATA = DeploymentCreate("k3s", "default", "c", "c/sbkube.yaml", "apply", {}, project="shop", cluster_uid="uid-1")


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A server that may be killed."""
    with own_server() as server:
        yield server


def run(tracker: DeploymentTracker, between: list[object]) -> DeploymentStatus:
    """A deployment; after each commit the next of `between` is called."""
    steps = iter(between)

    def gap() -> None:
        step = next(steps, None)
        if callable(step):
            step()

    ops = (apply(config_map()), apply(secret()))
    lock = tracker.acquire(TARGET, "apply")
    gap()
    journal = tracker.begin(DATA, plan_of(*ops), lock)
    gap()
    journal.intend(ops)
    gap()
    journal.settle([outcome(op, live(op.desired)) for op in ops if op.desired])
    gap()
    journal.app_ended("web", DeploymentStatus.SUCCESS)
    gap()
    record = journal.finish()
    tracker.release(lock)
    return record.status


def test_a_restart_between_commits_is_not_noticed(mortal: Server) -> None:
    url = mortal.database()
    tracker = DeploymentTracker(DeploymentDatabase(url, environ={"SBKUBE_STATE_KEY": new_key_text()}))

    def restart() -> None:
        mortal.kill()
        mortal.start()

    cuts = [lambda: mortal.end_connections(url)] * 3
    assert run(tracker, [restart, *cuts, restart]) is DeploymentStatus.SUCCESS
    assert tracker.verify().findings == ()
    tracker.close()


def test_nothing_is_asked_of_a_session(mortal: Server) -> None:
    """No named prepared statement, no setting and no lock that outlives a transaction: a pooler may give every
    transaction another connection."""
    mortal.execute("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    log = Path(mortal.own.log)
    start = len(log.read_text(errors="replace"))
    tracker = DeploymentTracker(
        DeploymentDatabase(mortal.database(), environ={"SBKUBE_STATE_KEY": new_key_text()})
    )
    for _ in range(8):  # psycopg prepares what it sees five times
        run(tracker, [])
    tracker.inventory(TARGET)
    tracker.verify()
    tracker.close()
    asked = log.read_text(errors="replace")[start:]
    assert "deployed_resources" in asked
    assert not re.findall(r"execute _pg3|PREPARE|pg_advisory_lock|LISTEN|CREATE TEMP", asked)
    settings = re.findall(r"(?:statement|execute [^:]*): (SET .*)", asked)
    assert [s for s in settings if not s.startswith("SET LOCAL")] == []


def test_a_server_that_is_away_is_exit_5_and_nothing_is_touched(
    bench: Bench, api_server: HttpCluster, mortal: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBKUBE_STATE_URL", mortal.database())
    bench.write("m.yaml", configmap("a", x="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    mortal.kill()
    try:
        ran = bench.sbkube("apply", "-y")
    finally:
        mortal.start()
    assert ran.code == 5 and get(api_server, "ConfigMap", bench.namespace, "a") is None
    bench.ok("apply", "-y")


def test_a_server_that_dies_after_the_first_write_is_exit_6_and_the_file_heals_it(
    bench: Bench, api_server: HttpCluster, mortal: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SBKUBE_STATE_URL", mortal.database())
    monkeypatch.setenv("SBKUBE_STATE_KEY", new_key_text())
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    bench.write("m.yaml", [configmap("settings", colour="blue"), deployment("slow", ready_after="5")])
    bench.project({"slow": {"type": "yaml", "manifests": ["m.yaml"]}}, timeout=60)
    process = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"), 90)
    mortal.kill()
    try:
        _, err = process.communicate(timeout=90)
    finally:
        mortal.start()
    assert process.returncode == 6, err
    (dump,) = tmp_path.glob("sbkube-outcomes-*.json")
    assert str(dump) in err
    bench.ok("state", "import", str(dump))
    bench.ok("recover")
    states = {row["name"]: row["state"] for row in bench.ok("show", "-o", "json").json["resources"]}
    assert states["settings"] == states["slow"] == "applied"
    assert "intact" in bench.ok("state", "verify").out
    bench.ok("apply", "-y")
