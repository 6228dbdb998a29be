"""From a file to a cluster and into the record."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import yaml
from integration.conftest import Bench
from shapes import WEB_CHART, WEB_VALUES, configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


def get(server: HttpCluster, kind: str, namespace: str, name: str, group: str = "") -> dict[str, Any] | None:
    """A live object of a v1 kind."""
    return server.get(ResourceKey(group, "v1", kind, namespace, name))


def _two_apps(bench: Bench, greeting: str = "hello") -> None:
    bench.write("m/all.yaml", [configmap("settings", colour="blue"), deployment("worker")])
    bench.project(
        {
            "plain": {"type": "yaml", "manifests": ["m/all.yaml"]},
            "web": {
                "type": "helm",
                "chart": bench.chart("web", WEB_CHART, WEB_VALUES),
                "values": [{"greeting": greeting}],
                "depends_on": ["plain"],
            },
        }
    )


def test_apply_creates_labels_and_records(bench: Bench, api_server: HttpCluster) -> None:
    _two_apps(bench)
    document = bench.ok("apply", "-y", "-o", "json").json
    assert document["deployment"]["status"] == "success"
    settings = get(api_server, "ConfigMap", bench.namespace, "settings")
    assert settings is not None
    assert settings["metadata"]["labels"]["sbkube.dev/project"] == bench.namespace
    assert settings["metadata"]["labels"]["sbkube.dev/app"] == "plain"
    web = get(api_server, "Deployment", bench.namespace, "web", "apps")
    assert web is not None and web["metadata"]["labels"]["sbkube.dev/app"] == "web"
    assert web["status"]["readyReplicas"] == 1
    history = bench.ok("history", "-o", "json").json
    assert history["schema"] == "sbkube/history/v1"
    assert [d["status"] for d in history["deployments"]] == ["success"]


def test_nothing_is_written_when_nothing_changed(bench: Bench, api_server: HttpCluster) -> None:
    _two_apps(bench)
    bench.ok("apply", "-y")
    before = get(api_server, "ConfigMap", bench.namespace, "settings")
    again = bench.ok("apply", "-y", "-o", "json").json
    assert again["summary"]["create"] == again["summary"]["change"] == again["summary"]["delete"] == 0
    assert get(api_server, "ConfigMap", bench.namespace, "settings") == before
    secrets = api_server.resource_type("v1", "Secret")
    assert secrets is not None
    assert len(api_server.list(secrets, bench.namespace, labels="owner=helm")) == 1
    assert bench.sbkube("diff", "--exit-status").code == 0


def test_diff_names_the_field_and_touches_nothing(bench: Bench, api_server: HttpCluster) -> None:
    _two_apps(bench)
    bench.ok("apply", "-y")
    _two_apps(bench, greeting="good evening")
    shown = bench.sbkube("diff", "--exit-status")
    assert shown.code == 10
    assert "good evening" in shown.out and "1 to change" in shown.out
    page = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert page is not None and page["data"]["greeting"] == "hello"


def test_a_change_and_its_rollback(bench: Bench, api_server: HttpCluster) -> None:
    _two_apps(bench)
    bench.ok("apply", "-y")
    _two_apps(bench, greeting="good evening")
    bench.write("m/all.yaml", [configmap("settings", colour="red", extra="1"), configmap("more", a="b")])
    bench.ok("apply", "-y")
    assert get(api_server, "Deployment", bench.namespace, "worker", "apps") is None  # pruned
    bench.ok("rollback", "-y")
    settings = get(api_server, "ConfigMap", bench.namespace, "settings")
    assert settings is not None and settings["data"] == {"colour": "blue"}
    assert get(api_server, "ConfigMap", bench.namespace, "more") is None
    assert get(api_server, "Deployment", bench.namespace, "worker", "apps") is not None
    page = get(api_server, "ConfigMap", bench.namespace, "web-page")
    assert page is not None and page["data"]["greeting"] == "hello"
    newest = bench.ok("history", "-o", "json").json["deployments"][0]
    assert newest["command"] == "rollback" and newest["status"] == "success" and newest["parent"]


def test_delete_leaves_nothing_and_can_be_rolled_back(bench: Bench, api_server: HttpCluster) -> None:
    _two_apps(bench)
    bench.ok("apply", "-y")
    bench.ok("delete", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "settings") is None
    assert get(api_server, "Deployment", bench.namespace, "web", "apps") is None
    bench.ok("rollback", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "settings") is not None
    assert get(api_server, "Deployment", bench.namespace, "web", "apps") is not None


def test_a_namespace_of_our_own_goes_with_delete(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("m.yaml", configmap("a", x="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    bench.ok("delete", "-y")
    live = api_server.get(ResourceKey("", "v1", "Namespace", "", bench.namespace))
    assert live is None or live["metadata"].get("deletionTimestamp")


def test_a_pod_that_cannot_start_fails_with_its_name_and_reason(bench: Bench) -> None:
    bench.write("m.yaml", [deployment("broken", fail="ImagePullBackOff")])
    bench.project({"bad": {"type": "yaml", "manifests": ["m.yaml"]}}, timeout=60)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 1
    text = ran.out + ran.err
    assert "ImagePullBackOff" in text and "broken-" in text
    assert "bad: failed: ImagePullBackOff: Pod/broken-" in ran.err and "✗ bad  ImagePullBackOff: Pod/" in ran.out
    assert "…" not in ran.out, "nothing is cut without a terminal"
    assert bench.ok("history", "-o", "json").json["deployments"][0]["status"] == "failed"
    assert "ImagePullBackOff" in bench.ok("show", "latest").out


def test_a_release_whose_pod_cannot_start_fails_early_with_its_name_and_reason(bench: Bench) -> None:
    broken = yaml.safe_dump(deployment("broken", fail="CrashLoopBackOff"))
    bench.project({"bad": {"type": "helm", "chart": bench.chart("bad", {"d.yaml": broken}), "timeout": 120}})
    started = time.monotonic()
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == ran.json["exit_code"] == 1
    assert time.monotonic() - started < 60
    error = ran.json["deployment"]["apps"][0]["error"]
    assert "CrashLoopBackOff" in error and "Pod/broken-" in error
    assert "CrashLoopBackOff" in bench.ok("show", "latest").out


def test_stop_starts_no_other_app_and_continue_goes_on(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("bad.yaml", [deployment("broken", fail="ImagePullBackOff")])
    bench.write("good.yaml", configmap("good", x="1"))
    apps = {
        "bad": {"type": "yaml", "manifests": ["bad.yaml"]},
        "good": {"type": "yaml", "manifests": ["good.yaml"]},
    }
    bench.project(apps, timeout=60)
    assert bench.sbkube("apply", "-y").code == 1
    assert get(api_server, "ConfigMap", bench.namespace, "good") is None
    bench.project(apps, timeout=60, on_failure="continue")
    assert bench.sbkube("apply", "-y").code == 1
    assert get(api_server, "ConfigMap", bench.namespace, "good") is not None
    assert bench.ok("history", "-o", "json").json["deployments"][0]["status"] == "partially_failed"


def test_every_write_has_an_intent_and_none_stays_open(bench: Bench) -> None:
    _two_apps(bench)
    bench.ok("apply", "-y")
    import os

    with sqlite3.connect(Path(os.environ["SBKUBE_STATE_URL"])) as database:
        states = dict(database.execute("select state, count(*) from deployed_resources group by state").fetchall())
    assert states.get("applied", 0) >= 5
    assert not states.get("intended")


def test_secrets_are_in_no_output_and_not_in_the_database(bench: Bench, tmp_path: Path) -> None:
    import os

    planted = "planted-8c1f4e"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": planted}}
    bench.write("m.yaml", secret)
    chart = bench.chart(
        "keeper",
        {
            "s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: k}\n"
            "stringData: {p: {{ .Values.p | quote }}}\n"
        },
    )
    bench.project(
        {
            "plain": {"type": "yaml", "manifests": ["m.yaml"]},
            "keeper": {"type": "helm", "chart": chart, "values": [{"p": planted}]},
        }
    )
    written = [bench.sbkube(*words) for words in (
        ("diff",), ("diff", "-o", "json"), ("apply", "-y", "-v"), ("show", "latest", "-o", "json"), ("template",),
        ("history", "-o", "yaml"), ("status", "-o", "json"),
    )]  # fmt: skip
    assert [ran.code for ran in written] == [0] * 7
    assert all(planted not in ran.out + ran.err for ran in written)
    home = Path(os.environ["SBKUBE_STATE_URL"]).parent
    for file in home.rglob("*"):
        if file.is_file():
            assert planted.encode() not in file.read_bytes(), file
