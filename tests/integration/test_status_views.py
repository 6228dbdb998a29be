"""status: filters, phases, the tree of dependencies, and apps that leave nothing in the cluster."""

from __future__ import annotations

from integration.conftest import Bench
from integration.test_families import write
from shapes import configmap, deployment


def shop(bench: Bench) -> None:
    bench.write("a.yaml", [configmap("a")])
    bench.write("b.yaml", [deployment("b", fail="ImagePullBackOff")])
    bench.write(
        "sbkube.yaml",
        {
            "apiVersion": "sbkube/v1",
            "metadata": {"name": bench.namespace},
            "settings": {"namespace": bench.namespace, "timeout": 20, "on_failure": "continue"},
            "apps": {
                "base": {"type": "yaml", "manifests": ["a.yaml"], "notes": "made by hand"},
                "job": {"type": "exec", "commands": ["true"], "depends_on": ["base"]},
            },
            "phases": {"shop": {"apps": {"web": {"type": "yaml", "manifests": ["b.yaml"]}}}},
        },
    )


def test_views(bench: Bench) -> None:
    shop(bench)
    assert bench.sbkube("apply", "-y").code == 1
    found = {app["name"]: app["health"]["status"] for app in bench.ok("status", "-o", "json").json["apps"]}
    assert found == {"base": "ready", "job": "ready", "shop/web": "in_progress"}
    unhealthy = bench.ok("status", "--unhealthy")
    assert "shop/web" in unhealthy.out and "base" not in unhealthy.out
    assert "job" not in bench.ok("status", "--managed").out
    grouped = bench.ok("status", "--by-group").out.splitlines()
    assert "shop" in grouped
    tree = bench.ok("status", "--deps").out
    assert "└─ ● job" in tree and "shop/web" in tree
    assert "made by hand" in bench.ok("status", "--show-notes").out
    assert "made by hand" not in bench.ok("status").out
    assert bench.sbkube("status", "--health-check").code == 1
    assert bench.ok("status", "--deps", "-o", "json").json["depends_on"]["job"] == ["base"]
    assert bench.ok("status", "--check-updates", "-o", "json").json["updates"] == []
    assert bench.sbkube("status", "--watch", "-o", "json").code == 2


def test_the_tree_of_a_family_names_projects_and_what_comes_before(bench: Bench) -> None:
    write(bench)
    bench.ok("apply", "-y")
    base, own, extra = (text.splitlines() for text in bench.ok("status", "--deps").out.split("\n\n"))
    name = bench.namespace
    assert [base[0], own[0], extra[0]] == [
        f"{name}-base",
        f"{name}  after {name}-base",
        f"{name}-extra  after {name}",
    ]
    assert "└─ ● say" in base[2]


def test_what_was_deleted_or_undone_is_not_well(bench: Bench) -> None:
    bench.write("m.yaml", [configmap("a")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}, "b": {"type": "exec", "commands": ["true"]}})
    bench.ok("apply", "-y")
    assert bench.sbkube("status", "--exit-status").code == 0
    for undo in ("delete", "rollback"):
        bench.ok(undo, "-y")
        ran = bench.sbkube("status", "--exit-status", "-o", "json")
        found = {app["name"]: app["health"]["status"] for app in ran.json["apps"]}
        assert ran.code == 1 and found["a"] == "missing"
        assert found["b"] == ("missing" if undo == "delete" else "ready")  # nobody undoes a command
        bench.ok("apply", "-y")
        assert bench.sbkube("status", "--exit-status").code == 0
