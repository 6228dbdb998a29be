"""What bad input gets: one clear error with a way out, the right exit code, and nothing touched."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from shapes import WEB_CHART, WEB_VALUES, configmap

from sbkube.edges.cluster import HttpCluster


def _untouched(bench: Bench, server: HttpCluster) -> bool:
    return get(server, "Namespace", "", bench.namespace) is None


def _yaml_app(bench: Bench, **settings: object) -> None:
    bench.write("m.yaml", configmap("a", x="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, **settings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apiVersion: sbkube/v1\nsettigns: {}\napps: {}\n", ["sbkube.yaml:2:1", "settigns", "settings"]),
        ("apiVersion: sbkube/v1\nsettings: {timeout: [1]}\napps: {}\n", ["sbkube.yaml:2", "timeout"]),
        (
            "apiVersion: sbkube/v1\napps:\n  a: {type: yaml, manifests: [nope.yaml]}\n",
            ["sbkube.yaml:3", "nope.yaml"],
        ),
        ("apiVersion: sbkube/v1\napps:\n  a: {type: helmm, chart: ./c}\n", ["sbkube.yaml:3", "helmm", "helm"]),
        ("apiVersion: sbkube/v1\napps: {a: {type: yaml\n", ["sbkube.yaml:"]),
        (
            "apiVersion: sbkube/v1\napps: {a: {type: noop, depends_on: [b]}, b: {type: noop, depends_on: [a]}}\n",
            ["sbkube.yaml", "a", "b", "→"],
        ),
    ],
)
def test_a_wrong_file(bench: Bench, api_server: HttpCluster, text: str, words: list[str]) -> None:
    bench.write("sbkube.yaml", text)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3
    assert all(word in ran.err for word in words), ran.err
    assert _untouched(bench, api_server)


def test_no_project_file_says_how_to_make_one(bench: Bench) -> None:
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "sbkube init" in ran.err


def test_a_manifest_that_is_no_yaml(bench: Bench, api_server: HttpCluster) -> None:
    _yaml_app(bench)
    bench.write("m.yaml", "kind: ConfigMap\nmetadata: {name: a\n")
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "m.yaml:" in ran.err
    assert _untouched(bench, api_server)


def test_a_chart_that_does_not_render(bench: Bench, api_server: HttpCluster) -> None:
    chart = bench.chart("broken", {"x.yaml": 'a: {{ fail "no such luck" }}\n'})
    bench.project({"a": {"type": "helm", "chart": chart}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "no such luck" in ran.err
    assert _untouched(bench, api_server)


def test_an_unknown_kind(bench: Bench, api_server: HttpCluster) -> None:
    _yaml_app(bench)
    bench.write("m.yaml", {"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "g"}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "Gadget" in ran.err and "CRD" in ran.err
    assert _untouched(bench, api_server)


def test_an_unreachable_cluster(bench: Bench, tmp_path: Path) -> None:
    _yaml_app(bench)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bench.config = bench.write(
        "kubeconfig",
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {"token": "x"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        },
    )
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 4 and str(port) in ran.err


def test_a_wrong_token_is_forbidden(bench: Bench, cluster_config: Path) -> None:
    _yaml_app(bench)
    import yaml

    config = yaml.safe_load(cluster_config.read_text())
    config["users"][0]["user"] = {"token": "wrong"}
    bench.config = bench.write("kubeconfig", config)
    assert bench.sbkube("apply", "-y").code == 4


def test_a_missing_namespace_where_creating_is_switched_off(bench: Bench, api_server: HttpCluster) -> None:
    _yaml_app(bench, create_namespaces=False)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and bench.namespace in ran.err and "create" in ran.err
    assert _untouched(bench, api_server)


def test_a_conflict_names_field_manager_and_time(bench: Bench, api_server: HttpCluster) -> None:
    api_server.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}, manager="x", force=False
    )
    theirs = configmap("a", x="theirs")
    theirs["metadata"]["namespace"] = bench.namespace
    api_server.apply(theirs, manager="argocd", force=False)
    _yaml_app(bench)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3
    assert "data.x" in ran.err and "argocd" in ran.err and "force_conflicts" in ran.err
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"]["x"] == "theirs"
    _yaml_app(bench, force_conflicts=True)
    bench.ok("apply", "-y")


def test_a_state_folder_that_cannot_be_written(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    _yaml_app(bench)
    bench.write("occupied", "this is a file")
    monkeypatch.setenv("SBKUBE_STATE_URL", str(bench.folder / "occupied" / "deployments.db"))
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 5
    assert _untouched(bench, api_server)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk(bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    _yaml_app(bench)
    monkeypatch.setenv("SBKUBE_STATE_URL", "/dev/full")
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 5
    assert _untouched(bench, api_server)


def test_without_a_terminal_and_yes_a_delete_is_refused(bench: Bench, api_server: HttpCluster) -> None:
    _yaml_app(bench)
    bench.ok("apply", "-y")
    ran = bench.sbkube("delete")
    assert ran.code == 2 and "--yes" in ran.err
    assert get(api_server, "ConfigMap", bench.namespace, "a") is not None


def test_somebody_else_holds_the_lock(bench: Bench, api_server: HttpCluster) -> None:
    from sbkube.models.deployment_state import LockTarget
    from sbkube.state.tracker import DeploymentTracker

    _yaml_app(bench)
    bench.ok("apply", "-y")
    ledger = DeploymentTracker(os.environ["SBKUBE_STATE_URL"])
    held = ledger.acquire(LockTarget(bench.namespace, api_server.info().uid, bench.namespace), "apply by hand")
    try:
        ran = bench.sbkube("apply", "-y")
    finally:
        ledger.release(held)
    assert ran.code == 5 and "apply by hand" in ran.err and str(os.getpid()) in ran.err
    bench.ok("apply", "-y")


def test_helm_values_that_break_the_schema(bench: Bench, api_server: HttpCluster) -> None:
    chart = bench.chart("web", WEB_CHART, WEB_VALUES)
    schema = '{"type": "object", "properties": {"replicas": {"type": "integer"}}}'
    bench.write("charts/web/values.schema.json", schema)
    bench.project({"a": {"type": "helm", "chart": chart, "values": [{"replicas": "many"}]}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "replicas" in ran.err
    assert _untouched(bench, api_server)


def test_the_history_is_there_whatever_is_wrong_with_the_file(bench: Bench) -> None:
    bench.write("m.yaml", [configmap("a")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    text = (bench.folder / "sbkube.yaml").read_text()
    (bench.folder / "sbkube.yaml").write_text(text + "\nappps: {}\n")
    assert bench.sbkube("plan").code == 3
    assert len(bench.ok("history", "-o", "json").json["deployments"]) == 1
    assert bench.ok("show", "-o", "json").json["status"] == "success"
