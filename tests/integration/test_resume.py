"""Going on with what was cut off: the rest of the same plan, once, and only if it still means what was planned."""

from __future__ import annotations

import re
import signal

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_crash import _open_intents, _slow_project, _start, _until
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


def _two(bench: Bench, colour: str, seconds: int) -> None:
    """`first` takes so many seconds, `second` comes after it."""
    bench.write("m.yaml", [configmap("first", colour=colour), deployment("slow", ready_after=str(seconds))])
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"p": f"s3cret-{colour}"},
    }
    bench.write("n.yaml", [configmap("second", colour=colour), secret])
    bench.project(
        {
            "first": {"type": "yaml", "manifests": ["m.yaml"]},
            "second": {"type": "yaml", "manifests": ["n.yaml"], "depends_on": ["first"]},
        },
        timeout=60,
    )


def _kill(bench: Bench, server: HttpCluster, *words: str, kind: str = "Deployment", name: str = "slow") -> None:
    run = _start(bench, *words)
    try:
        _until(lambda: get(server, kind, bench.namespace, name, "apps" if kind == "Deployment" else ""))
    finally:
        run.send_signal(signal.SIGKILL)
        run.communicate()


def _data(server: HttpCluster, bench: Bench, name: str) -> str:
    live = get(server, "ConfigMap", bench.namespace, name)
    return live["data"]["colour"] if live else ""


def test_the_rest_is_done_and_history_tells_one_story(bench: Bench, api_server: HttpCluster) -> None:
    _two(bench, "blue", 6)
    _kill(bench, api_server, "apply", "-y")
    first = get(api_server, "ConfigMap", bench.namespace, "first")
    assert _data(api_server, bench, "second") == ""
    _two(bench, "green", 0)  # the project goes on changing: that is for the next apply
    done = bench.ok("resume", "-y", "-o", "json").json["deployment"]
    assert get(api_server, "ConfigMap", bench.namespace, "first") == first  # not touched again
    assert _data(api_server, bench, "second") == "blue"
    login = get(api_server, "Secret", bench.namespace, "s")
    assert login is not None
    listed = bench.ok("history", "-o", "json").json["deployments"]
    assert [(d["command"], d["status"]) for d in listed] == [("resume", "success"), ("apply", "interrupted")]
    assert listed[0]["parent"] == listed[1]["deployment_id"]
    assert listed[1]["resumed_by"] == listed[0]["deployment_id"] == done["deployment_id"]
    shown = bench.ok("show", listed[1]["deployment_id"]).out
    assert listed[0]["deployment_id"] in shown and "resumed" in shown
    asked = bench.ok("show", "latest").out
    assert asked.startswith(done["deployment_id"]) and listed[1]["deployment_id"] in asked
    assert bench.ok("show", "latest", "-o", "json").json["story"] == [
        listed[1]["deployment_id"],
        listed[0]["deployment_id"],
    ]
    assert "resumed" in bench.ok("history").out
    assert _open_intents() == 0
    assert "Nothing to resume" in bench.ok("resume").out


def test_a_rollback_undoes_the_whole_story(bench: Bench, api_server: HttpCluster) -> None:
    _two(bench, "blue", 6)
    _kill(bench, api_server, "apply", "-y")
    assert "Resume of dep-" in bench.ok("resume", "-y").out
    bench.ok("rollback", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "first") is None
    assert get(api_server, "ConfigMap", bench.namespace, "second") is None


def test_what_others_changed_since_is_listed_and_nothing_is_done(bench: Bench, api_server: HttpCluster) -> None:
    _two(bench, "blue", 6)
    _kill(bench, api_server, "apply", "-y")
    foreign = configmap("second", colour="theirs")
    foreign["metadata"]["namespace"] = bench.namespace
    api_server.create(foreign, manager="kubectl-create")
    ran = bench.sbkube("resume", "-y")
    assert ran.code == 3
    assert "ConfigMap/second" in ran.err and "created by somebody" in ran.err and "sbkube apply" in ran.err
    assert _data(api_server, bench, "second") == "theirs"
    assert get(api_server, "Secret", bench.namespace, "s") is None


def test_an_update_that_was_left_is_bound_to_what_was_planned(bench: Bench, api_server: HttpCluster) -> None:
    _two(bench, "blue", 0)
    bench.ok("apply", "-y")
    _two(bench, "red", 6)
    run = _start(bench, "apply", "-y")
    _until(lambda: _data(api_server, bench, "first") == "red")
    run.kill()
    run.communicate()
    second = api_server.merge(
        _key(bench, "second"), {"metadata": {"annotations": {"theirs": "1"}}}, manager="somebody"
    )
    bench.ok("resume", "-y")  # another field has moved, the planned change is still the same
    live = get(api_server, "ConfigMap", bench.namespace, "second")
    assert live is not None and live["data"]["colour"] == "red"
    assert live["metadata"]["annotations"] == second["metadata"]["annotations"]


def test_without_the_key_it_says_what_is_missing(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    _two(bench, "blue", 6)
    _kill(bench, api_server, "apply", "-y")
    monkeypatch.setenv("SBKUBE_STATE_KEY", bench.ok("state", "key").out.strip())
    ran = bench.sbkube("resume", "-y")
    assert ran.code == 5 and "SBKUBE_STATE_KEY" in ran.err
    monkeypatch.delenv("SBKUBE_STATE_KEY")
    bench.ok("resume", "-y")
    assert get(api_server, "Secret", bench.namespace, "s") is not None


def test_after_ctrl_c_too(bench: Bench, api_server: HttpCluster) -> None:
    _two(bench, "blue", 6)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    run.send_signal(signal.SIGINT)
    run.communicate()
    assert run.returncode == 130
    bench.ok("resume", "-y")
    assert _data(api_server, bench, "second") == "blue"


def test_a_delete_is_gone_on_with(bench: Bench, api_server: HttpCluster) -> None:
    _two(bench, "blue", 0)
    bench.ok("apply", "-y")
    run = _start(bench, "delete", "-y")
    _until(lambda: get(api_server, "ConfigMap", bench.namespace, "second") is None)
    run.kill()
    run.communicate()
    assert bench.sbkube("resume", "-y").code == 0
    for name in ("first", "second"):
        assert get(api_server, "ConfigMap", bench.namespace, name) is None
    assert _open_intents() == 0


def test_an_unreachable_cluster_loses_nothing(bench: Bench, api_server: HttpCluster) -> None:
    _slow_project(bench)
    _kill(bench, api_server, "apply", "-y")
    before = _open_intents()
    text = re.sub(r"https://[^\s\"',]+", "https://127.0.0.1:9", bench.config.read_text())
    broken = bench.write("broken-kubeconfig", text)
    whole, bench.config = bench.config, broken
    assert bench.sbkube("recover").code == 4
    assert bench.sbkube("resume", "-y").code == 4
    assert _open_intents() == before
    bench.config = whole
    bench.ok("recover")
    assert _open_intents() == 0


def _key(bench: Bench, name: str) -> ResourceKey:
    return ResourceKey("", "v1", "ConfigMap", bench.namespace, name)
