"""Killed, locked out, or robbed of its database: what the record says, and what the next command does."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from shapes import WEB_CHART, WEB_VALUES, configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.edges.lease import HttpLease
from sbkube.engine.lock import lease_name
from sbkube.models.deployment_state import LockTarget


def _start(bench: Bench, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sbkube", *words, "--kubeconfig", str(bench.config)]
    return subprocess.Popen(command, cwd=bench.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _open_intents() -> int:
    with sqlite3.connect(Path(os.environ["SBKUBE_STATE_URL"])) as database:
        queries = (
            f"select count(*) from {t} where state = 'intended'" for t in ("deployed_resources", "helm_releases")
        )
        return sum(int(database.execute(query).fetchone()[0]) for query in queries)


def _slow_project(bench: Bench, seconds: int = 30) -> None:
    bench.write("m.yaml", [configmap("settings", colour="blue"), deployment("slow", ready_after=str(seconds))])
    bench.project({"slow": {"type": "yaml", "manifests": ["m.yaml"]}}, timeout=60)


def test_a_killed_run_is_settled_by_the_next_command(bench: Bench, api_server: HttpCluster) -> None:
    _slow_project(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.kill()
    run.wait()
    bench.write("m.yaml", [configmap("settings", colour="red")])
    done = bench.ok("apply", "-y")
    assert "interrupted" in done.out + done.err
    statuses = [d["status"] for d in bench.ok("history", "-o", "json").json["deployments"]]
    assert statuses == ["success", "interrupted"]
    assert _open_intents() == 0
    assert get(api_server, "Deployment", bench.namespace, "slow", "apps") is None  # pruned: the record knew of it


def test_diff_and_status_mention_the_interrupted_run(bench: Bench, api_server: HttpCluster) -> None:
    _slow_project(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.kill()
    run.wait()
    for command in ("diff", "status", "history", "show", "drift"):
        ran = bench.sbkube(command)
        assert "interrupted" in ran.err and "sbkube resume" in ran.err and "sbkube rollback" in ran.err
    bench.ok("recover")
    assert _open_intents() == 0
    assert "interrupted" not in bench.sbkube("diff").err


def test_a_broken_file_does_not_keep_recover_from_its_work(bench: Bench, api_server: HttpCluster) -> None:
    _slow_project(bench, 10)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.kill()
    run.wait()
    file = bench.folder / "sbkube.yaml"
    good = file.read_text()
    file.write_text(good.replace("type: yaml", "type: jaml"))
    assert bench.sbkube("diff").code == 3
    ran = bench.ok("recover")
    assert "settled" in ran.out and "going by what was recorded" in ran.err
    assert _open_intents() == 0
    file.write_text(good)
    bench.ok("resume", "-y")
    file.write_text("apiVersion: sbkube/v1\napps: 7\n")  # nobody knows whose it is
    assert bench.sbkube("recover").code == 3


def test_ctrl_c_is_recorded_and_exits_130(bench: Bench, api_server: HttpCluster) -> None:
    _slow_project(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=30) == 130
    assert bench.ok("history", "-o", "json").json["deployments"][0]["status"] == "interrupted"
    assert _open_intents() == 0


def test_two_databases_on_one_cluster_exclude_each_other(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench.write("m.yaml", configmap("a", x="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    name = lease_name(LockTarget(bench.namespace, api_server.info().uid, bench.namespace))
    holder = {"holder": "anna", "host": "laptop", "pid": "4711", "command": "apply"}
    other = HttpLease(api_server)
    other.acquire(bench.namespace, name, holder, 60)
    monkeypatch.setenv("SBKUBE_STATE_URL", str(tmp_path / "other.db"))
    bench.write("m.yaml", configmap("a", x="2"))
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 5
    assert all(word in ran.err for word in ("anna", "laptop", "4711"))
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"]["x"] == "1"
    # Nothing had begun, so nothing is recorded.
    assert [d["status"] for d in bench.ok("history", "-o", "json").json["deployments"]] == []
    assert bench.sbkube("recover").code == 0
    assert bench.sbkube("apply", "-y").code == 5
    bench.ok("recover", "--break-lock", "-y")
    bench.ok("apply", "-y")


def test_the_database_dies_after_the_first_write(bench: Bench, api_server: HttpCluster) -> None:
    """Exit 6, nothing more is sent, and the outcomes are in a file."""
    bench.write("m.yaml", [configmap("settings", colour="blue"), deployment("slow", ready_after="3")])
    bench.project(
        {
            "slow": {"type": "yaml", "manifests": ["m.yaml"]},
            "later": {
                "type": "helm",
                "chart": bench.chart("web", WEB_CHART, WEB_VALUES),
                "depends_on": ["slow"],
            },
        },
        timeout=60,
    )
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    state = Path(os.environ["SBKUBE_STATE_URL"])
    state.rename(state.with_suffix(".gone"))
    _, err = run.communicate(timeout=60)
    assert run.returncode == 6, err
    dump = next(state.parent.glob("sbkube-outcomes-*.json"))
    assert str(dump) in err
    assert "Deployment/" in dump.read_text()
    assert get(api_server, "Deployment", bench.namespace, "later", "apps") is None


def test_on_failure_rollback_undoes_the_failed_app_and_keeps_the_first_error(
    bench: Bench, api_server: HttpCluster
) -> None:
    bench.write("m.yaml", [configmap("settings", colour="blue")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    bench.write("m.yaml", [configmap("settings", colour="red"), deployment("broken", fail="ImagePullBackOff")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, on_failure="rollback", timeout=60)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 1 and "ImagePullBackOff" in ran.out + ran.err
    settings = get(api_server, "ConfigMap", bench.namespace, "settings")
    assert settings is not None and settings["data"]["colour"] == "blue"
    assert get(api_server, "Deployment", bench.namespace, "broken", "apps") is None
    commands = [(d["command"], d["status"]) for d in bench.ok("history", "-o", "json").json["deployments"]]
    assert commands[:2] == [("rollback", "success"), ("apply", "failed")]


def test_a_reader_who_leaves_does_not_cut_the_run_off(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("m.yaml", [configmap("settings", colour="blue")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    run = _start(bench, "apply", "-y")
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    run.stderr.close()
    assert run.wait() == 0
    assert get(api_server, "ConfigMap", bench.namespace, "settings")
    assert bench.ok("show", "-o", "json").json["status"] == "success"


def test_a_watch_ends_with_its_reader(bench: Bench) -> None:
    bench.write("m.yaml", [configmap("settings", colour="blue")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    run = _start(bench, "status", "--watch")
    assert run.stdout is not None
    run.stdout.close()
    assert run.wait(timeout=60) == 0
