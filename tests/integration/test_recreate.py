"""Fields that cannot be changed: the object is recreated where that is allowed, else the plan is refused."""

from __future__ import annotations

from typing import Any

from integration.conftest import Bench
from integration.test_apply import get
from integration.test_conflicts import app, namespace, placed
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


def job(name: str, image: str, **annotations: str) -> dict[str, Any]:
    """A Job that ends at once."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}}},
    }


def _job(server: HttpCluster, bench: Bench) -> dict[str, Any]:
    live = server.get(ResourceKey("batch", "v1", "Job", bench.namespace, "j"))
    assert live is not None
    return live


def _image(live: dict[str, Any]) -> str:
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_job_that_has_ended_is_recreated_and_the_plan_says_why(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, job("j", "one:1"))
    bench.ok("apply", "-y")
    first = _job(api_server, bench)
    app(bench, job("j", "two:2"))
    document = bench.ok("plan", "-o", "json").json
    assert document["summary"]["recreate"] == 1
    (change,) = (c for c in document["apps"][0]["changes"] if c["effect"] == "recreate")
    assert "spec.template" in change["note"] and change["fields"][0]["path"].startswith("spec.template")
    assert bench.sbkube("apply").code == 2  # asks, and there is no terminal
    bench.ok("apply", "-y")
    second = _job(api_server, bench)
    assert _image(second) == "two:2" and second["metadata"]["uid"] != first["metadata"]["uid"]
    assert "recreated" in bench.ok("show", "latest").out
    assert bench.ok("plan", "--exit-status").code == 0


def test_a_recreation_can_be_rolled_back(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, job("j", "one:1"))
    bench.ok("apply", "-y")
    app(bench, job("j", "two:2"))
    bench.ok("apply", "-y")
    bench.ok("rollback", "-y")
    assert _image(_job(api_server, bench)) == "one:1"


def test_other_kinds_are_refused_with_place_and_way_out(bench: Bench, api_server: HttpCluster) -> None:
    app(bench, configmap("a", x="1"), deployment("web"))
    bench.ok("apply", "-y")
    changed = deployment("web")
    changed["spec"]["selector"]["matchLabels"]["more"] = "1"
    changed["spec"]["template"]["metadata"]["labels"]["more"] = "1"
    app(bench, configmap("a", x="2"), changed)
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == 3
    (problem,) = ran.json["problems"]
    assert "spec.selector cannot be changed" in problem["message"] and problem["place"]["line"]
    assert "sbkube.dev/recreate: when-safe" in problem["hint"]
    live = get(api_server, "ConfigMap", bench.namespace, "a")
    assert live is not None and live["data"] == {"x": "1"}
    changed["metadata"]["annotations"] = {"sbkube.dev/recreate": "when-safe"}
    app(bench, configmap("a", x="2"), changed)
    bench.ok("apply", "-y")
    web = get(api_server, "Deployment", bench.namespace, "web", "apps")
    assert web is not None and web["spec"]["selector"]["matchLabels"]["more"] == "1"
    assert web["status"]["readyReplicas"] == 1


def test_data_is_deleted_only_when_always_is_said(bench: Bench, api_server: HttpCluster) -> None:
    def claim(mode: str, **annotations: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "annotations": annotations},
            "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}},
        }

    app(bench, claim("ReadWriteOnce"))
    bench.ok("apply", "-y")
    for policy in ({}, {"sbkube.dev/recreate": "when-safe"}):
        app(bench, claim("ReadOnlyMany", **policy))
        ran = bench.sbkube("apply", "-y")
        assert ran.code == 3 and "always" in ran.err
    app(bench, claim("ReadOnlyMany", **{"sbkube.dev/recreate": "always"}))
    bench.ok("apply", "-y")
    live = get(api_server, "PersistentVolumeClaim", bench.namespace, "data")
    assert live is not None and live["spec"]["accessModes"] == ["ReadOnlyMany"]


def test_what_would_be_wrong_anew_is_refused_before_the_old_one_goes(
    bench: Bench, api_server: HttpCluster
) -> None:
    app(bench, job("j", "one:1"))
    bench.ok("apply", "-y")
    bad = job("j", "two:2")
    bad["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    app(bench, bad)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3
    assert _image(_job(api_server, bench)) == "one:1"


def test_what_others_made_is_not_recreated(bench: Bench, api_server: HttpCluster) -> None:
    namespace(bench, api_server)
    api_server.create(placed(job("j", "one:1"), bench), manager="kubectl-create")
    app(bench, job("j", "two:2"))
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "not created by this project" in ran.err
    assert _image(_job(api_server, bench)) == "one:1"
