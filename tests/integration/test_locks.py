"""One at a time: who holds the lock is named and waited for, and nobody deletes what others have deployed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_crash import _open_intents, _slow_project, _start, _until
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.edges.lease import HttpLease
from sbkube.engine.lock import lease_name
from sbkube.models.deployment_state import LockTarget


def _lease(bench: Bench, server: HttpCluster) -> str:
    return lease_name(LockTarget(bench.namespace, server.info().uid, bench.namespace))


def _notes(bench: Bench, server: HttpCluster) -> dict[str, str]:
    lease = get(server, "Lease", bench.namespace, _lease(bench, server), "coordination.k8s.io")
    assert lease is not None
    notes: dict[str, str] = lease["metadata"].get("annotations") or {}
    return notes


def _one(bench: Bench, **data: str) -> None:
    bench.write("m.yaml", configmap("a", **data))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})


def test_the_refusal_names_who_and_the_way_out(bench: Bench, api_server: HttpCluster) -> None:
    _slow_project(bench)
    run = _start(bench, "apply", "-y")
    try:
        _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
        ran = bench.sbkube("apply", "-y")
        assert ran.code == 5
        assert str(run.pid) in ran.err and "`apply`" in ran.err
        assert "--wait-for-lock" in ran.err and "--break-lock" in ran.err
    finally:
        run.send_signal(signal.SIGTERM)
        run.communicate()


def test_a_waiter_goes_on_top_of_what_it_waited_for(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("m.yaml", [configmap("settings", colour="blue"), deployment("slow", ready_after="6")])
    bench.project({"slow": {"type": "yaml", "manifests": ["m.yaml"]}}, timeout=60)
    run = _start(bench, "apply", "-y")
    try:
        _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
        bench.write("m.yaml", [configmap("settings", colour="red"), deployment("slow", ready_after="6")])
        ran = bench.ok("apply", "-y", "--wait-for-lock", "60s")
        assert "waiting for the lock" in ran.err
        assert run.wait(30) == 0
    finally:
        run.kill()
        run.communicate()
    settings = get(api_server, "ConfigMap", bench.namespace, "settings")
    assert settings is not None and settings["data"]["colour"] == "red"
    statuses = [d["status"] for d in bench.ok("history", "-o", "json").json["deployments"]]
    assert statuses == ["success", "success"]


def test_a_wait_ends(bench: Bench, api_server: HttpCluster) -> None:
    _one(bench, x="1")
    bench.ok("apply", "-y")
    holder = {"holder": "anna", "host": "laptop", "pid": "4711", "command": "apply"}
    HttpLease(api_server).acquire(bench.namespace, _lease(bench, api_server), holder, 60)
    ran = bench.sbkube("apply", "-y", "--wait-for-lock", "1s")
    assert ran.code == 5 and "anna" in ran.err


def _stopped_between_writes(run: subprocess.Popen[str]) -> bool:
    """Stop it, but not in the middle of a heartbeat: nobody else could write to the SQLite file then."""
    run.send_signal(signal.SIGSTOP)
    with contextlib.closing(sqlite3.connect(os.environ["SBKUBE_STATE_URL"], timeout=0)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError:
            run.send_signal(signal.SIGCONT)
            return False


def test_a_stopped_holder_starts_nothing_when_it_wakes(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBKUBE_LOCK_SECONDS", "3")
    bench.write("m.yaml", [configmap("first", by="holder"), deployment("slow", ready_after="4")])
    bench.write("n.yaml", configmap("second", by="holder"))
    bench.project(
        {
            "slow": {"type": "yaml", "manifests": ["m.yaml"]},
            "later": {"type": "yaml", "manifests": ["n.yaml"], "depends_on": ["slow"]},
        },
        timeout=60,
    )
    run = _start(bench, "apply", "-y")
    try:
        _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
        time.sleep(1)  # it waits for its pod now
        _until(lambda: _stopped_between_writes(run))
        time.sleep(5)  # past the expiry
        bench.write("n.yaml", configmap("second", by="successor"))
        bench.ok("apply", "-y", "--wait-for-lock", "20s")
        run.send_signal(signal.SIGCONT)
        assert run.wait(30) == 1
        _, err = run.communicate()
        assert "lock" in err
    finally:
        run.kill()
        run.communicate()
    second = get(api_server, "ConfigMap", bench.namespace, "second")
    assert second is not None and second["data"]["by"] == "successor"
    assert _open_intents() == 0
    assert bench.sbkube("diff", "--exit-status").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_it_in_order(bench: Bench, api_server: HttpCluster, number: signal.Signals) -> None:
    _slow_project(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.send_signal(number)
    assert run.wait(30) == 130
    _, err = run.communicate()
    assert "stopping" in err
    assert _open_intents() == 0
    assert bench.ok("history", "-o", "json").json["deployments"][0]["status"] == "interrupted"
    assert "holderIdentity" not in str(get(api_server, "Lease", bench.namespace, _lease(bench, api_server)))


def test_two_signals_end_it_at_once_and_the_record_still_tells(bench: Bench, api_server: HttpCluster) -> None:
    chart = bench.chart("hang", {"d.yaml": HANGING})
    bench.project({"hang": {"type": "helm", "chart": chart}}, timeout=120)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "hang", "apps"))
    run.send_signal(signal.SIGINT)
    time.sleep(0.5)
    begun = time.monotonic()
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 130
    assert time.monotonic() - begun < 25
    _, err = run.communicate()
    assert "sbkube resume" in err
    bench.ok("rollback", "-y")
    assert get(api_server, "Deployment", bench.namespace, "hang", "apps") is None
    assert _open_intents() == 0


HANGING = """apiVersion: apps/v1
kind: Deployment
metadata: {name: hang}
spec:
  selector: {matchLabels: {app: hang}}
  template:
    metadata: {labels: {app: hang}, annotations: {sandbox.sbkube.dev/ready-after: "100"}}
    spec: {containers: [{name: c, image: "nginx:1"}]}
