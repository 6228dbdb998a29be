"""The database is lost: the labels on the objects are enough to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from shapes import WEB_CHART, WEB_VALUES, configmap

from sbkube.edges.cluster import HttpCluster


def _deploy(bench: Bench) -> None:
    bench.write("m.yaml", [configmap("one", colour="blue"), configmap("two", colour="blue")])
    apps = {
        "plain": {"type": "yaml", "manifests": ["m.yaml"]},
        "web": {"type": "helm", "chart": bench.chart("web", WEB_CHART, WEB_VALUES)},
    }
    bench.project(apps)
    bench.ok("apply", "-y")


def _names(app: dict[str, Any]) -> list[str]:
    """Its objects without the namespace that sbkube made for them."""
    return sorted(o["name"] for o in app["objects"] if o["kind"] != "Namespace")


@pytest.fixture
def lost(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    """A project whose database is gone; a new, empty one is in its place."""
    _deploy(bench)
    monkeypatch.setenv("SBKUBE_STATE_URL", str(tmp_path / "new.db"))
    return bench


def test_what_is_there_is_shown_and_recorded(lost: Bench, api_server: HttpCluster) -> None:
    assert lost.sbkube("state", "rebuild").code == 2  # nobody there to ask
    document = lost.ok("state", "rebuild", "--dry-run", "-o", "json").json
    found = {app["name"]: _names(app) for app in document["apps"]}
    assert found == {"plain": ["one", "two"], "web": ["web", "web-page"]}
    assert [app["release"] for app in document["apps"]] == [None, f"{lost.namespace}/web"]
    assert lost.ok("history", "-o", "json").json["deployments"] == []
    lost.ok("state", "rebuild", "-y")
    (made,) = lost.ok("history", "-o", "json").json["deployments"]
    assert (made["command"], made["status"]) == ("rebuild", "success")
    assert "intact" in lost.ok("state", "verify").out
    assert lost.ok("diff", "-o", "json").json["changes_pending"] is False


def test_prune_rollback_and_delete_go_on_from_there(lost: Bench, api_server: HttpCluster) -> None:
    lost.ok("state", "rebuild", "-y")
    lost.write("m.yaml", [configmap("one", colour="red")])
    lost.ok("apply", "-y")
    assert get(api_server, "ConfigMap", lost.namespace, "two") is None
    lost.ok("rollback", "-y")
    one, two = (get(api_server, "ConfigMap", lost.namespace, name) for name in ("one", "two"))
    assert one is not None and two is not None
    assert one["data"] == two["data"] == {"colour": "blue"}
    lost.ok("delete", "-y")
    for kind, name in (("ConfigMap", "one"), ("ConfigMap", "two"), ("ConfigMap", "web-page")):
        assert get(api_server, kind, lost.namespace, name) is None


def test_a_rollback_never_undoes_the_rebuild(lost: Bench, api_server: HttpCluster) -> None:
    lost.ok("state", "rebuild", "-y")
    lost.sbkube("rollback", "-y")
    assert get(api_server, "ConfigMap", lost.namespace, "one") is not None
    assert get(api_server, "Deployment", lost.namespace, "web", "apps") is not None


def test_others_are_kept_apart(lost: Bench, api_server: HttpCluster) -> None:
    ours = get(api_server, "ConfigMap", lost.namespace, "one")
    assert ours is not None
    tags = ours["metadata"]["labels"]
    copied = {**configmap("copied"), "metadata": {"name": "copied", "namespace": lost.namespace, "labels": tags}}
    api_server.create(copied, manager="somebody")
    other = {**tags, "sbkube.dev/project": "another"}
    foreign = {
        **configmap("foreign"),
        "metadata": {"name": "foreign", "namespace": lost.namespace, "labels": other},
    }
    api_server.apply(foreign, manager="sbkube", force=False)
    document = lost.ok("state", "rebuild", "-y", "-o", "json").json
    assert [_names(app) for app in document["apps"]] == [["one", "two"], ["web", "web-page"]]
    (left,) = document["left_out"]
    assert left["name"] == "copied" and "somebody" in left["reason"]


def test_the_same_project_in_another_namespace_is_another_one(lost: Bench, api_server: HttpCluster) -> None:
    """Labels name the project only; the Lease in each base namespace tells the two apart."""
    there = f"{lost.namespace}-b"
    lost.ok("apply", "-y", "-n", there)
    document = lost.ok("state", "rebuild", "--dry-run", "-o", "json").json
    spaces = {o["namespace"] or o["name"] for app in document["apps"] for o in app["objects"]}
    assert spaces == {lost.namespace}
    assert {row["namespace"] or row["name"] for row in document["left_out"]} == {there}
    lost.ok("delete", "-y", "-n", there)
