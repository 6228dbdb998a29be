"""Delete: in reverse order, with consent, never beyond what is recorded, and honest about what is left."""

from __future__ import annotations

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_rollback_forms import CLAIM, data, deploy, key, web
from shapes import configmap

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


def test_dependents_go_first(bench: Bench, api_server: HttpCluster) -> None:
    for name in ("db", "api", "page"):
        bench.write(f"{name}.yaml", configmap(name, x="1"))
    spec = {name: {"type": "yaml", "manifests": [f"{name}.yaml"]} for name in ("db", "api", "page")}
    spec["api"]["depends_on"] = ["db"]
    spec["page"]["depends_on"] = ["api"]
    bench.project(spec)
    bench.ok("apply", "-y")
    ran = bench.ok("delete", "-y", "-o", "json").json
    assert ran["exit_code"] == 0 and ran["deployment"]["status"] == "success"
    gone = [r["name"] for r in ran["deployment"]["resources"] if r["kind"] == "ConfigMap"]
    assert gone == ["page", "api", "db"]
    again = bench.ok("delete", "-y", "-o", "json").json
    assert again["summary"]["delete"] == 0 and again["deployment"]["status"] == "success"


def test_data_stays_without_consent_and_its_namespace_with_it(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, CLAIM, configmap("a", x="1"))
    ran = bench.ok("delete", "-y", "-o", "json").json
    assert any("PersistentVolumeClaim/data" in w and "--delete-data" in w for w in ran["warnings"])
    assert any("Namespace" in w and "PersistentVolumeClaim/data" in w for w in ran["warnings"])
    assert get(api_server, "PersistentVolumeClaim", bench.namespace, "data") is not None
    bench.ok("delete", "-y", "--delete-data")
    assert api_server.get(ResourceKey("", "v1", "Namespace", "", bench.namespace)) is None


def test_a_finalizer_that_nobody_removes_is_named(bench: Bench, api_server: HttpCluster) -> None:
    held = configmap("held", x="1")
    held["metadata"]["finalizers"] = ["example.com/never"]
    deploy(bench, held, configmap("free", x="1"), timeout=3)
    ran = bench.sbkube("delete", "-y", "-o", "json")
    assert ran.code == ran.json["exit_code"] == 1
    document = ran.json["deployment"]
    assert "ConfigMap/held" in document["error"] and "example.com/never" in document["error"]
    states = {r["name"]: r["state"] for r in document["resources"]}
    assert states["held"] == "failed" and states["free"] == "applied"
    assert data(api_server, bench, "free") is None
    api_server.merge(key(bench, "ConfigMap", "held"), {"metadata": {"finalizers": None}}, manager="anna")
    bench.ok("delete", "-y")
    assert data(api_server, bench, "held") is None


def test_without_its_database_nothing_is_deleted_by_label_alone(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(bench, configmap("a", x="1"))
    monkeypatch.setenv("SBKUBE_STATE_URL", str(bench.folder / "empty.db"))
    ran = bench.sbkube("delete", "-y", "-o", "json")
    assert ran.code == ran.json["exit_code"] == 5
    assert "does not know dep-" in ran.json["message"] and "state rebuild" in ran.json["hint"]

    leases = api_server.resource_type("coordination.k8s.io/v1", "Lease")
    assert leases is not None
    for lease in api_server.list(leases, bench.namespace):
        api_server.delete(ResourceKey.of(lease))
    ran = bench.sbkube("delete", "-y", "-o", "json")
    assert ran.code == ran.json["exit_code"] == 5
    assert "ConfigMap/a" in ran.json["message"] and "state rebuild" in ran.json["hint"]
    assert data(api_server, bench, "a") == {"x": "1"}


def test_what_was_never_deployed_is_deleted_with_success(bench: Bench) -> None:
    bench.write("m.yaml", configmap("a", x="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    assert bench.ok("delete", "-y", "-o", "json").json["summary"]["delete"] == 0


def test_one_app_of_several(bench: Bench, api_server: HttpCluster) -> None:
    for name in ("a", "b"):
        bench.write(f"{name}.yaml", configmap(name, x="1"))
    bench.project({n: {"type": "yaml", "manifests": [f"{n}.yaml"]} for n in ("a", "b")})
    bench.ok("apply", "-y")
    bench.ok("delete", "-y", "--app", "b")
    assert data(api_server, bench, "a") == {"x": "1"} and data(api_server, bench, "b") is None


def test_a_release_deleted_by_others_is_no_error(bench: Bench, api_server: HttpCluster) -> None:
    from sbkube.api import Where, open_project

    web(bench, "one")
    with open_project(bench.folder, where=Where(kubeconfig=str(bench.config))) as project:
        project.world.helm.uninstall("web", bench.namespace, timeout=30, wait=True)
    bench.ok("delete", "-y")
    assert api_server.get(ResourceKey("", "v1", "Namespace", "", bench.namespace)) is None
