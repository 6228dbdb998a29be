"""migrate: older config.yaml and sources.yaml become one project file that does the same."""

from __future__ import annotations

import yaml
from integration.conftest import Bench
from integration.test_apply import get
from shapes import configmap

from sbkube.edges.cluster import HttpCluster

SOURCES = {
    "cluster": "k3s-home",
    "kubeconfig": "~/.kube/config",
    "kubeconfig_context": "home",
    "helm_repos": {"bitnami": "https://charts.bitnami.com/bitnami"},
    "git_repos": {"app": {"url": "https://example.com/app.git", "branch": "main"}},
    "telemetry": True,
}
CONFIG = {
    "namespace": "shop",
    "deps": ["base"],
    "global_labels": {"team": "a"},
    "apps": [
        {
            "name": "redis-pull",
            "type": "pull-helm",
            "specs": {"repo": "bitnami", "chart": "redis", "dest": "redis", "chart_version": "20.0.1"},
        },
        {
            "name": "redis",
            "type": "install-helm",
            "release_name": "cache",
            "specs": {"path": "redis", "values": ["redis.yaml"]},
        },
        {
            "name": "plain",
            "type": "install-yaml",
            "specs": {"actions": [{"type": "apply", "path": "a.yaml"}, {"type": "apply", "path": "b.yaml"}]},
        },
        {"name": "steps", "type": "install-action", "specs": {"actions": [{"type": "delete", "path": "a.yaml"}]}},
        {"name": "code", "type": "pull-git", "specs": {"repo": "app", "paths": [{"src": "x", "dest": "y"}]}},
        {"name": "files", "type": "copy-app", "specs": {"paths": [{"src": "a", "dest": "b"}]}},
        {"name": "say", "type": "exec", "specs": {"commands": ["echo hello"]}, "enabled": False},
    ],
}


def test_every_older_type(bench: Bench) -> None:
    bench.write("config.yaml", CONFIG)
    bench.write("sources.yaml", SOURCES)
    document = bench.ok("migrate", "--name", "shop", "-o", "json").json
    found = yaml.safe_load((bench.folder / "sbkube.yaml").read_text())
    assert found["metadata"] == {"name": "shop"} and found["deps"] == ["base"]
    assert found["settings"]["namespace"] == "shop" and found["settings"]["kubeconfig_context"] == "home"
    apps = found["apps"]
    assert list(apps) == ["redis", "plain", "steps", "code", "say"]
    assert apps["redis"] == {
        "type": "helm",
        "chart": "bitnami/redis",
        "version": "20.0.1",
        "release_name": "cache",
        "values": ["redis.yaml"],
    }
    assert apps["plain"] == {"type": "yaml", "manifests": ["a.yaml", "b.yaml"]}
    assert apps["steps"]["actions"] == [{"type": "delete", "path": "a.yaml"}]
    assert apps["code"] == {"type": "git", "repo": "app"}
    assert apps["say"] == {"type": "exec", "commands": ["echo hello"], "enabled": False}
    remarks = "\n".join(document["remarks"])
    for word in ('"telemetry" was not carried over', "redis-pull", "copy-app", "${repos.app}/"):
        assert word in remarks
    for name in ("a", "b"):
        bench.write(f"{name}.yaml", [configmap(name)])
    bench.ok("validate")


def test_what_was_migrated_can_be_applied(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("m.yaml", [configmap("page")])
    bench.write(
        "config.yaml",
        {
            "namespace": bench.namespace,
            "apps": {"web": {"type": "install-kubectl", "specs": {"paths": ["m.yaml"]}}},
        },
    )
    assert bench.sbkube("apply", "-y").code == 3  # and it says what to do
    assert "m.yaml" in bench.ok("migrate", "--dry-run").out and not (bench.folder / "sbkube.yaml").exists()
    bench.ok("migrate", "--name", bench.namespace)
    bench.ok("apply", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "page")
    again = bench.sbkube("migrate")
    assert again.code == 2 and "exists already" in again.err


def test_what_has_to_be_put_right_by_hand_is_said(bench: Bench) -> None:
    bench.write("config.yaml", {"apps": {"web": {"type": "install-helm", "specs": {"path": "web", "bogus": 1}}}})
    remarks = bench.ok("migrate", "-o", "json").json["remarks"]
    assert any("bogus is not a known key" in remark for remark in remarks)


def test_without_older_files(bench: Bench) -> None:
    ran = bench.sbkube("migrate")
    assert ran.code == 3 and "config.yaml" in ran.err
