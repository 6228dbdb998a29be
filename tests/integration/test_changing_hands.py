"""An object between our own applies and a release: what goes is shown, goes, and comes back by a rollback."""

from __future__ import annotations

from typing import Any

from integration.conftest import Bench
from integration.test_apply import get
from shapes import configmap

from sbkube.edges.cluster import HttpCluster

CHART = """apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {greeting: hi, chart: x}
"""


def _as_yaml(bench: Bench) -> None:
    bench.write("m.yaml", configmap("page", greeting="hello", file="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})


def _as_release(bench: Bench) -> None:
    bench.project({"web": {"type": "helm", "chart": bench.chart("web", {"page.yaml": CHART})}})


def _fields(bench: Bench) -> dict[str, tuple[Any, Any]]:
    apps = bench.ok("plan", "-o", "json").json["apps"]
    (change,) = [c for a in apps for c in a["changes"] if c["name"] == "page"]
    return {f["path"]: (f["before"], f["after"]) for f in change["fields"]}


def _page(bench: Bench, server: HttpCluster) -> dict[str, Any]:
    live = get(server, "ConfigMap", bench.namespace, "page")
    assert live is not None
    return live


def _settled(bench: Bench) -> None:
    assert bench.ok("plan", "--exit-status").code == 0
    assert bench.ok("drift").code == 0


def test_fields_that_only_the_file_had_go_with_the_handover(bench: Bench, api_server: HttpCluster) -> None:
    _as_yaml(bench)
    bench.ok("apply", "-y")
    uid = _page(bench, api_server)["metadata"]["uid"]
    _as_release(bench)
    assert _fields(bench)["data.file"] == ("1", None)
    bench.ok("apply", "-y")
    live = _page(bench, api_server)
    assert live["data"] == {"greeting": "hi", "chart": "x"} and live["metadata"]["uid"] == uid
    _settled(bench)


def test_fields_that_only_the_chart_had_go_when_the_release_is_taken_apart(
    bench: Bench, api_server: HttpCluster
) -> None:
    _as_release(bench)
    bench.ok("apply", "-y")
    uid = _page(bench, api_server)["metadata"]["uid"]
    _as_yaml(bench)
    fields = _fields(bench)
    assert fields["data.chart"] == ("x", None)
    assert not [after for path, (_, after) in fields.items() if "meta.helm.sh" in path and after]
    assert "hooks for deletion do not run" in bench.ok("plan").out
    bench.ok("apply", "-y")
    live = _page(bench, api_server)
    assert live["data"] == {"greeting": "hello", "file": "1"} and live["metadata"]["uid"] == uid
    assert "annotations" not in live["metadata"]
    assert {entry["manager"] for entry in live["metadata"]["managedFields"]} == {"sbkube"}
    _settled(bench)


def test_a_release_that_was_taken_apart_comes_back_and_goes_again(bench: Bench, api_server: HttpCluster) -> None:
    def record() -> dict[str, Any] | None:
        return get(api_server, "Secret", bench.namespace, "sh.helm.release.v1.web.v1")

    _as_release(bench)
    bench.ok("apply", "-y")
    _as_yaml(bench)
    bench.ok("apply", "-y")
    assert record() is None
    bench.ok("rollback", "-y")
    assert record() is not None and _page(bench, api_server)["data"] == {"greeting": "hi", "chart": "x"}
    assert bench.ok("drift").code == 0
    bench.ok("rollback", "-y")
    assert record() is None and _page(bench, api_server)["data"] == {"greeting": "hello", "file": "1"}
    _settled(bench)
    bench.ok("rollback", "-y")
    _as_release(bench)
    bench.ok("apply", "-y")
    assert _page(bench, api_server)["data"] == {"greeting": "hi", "chart": "x"}
    _settled(bench)