"""


def test_the_lease_names_the_last_deployment(bench: Bench, api_server: HttpCluster) -> None:
    _one(bench, x="1")
    done = bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"]
    notes = _notes(bench, api_server)
    assert notes["sbkube.dev/last-deployment"] == done
    assert len(notes["sbkube.dev/last-closing"]) == 64
    assert "sbkube.dev/deployment" not in notes


def test_an_older_database_neither_prunes_nor_undoes_nor_deletes(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench.write("m.yaml", [configmap("a", x="1"), configmap("b", x="1")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    first = Path(os.environ["SBKUBE_STATE_URL"])
    other = tmp_path / "laptop"
    other.mkdir()
    for file in first.parent.glob(f"{first.stem}*"):
        if file.is_file():
            shutil.copy(file, other / file.name)
    bench.write("m.yaml", [configmap("a", x="2"), configmap("b", x="2")])
    newest = bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"]
    monkeypatch.setenv("SBKUBE_STATE_URL", str(other / first.name))
    bench.write("m.yaml", configmap("a", x="3"))
    for words in (("rollback", "-y"), ("delete", "-y")):
        ran = bench.sbkube(*words)
        assert ran.code == 5, ran
        assert newest in ran.err and "state import" in ran.err and "state rebuild" in ran.err
    ran = bench.ok("apply", "-y")
    assert newest in ran.out + ran.err  # says why nothing was pruned
    assert get(api_server, "ConfigMap", bench.namespace, "b") is not None
    assert bench.sbkube("delete", "-y").code == 5  # it still does not know that deployment
    monkeypatch.setenv("SBKUBE_STATE_URL", str(first))
    assert bench.sbkube("rollback", "-y").code == 5  # nor does the first one know the other's


def test_a_killed_run_of_another_database_is_not_forgotten(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SBKUBE_LOCK_SECONDS", "2")
    _slow_project(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.kill()
    run.communicate()
    killed = _notes(bench, api_server)["sbkube.dev/deployment"]
    monkeypatch.setenv("SBKUBE_STATE_URL", str(tmp_path / "laptop.db"))
    bench.write("m.yaml", configmap("settings", colour="red"))
    ran = bench.ok("apply", "-y", "--wait-for-lock", "20s")
    assert killed in ran.out + ran.err
    assert killed in _notes(bench, api_server)["sbkube.dev/unseen-deployments"]
    assert bench.sbkube("delete", "-y").code == 5


def test_without_rights_on_leases_the_way_out_is_named_and_recorded(bench: Bench, api_server: HttpCluster) -> None:
    _one(bench, x="1")
    bench.ok("apply", "-y", "--no-cluster-lock")
    assert get(api_server, "Lease", bench.namespace, _lease(bench, api_server), "coordination.k8s.io") is None
    shown = bench.ok("show", "latest", "-o", "json").json
    assert shown["args"]["no_cluster_lock"] is True


def test_a_lease_that_a_dead_run_left_is_given_back(bench: Bench, api_server: HttpCluster) -> None:
    _slow_project(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.kill()
    run.communicate()
    bench.ok("recover")
    lease = get(api_server, "Lease", bench.namespace, _lease(bench, api_server), "coordination.k8s.io")
    assert lease is not None and not lease["spec"].get("holderIdentity")
    assert "sbkube.dev/unseen-deployments" not in (lease["metadata"].get("annotations") or {})
    bench.ok("rollback", "-y")  # our own interrupted deployment is none of those that we do not know
    assert get(api_server, "Deployment", bench.namespace, "slow", "apps") is None
