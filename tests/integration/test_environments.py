"""Environments and values that all apps share."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from integration.conftest import Bench
from shapes import configmap

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {a: "{{ .Values.a }}", b: "{{ .Values.b }}", c: "{{ .Values.c }}", d: "{{ .Values.d }}"}
"""


def live(server: HttpCluster, bench: Bench, name: str) -> dict[str, Any]:
    found = server.get(ResourceKey("", "v1", "ConfigMap", bench.namespace, name))
    assert found is not None
    data: dict[str, Any] = found["data"]
    return data


def test_values_of_all_apps_come_first(bench: Bench, api_server: HttpCluster, own_home: Path) -> None:
    bench.write("cluster.yaml", "a: file\nb: file\nc: file\nd: file\n")
    app = {"type": "helm", "chart": bench.chart("web", {"c.yaml": CONFIG}), "values": [{"c": "app"}]}
    shared = {"cluster_values_file": "cluster.yaml", "global_values": {"b": "gl0bal-pl4nted", "c": "global"}}
    bench.project({"web": {**app, "set_values": {"d": "set"}}}, **shared)
    bench.ok("apply", "-y")
    assert live(api_server, bench, "web") == {"a": "file", "b": "gl0bal-pl4nted", "c": "app", "d": "set"}
    stored = sqlite3.connect(own_home / "deployments.db").execute("select config_blob from deployments").fetchall()
    assert stored and "gl0bal" not in bench.ok("show", "latest", "-o", "json").out


def test_a_missing_file_of_all_apps_is_told_where_it_is_named(bench: Bench) -> None:
    bench.project(
        {"web": {"type": "helm", "chart": bench.chart("web", {"c.yaml": CONFIG})}},
        cluster_values_file=["cluster.yaml"],
    )
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3
    assert 'the values file "cluster.yaml" does not exist' in ran.err
    assert "sbkube.yaml:" in ran.err


def test_an_environment_is_laid_over_the_project(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("m/one.yaml", configmap("one", at="base"))
    bench.write("m/two.yaml", configmap("two", at="base"))
    bench.project({"one": {"type": "yaml", "manifests": ["m/one.yaml"]}})
    bench.write(
        "sbkube.prod.yaml",
        {"apps": {"one": {"labels": {"tier": "prod"}}, "two": {"type": "yaml", "manifests": ["m/two.yaml"]}}},
    )
    bench.ok("apply", "-y", "--env", "prod")
    assert live(api_server, bench, "two") == {"at": "base"}
    one = api_server.get(ResourceKey("", "v1", "ConfigMap", bench.namespace, "one"))
    assert one is not None and one["metadata"]["labels"]["tier"] == "prod"

    bench.write("sbkube.prod.yaml", {"apps": {"one": {"labls": {}}}})
    ran = bench.sbkube("validate", "--env", "prod")
    assert ran.code == 3
    assert "sbkube.prod.yaml:3:" in ran.err and 'did you mean "labels"' in ran.err
    ran = bench.sbkube("validate", "--env", "prd")
    assert ran.code == 3
    assert 'did you mean "prod"' in ran.err


def test_the_projects_own_environment(bench: Bench) -> None:
    bench.write("m/one.yaml", configmap("one"))
    bench.project({"one": {"type": "yaml", "manifests": ["m/one.yaml"]}}, environment="staging")
    bench.ok("validate")
    bench.write("sbkube.staging.yaml", "apps: [1]\n")
    assert bench.sbkube("validate").code == 3
    bench.write("sbkube.staging.yaml", "[1]\n")
    assert "must be a map" in bench.sbkube("validate").err
