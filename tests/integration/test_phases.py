"""Phases live through plan, execution, record, rollback, pruning and deletion."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from integration.conftest import Bench
from integration.test_apply import get
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster

BROKEN = deployment("broken", fail="CrashLoopBackOff")


def phases(bench: Bench, content: dict[str, Any], **settings: Any) -> None:
    """A project of these phases: name → keys; maps of apps hold objects."""
    for phase, keys in content.items():
        for app, objects in keys.get("apps", {}).items():
            bench.write(f"{phase}/{app}.yaml", objects)
            keys["apps"][app] = {"type": "yaml", "manifests": [f"{phase}/{app}.yaml"], **keys.pop("extra", {})}
    document = {
        "apiVersion": "sbkube/v1",
        "metadata": {"name": bench.namespace},
        "settings": {"namespace": bench.namespace, "timeout": 20, **settings},
        "phases": content,
    }
    bench.write("sbkube.yaml", yaml.safe_dump(document, sort_keys=False))


def there(bench: Bench, cluster: HttpCluster, *names: str) -> list[bool]:
    """Which of these ConfigMaps exist."""
    return [get(cluster, "ConfigMap", bench.namespace, name) is not None for name in names]


def newest(bench: Bench) -> dict[str, Any]:
    """The newest deployment as shown."""
    found: dict[str, Any] = bench.ok("show", "latest", "-o", "json").json
    return found


def test_phases_one_after_the_other_through_their_life(bench: Bench, api_server: HttpCluster) -> None:
    def write(value: str, **more: Any) -> None:
        first = {"apps": {"db": [configmap("db", x=value)], "old": [configmap("old")]}} | more
        phases(bench, {"infra": first, "web": {"apps": {"db": [configmap("front", x=value)]}}})

    write("1")
    bench.ok("apply", "-y")
    assert there(bench, api_server, "db", "old", "front") == [True, True, True]
    live = get(api_server, "ConfigMap", bench.namespace, "db")
    assert live is not None and live["metadata"]["labels"]["sbkube.dev/app"] == "infra.db"
    assert [app["name"] for app in newest(bench)["apps"]] == ["infra/db", "infra/old", "web/db"]
    times = {a["name"]: (a["started_at"], a["ended_at"]) for a in newest(bench)["apps"]}
    assert times["infra/db"][1] <= times["infra/old"][0] and times["infra/old"][1] <= times["web/db"][0]
    assert bench.ok("plan", "--exit-status").code == 0
    assert {a["name"] for a in bench.ok("status", "-o", "json").json["apps"]} == {
        "infra/db",
        "infra/old",
        "web/db",
    }
    write("2")
    bench.ok("apply", "--phase", "web", "-y")
    assert [app["name"] for app in newest(bench)["apps"]] == ["web/db"]
    bench.ok("rollback", "-y")
    front = get(api_server, "ConfigMap", bench.namespace, "front")
    assert front is not None and front["data"] == {"x": "1"}
    write("1", enabled=False)
    bench.ok("apply", "-y")  # a disabled phase counts as removed
    assert there(bench, api_server, "db", "old", "front") == [False, False, True]
    bench.ok("rollback", "-y")
    assert there(bench, api_server, "db", "old", "front") == [True, True, True]
    bench.ok("delete", "--phase", "infra", "-y")
    assert there(bench, api_server, "db", "old", "front") == [False, False, True]
    bench.ok("delete", "-y")
    assert there(bench, api_server, "front") == [False]


def test_pruning_stays_within_the_phase(bench: Bench, api_server: HttpCluster) -> None:
    phases(
        bench,
        {"a": {"apps": {"x": [configmap("ax")]}}, "b": {"apps": {"x": [configmap("bx")], "z": [configmap("by")]}}},
    )
    bench.ok("apply", "-y")
    phases(bench, {"a": {"apps": {}}, "b": {"apps": {"x": [configmap("bx")]}}})
    bench.ok("apply", "--phase", "b", "-y")
    assert there(bench, api_server, "ax", "bx", "by") == [True, True, False]
    bench.ok("apply", "-y")
    assert there(bench, api_server, "ax", "bx") == [False, True]


def test_names_that_nobody_knows(bench: Bench) -> None:
    phases(bench, {"a": {"apps": {"x": [configmap("ax")]}}, "b": {"apps": {"x": [configmap("bx")]}}})
    ran = bench.sbkube("plan", "--phase", "c")
    assert ran.code == 2 and "no phase named 'c'" in ran.err and "a/x" in ran.err
    ran = bench.sbkube("plan", "--app", "x")
    assert ran.code == 2 and "say which: a/x, b/x" in ran.err
    assert "ConfigMap/bx" in bench.ok("plan", "--app", "b/x").out


@pytest.mark.parametrize(
    ("scope", "left"), [("app", [True, True]), ("phase", [False, True]), ("all", [False, False])]
)
def test_what_a_failure_undoes(bench: Bench, api_server: HttpCluster, scope: str, left: list[bool]) -> None:
    """The failed app, its phase, or everything."""
    second = {"good": [configmap("good")], "bad": [BROKEN]}
    phases(
        bench,
        {"one": {"apps": {"first": [configmap("first")]}}, "two": {"apps": second}},
        on_failure="rollback",
        rollback_scope=scope,
    )
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 1
    assert there(bench, api_server, "good", "first") == left
    assert get(api_server, "Deployment", bench.namespace, "broken", "apps") is None


def test_a_phase_may_go_on_where_the_project_stops(bench: Bench, api_server: HttpCluster) -> None:
    apps = {"bad": [BROKEN], "good": [configmap("good")]}
    phases(bench, {"one": {"on_failure": "continue", "apps": apps}, "two": {"apps": {"x": [configmap("x")]}}})
    assert bench.sbkube("apply", "-y").code == 1
    assert there(bench, api_server, "good", "x") == [True, True]


def test_a_file_of_its_own_with_paths_of_its_own(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("parts/db/files/db.yaml", configmap("db"))
    bench.write("common.yaml", "mark: common\n")
    bench.chart(
        "c", {"c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rel}\ndata: {m: {{ .Values.mark }}}\n"}
    )
    bench.write(
        "parts/db/sbkube.yaml",
        "apiVersion: sbkube/v1\napps:\n  db: {type: yaml, manifests: [files]}\n"
        "  rel: {type: helm, chart: ../../charts/c}\n",
    )
    document = {
        "apiVersion": "sbkube/v1",
        "metadata": {"name": bench.namespace},
        "settings": {"namespace": bench.namespace, "cluster_values_file": "common.yaml"},
        "app_dirs": ["parts/db"],
    }
    bench.write("sbkube.yaml", yaml.safe_dump(document))
    bench.ok("apply", "-y")
    live = get(api_server, "ConfigMap", bench.namespace, "rel")
    assert live is not None and live["data"] == {"m": "common"}
    assert live["metadata"]["labels"]["sbkube.dev/app"] == "db.rel"
    assert bench.ok("plan", "--exit-status").code == 0
    assert [a["release"] for a in bench.ok("status", "-o", "json").json["apps"]][1]
    bench.ok("delete", "-y")
    assert there(bench, api_server, "db", "rel") == [False, False]


def test_a_killed_database_is_rebuilt_with_phases(bench: Bench, api_server: HttpCluster, tmp_path: Any) -> None:
    """Labels tell the phase too."""
    phases(bench, {"a": {"apps": {"x": [configmap("ax")]}}})
    bench.ok("apply", "-y")
    other = f"sqlite:///{tmp_path}/other.db"
    bench.ok("state", "rebuild", "-y", "--state-url", other)
    found = bench.ok("status", "-o", "json", "--state-url", other).json
    assert [app["name"] for app in found["apps"]] == ["a/x"]
    assert bench.ok("plan", "--exit-status", "--state-url", other).code == 0


def test_a_project_that_comes_after_another(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("x.yaml", configmap("x"))
    other = f"{bench.namespace}-base"
    apps = "settings: {namespace: NS}\napps: {x: {type: yaml, manifests: [x.yaml]}}\n".replace(
        "NS", bench.namespace
    )
    bench.write("base.yaml", f"apiVersion: sbkube/v1\nmetadata: {{name: {other}}}\n{apps}")
    bench.write(
        "sbkube.yaml",
        f"apiVersion: sbkube/v1\nmetadata: {{name: {bench.namespace}}}\ndeps: [{other}]\napps: {{}}\n",
    )
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and f"project {other} is not deployed to this cluster" in ran.err
    bench.ok("apply", "base.yaml", "-y")
    bench.ok("apply", "-y")
    bench.ok("delete", "-f", "base.yaml", "-y")
    assert bench.sbkube("apply", "-y").code == 3
