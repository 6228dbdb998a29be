"""`on_failure`: what goes on, what is undone, which error is told, and what the record says."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_crash import _start, _until
from integration.test_rollback_forms import data, edit, web
from shapes import WEB_CHART, WEB_VALUES, configmap, deployment

from sbkube.edges.cluster import HttpCluster


def project(bench: Bench, x: str, *more: dict[str, Any], **settings: Any) -> None:
    """App `good` and then app `bad`, each with a ConfigMap of its name; `more` belongs to `bad`."""
    bench.write("good.yaml", configmap("good", x=x))
    bench.write("bad.yaml", [configmap("bad", x=x), *more])
    apps = {name: {"type": "yaml", "manifests": [f"{name}.yaml"]} for name in ("good", "bad")}
    bench.project(apps, **{"timeout": 30, **settings})


BROKEN = deployment("broken", fail="ImagePullBackOff")


def statuses(bench: Bench) -> list[tuple[str, str]]:
    found = bench.ok("history", "-o", "json").json["deployments"]
    return [(d["command"], d["status"]) for d in found]


@pytest.mark.parametrize(("scope", "good"), [("app", "2"), ("phase", "1"), ("all", "1")])
def test_rollback_scopes(bench: Bench, api_server: HttpCluster, scope: str, good: str) -> None:
    project(bench, "1")
    bench.ok("apply", "-y")
    project(bench, "2", BROKEN, on_failure="rollback", rollback_scope=scope)
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == ran.json["exit_code"] == 1
    assert ran.json["deployment"]["status"] == "partially_failed"
    assert "ImagePullBackOff" in ran.json["deployment"]["error"]
    assert ran.json["rollback"]["status"] == "success" and ran.json["rollback"]["error"] is None
    assert data(api_server, bench, "good") == {"x": good} and data(api_server, bench, "bad") == {"x": "1"}
    assert get(api_server, "Deployment", bench.namespace, "broken", "apps") is None
    assert statuses(bench)[:2] == [("rollback", "success"), ("apply", "partially_failed")]
    newest, failed, first = bench.ok("history", "-o", "json").json["deployments"]
    assert newest["parent"] == ran.json["deployment"]["deployment_id"]
    assert failed["rolled_back_by"] == (None if scope == "app" else newest["deployment_id"])
    assert first["rolled_back_by"] is None
    kept = bench.ok("show", ran.json["deployment"]["deployment_id"]).out
    assert "ImagePullBackOff" in kept and "broken-" in kept  # evidence from before anything was undone


@pytest.mark.parametrize("policy", ["stop", "continue"])
def test_without_rollback_nothing_is_undone(bench: Bench, api_server: HttpCluster, policy: str) -> None:
    project(bench, "1", BROKEN, on_failure=policy)
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == 1 and ran.json["rollback"] is None
    assert data(api_server, bench, "good") == {"x": "1"} and data(api_server, bench, "bad") == {"x": "1"}


def test_a_first_deployment_that_fails_leaves_nothing(bench: Bench, api_server: HttpCluster) -> None:
    project(bench, "1", BROKEN, on_failure="rollback", rollback_scope="all")
    assert bench.sbkube("apply", "-y").code == 1
    assert data(api_server, bench, "good") is None and data(api_server, bench, "bad") is None
    assert bench.ok("delete", "-y", "-o", "json").json["summary"]["delete"] == 0


def test_what_others_changed_meanwhile_stops_the_rollback(bench: Bench, api_server: HttpCluster) -> None:
    project(bench, "1")
    bench.ok("apply", "-y")
    project(bench, "2", BROKEN, on_failure="rollback")

    def meddle() -> None:
        _until(lambda: (data(api_server, bench, "bad") or {}).get("x") == "2")
        edit(api_server, bench, configmap("bad", x="by hand"))

    thread = threading.Thread(target=meddle)
    thread.start()
    ran = bench.sbkube("apply", "-y", "-o", "json")
    thread.join()
    assert ran.code == 1 and "ImagePullBackOff" in ran.json["deployment"]["error"]
    assert ran.json["rollback"]["status"] == "refused"
    assert "ConfigMap/bad" in ran.json["rollback"]["error"] and "anna" in ran.json["rollback"]["error"]
    assert data(api_server, bench, "bad") == {"x": "by hand"}
    assert statuses(bench)[0] == ("apply", "partially_failed")


def test_a_rollback_that_fails_says_so(bench: Bench) -> None:
    """The state before was not healthy either."""
    bench.write("m.yaml", deployment("d", fail="ErrImagePull"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, timeout=20)
    assert bench.sbkube("apply", "-y").code == 1
    bench.write("m.yaml", deployment("d", fail="ImagePullBackOff"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, timeout=20, on_failure="rollback")
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == 1 and "ImagePullBackOff" in ran.json["deployment"]["error"]
    assert ran.json["rollback"]["status"] == "failed" and "Pod/d-" in ran.json["rollback"]["error"]
    assert "rollback dep-" in ran.err and "failed" in ran.err
    assert statuses(bench)[:2] == [("rollback", "failed"), ("apply", "failed")]


def test_an_atomic_release_that_helm_has_rolled_back_is_left_alone(bench: Bench, api_server: HttpCluster) -> None:
    web(bench, "one")
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    bench.write("charts/web/templates/more.yaml", [configmap("more", x="1"), BROKEN])
    app = {"type": "helm", "chart": chart, "values": [{"greeting": "two"}], "timeout": 8, "atomic": True}
    bench.project({"web": app}, on_failure="rollback")
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == 1
    assert data(api_server, bench, "web-page") == {"greeting": "one"} and data(api_server, bench, "more") is None
    assert ran.json["rollback"]["status"] == "success"
    assert bench.ok("show", "latest", "-o", "json").json["releases"] == []


def _running(command: str) -> bool:
    with sqlite3.connect(Path(os.environ["SBKUBE_STATE_URL"])) as database:
        query = "select count(*) from deployments where command = ? and status = 'in_progress'"
        return bool(database.execute(query, (command,)).fetchone()[0])


def test_ctrl_c_is_not_a_failure_that_is_rolled_back(bench: Bench, api_server: HttpCluster) -> None:
    project(bench, "1", deployment("slow", ready_after="30"), on_failure="rollback")
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=40)
    assert run.returncode == 130 and "nothing is rolled back" in err
    assert data(api_server, bench, "bad") == {"x": "1"}
    assert statuses(bench) == [("apply", "interrupted")]


def test_ctrl_c_during_the_rollback_is_recorded_and_the_first_error_stays(
    bench: Bench, api_server: HttpCluster
) -> None:
    project(bench, "1")
    bench.write("good.yaml", [configmap("good", x="1"), deployment("d", ready_after="5")])
    bench.ok("apply", "-y")
    project(bench, "2", BROKEN, on_failure="rollback", rollback_scope="all", timeout=60)
    run = _start(bench, "apply", "-y", "-o", "json")
    _until(lambda: _running("rollback"), 60)
    _until(lambda: get(api_server, "Deployment", bench.namespace, "d", "apps"))
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=40)
    assert run.returncode == 1 and "ImagePullBackOff" in out and '"status": "interrupted"' in out
    assert "ended as interrupted" in err
    assert [status for _, status in statuses(bench)[:2]] == ["interrupted", "partially_failed"]
    bench.ok("resume", "-y")
    assert data(api_server, bench, "bad") == data(api_server, bench, "good") == {"x": "1"}
    assert get(api_server, "Deployment", bench.namespace, "broken", "apps") is None
    assert statuses(bench)[0] == ("resume", "success")
