"""Objects that others deleted: made again while they are wanted, forgotten when they are not."""

from __future__ import annotations

from integration.conftest import Bench
from integration.test_apply import get
from integration.test_conflicts import app, placed
from shapes import configmap

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


def _key(bench: Bench, name: str) -> ResourceKey:
    return ResourceKey("", "v1", "ConfigMap", bench.namespace, name)


def _objects(bench: Bench) -> list[str]:
    apps = bench.ok("status", "-o", "json").json["apps"]
    return [o["name"] for a in apps for o in a["objects"] if o["kind"] == "ConfigMap"]


def test_what_is_wanted_is_made_again(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    api_server.delete(_key(bench, "a"))
    bench.ok("apply", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "a") is not None


def test_what_is_not_wanted_leaves_the_record_without_asking(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, configmap("a", x="1"), configmap("b", x="1"))
    bench.ok("apply", "-y")
    api_server.delete(_key(bench, "b"))
    assert _objects(bench) == ["b", "a"] or _objects(bench) == ["a", "b"]
    app(bench, configmap("a", x="1"))
    assert "deleted by somebody else" in bench.ok("plan", "-v").out
    bench.ok("apply")  # nothing is taken away, so nobody is asked
    assert _objects(bench) == ["a"]
    assert "forgotten" in bench.ok("show", "latest").out
    assert bench.ok("plan", "--exit-status").code == 0
    assert bench.ok("drift").code == 0


def test_a_successor_of_the_same_name_is_left_alone(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, configmap("a", x="1"), configmap("b", x="1"))
    bench.ok("apply", "-y")
    api_server.delete(_key(bench, "b"))
    api_server.create(placed(configmap("b", x="theirs"), bench), manager="somebody")
    app(bench, configmap("a", x="1"))
    ran = bench.ok("apply", "-y")
    assert "it is not the object that we created" in ran.out
    assert get(api_server, "ConfigMap", bench.namespace, "b") is not None
    assert _objects(bench) == ["a"]
    assert "not the object" not in bench.ok("plan").out


def test_delete_forgets_what_is_gone(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    api_server.delete(_key(bench, "a"))
    bench.ok("delete", "-y")
    assert _objects(bench) == []
    assert bench.ok("drift").code == 0


def test_a_namespace_that_was_there_before_us_stays(bench: Bench, api_server: HttpCluster) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}
    api_server.create(body, manager="somebody")
    app(bench, body, configmap("a", x="1"))
    bench.ok("apply", "-y")
    bench.ok("delete", "-y", "--delete-data")
    live = api_server.get(ResourceKey("", "v1", "Namespace", "", bench.namespace))
    assert live is not None and not live["metadata"].get("deletionTimestamp")
    assert get(api_server, "ConfigMap", bench.namespace, "a") is None


def test_a_rollback_to_a_deployment_brings_back_what_was_forgotten_since(
    bench: Bench, api_server: HttpCluster
) -> None:
    app(bench, configmap("a", x="1"), configmap("b", x="1"))
    first = bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"]
    api_server.delete(_key(bench, "b"))
    app(bench, configmap("a", x="2"))
    bench.ok("apply", "-y")
    bench.ok("rollback", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "b") is None  # it was gone before that
    bench.ok("rollback", "--to", first, "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "b")
    assert live is not None and live["data"] == {"x": "1"}
    bench.ok("rollback", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "b") is None
