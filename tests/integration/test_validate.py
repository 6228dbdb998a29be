"""validate: the schema without a cluster, claims that nothing binds, and strict dependencies."""

from __future__ import annotations

from typing import Any

import pytest
from integration.conftest import Bench
from shapes import WEB_CHART, WEB_VALUES, configmap, deployment

from sbkube.edges.cluster import HttpCluster


@pytest.fixture
def offline(bench: Bench) -> Bench:
    """Without a cluster: the kubeconfig that is named does not exist."""
    bench.config = bench.folder / "no-such-kubeconfig"
    return bench


def shop(bench: Bench, *objects: dict[str, object]) -> None:
    bench.write("m.yaml", list(objects))
    apps = {
        "plain": {"type": "yaml", "manifests": ["m.yaml"]},
        "web": {"type": "helm", "chart": bench.chart("web", WEB_CHART, WEB_VALUES)},
    }
    bench.project(apps, kubeconfig_context="nowhere")


def test_good_objects_and_kinds_that_nobody_defines(offline: Bench) -> None:
    own = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    shop(offline, configmap("a"), deployment("b"))
    assert offline.ok("validate", "--schema", "-o", "json").json["checked"]["objects"] > 3
    shop(offline, configmap("a"), own)
    ran = offline.ok("validate", "--schema")
    assert "Widget" in ran.out and "not checked" in ran.out
    assert not (offline.folder / ".sbkube").exists()


def test_wrong_objects_are_told_with_their_lines(offline: Bench) -> None:
    wrong = deployment("b")
    wrong["spec"]["replicas"] = "two"
    typo = deployment("c")
    typo["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    shop(offline, configmap("a"), wrong, typo)
    ran = offline.sbkube("validate", "--schema")
    assert ran.code == 3
    assert "m.yaml:7" in ran.err and "replicas" in ran.err and "imagee" in ran.err


@pytest.mark.parametrize(("version", "code"), [("1.34", 3), ("1.24", 0)])
def test_api_versions_that_are_not_served_any_more(offline: Bench, version: str, code: int) -> None:
    old = {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"}, "spec": {}}
    shop(offline, old)
    ran = offline.sbkube("validate", "--kubernetes-version", version)
    assert ran.code == code, ran.err
    assert "policy/v1" in ran.out + ran.err and "1.25" in ran.out + ran.err


def claim(name: str, size: str = "1Gi", **spec: object) -> dict[str, object]:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": wanted}


def test_claims_that_nothing_binds(bench: Bench, api_server: HttpCluster) -> None:
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{bench.namespace}-v"},
        "spec": {
            "capacity": {"storage": "5Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/x"},
            "storageClassName": "manual",
        },
    }
    sets = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "db",
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "x"}]},
            },
            "volumeClaimTemplates": [
                {"metadata": {"name": "data"}, "spec": claim("x", storageClassName="slow")["spec"]}
            ],
        },
    }
    fits = claim("fits", storageClassName="manual")
    bench.write("m.yaml", [volume, fits, claim("large", "50Gi", storageClassName="manual"), sets])
    bench.project({"plain": {"type": "yaml", "manifests": ["m.yaml"]}})
    ran = bench.sbkube("validate", "--storage")
    assert ran.code == 3
    assert "claim large" in ran.err and "claim data-db-0" in ran.err and "claim fits" not in ran.err
    bench.write("m.yaml", [volume, fits])
    assert bench.ok("validate", "--storage", "-o", "json").json["checked"] == {"claims": 1}


def test_strict_dependencies(bench: Bench) -> None:
    apps = {"a": {"type": "noop", "enabled": False}, "b": {"type": "noop", "depends_on": ["a"]}}
    bench.project(apps)
    assert "disabled" in bench.ok("validate").out
    assert bench.sbkube("validate", "--strict-deps").code == 3
    bench.write(
        "sbkube.yaml",
        {"apiVersion": "sbkube/v1", "metadata": {"name": "x"}, "deps": ["base"], "apps": {"b": {"type": "noop"}}},
    )
    bench.ok("validate")
    ran = bench.sbkube("validate", "--strict-deps")
    assert ran.code == 3 and "project base is not deployed" in ran.err


def test_what_apps_name_must_be_there(bench: Bench) -> None:
    bench.write("wrong.yaml", "kind: [")
    apps: dict[str, Any] = {
        "a": {"type": "yaml", "manifests": ["nope.yaml"]},
        "b": {"type": "helm", "chart": "./charts/none"},
        "c": {"type": "helm", "chart": "nowhere/web"},
        "d": {"type": "kustomize", "path": "nothing"},
        "e": {"type": "yaml", "manifests": ["wrong.yaml"]},
        "f": {"type": "hook", "tasks": [{"type": "manifests", "name": "m", "files": ["missing.yaml"]}]},
        "off": {"type": "yaml", "manifests": ["nope.yaml"], "enabled": False},
    }
    bench.project(apps)
    ran = bench.sbkube("validate", "-o", "json")
    said = " ".join(p["message"] for p in ran.json["problems"])
    assert ran.code == 3 and len(ran.json["problems"]) == 6 and all(p["place"] for p in ran.json["problems"])
    for word in ("nope.yaml", "charts/none", "neither in helm_repos", "nothing", "missing.yaml"):
        assert word in said


def test_what_is_not_here_yet_is_not_looked_at(bench: Bench) -> None:
    nobody = "127.0.0.1:9"
    apps: dict[str, Any] = {
        "file": {"type": "http", "url": f"http://{nobody}/x.yaml", "dest": "got/x.yaml"},
        "from-file": {"type": "yaml", "manifests": ["got/x.yaml"], "depends_on": ["file"]},
        "chart": {"type": "helm", "chart": f"oci://{nobody}/x/web", "version": "1.0.0"},
        "code": {"type": "git", "repo": f"http://{nobody}/r.git"},
        "from-code": {"type": "yaml", "manifests": ["${repos.code}/x.yaml"], "depends_on": ["code"]},
    }
    bench.project(apps)
    warnings = bench.ok("validate", "-o", "json").json["warnings"]
    assert sorted(w.split()[0] for w in warnings if "not looked at" in w) == sorted(apps)
    assert not (bench.folder / "got").exists()


def test_a_download_that_would_leave_the_project(bench: Bench) -> None:
    bench.project({"h": {"type": "http", "url": "http://127.0.0.1:9/x.yaml", "dest": "../../evil.yaml"}})
    ran = bench.sbkube("validate")
    assert ran.code == 3 and "leads out of the project" in ran.err
