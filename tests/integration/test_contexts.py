"""Apps with a context of their own: two clusters, one project, each with its own lock and record."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_crash import _start
from shapes import configmap

from sbkube.api import Where, open_project
from sbkube.edges import cluster, kubeconfig
from sbkube.edges.cluster import HttpCluster
from sbkube.edges.sandbox import Sandbox


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of another sandbox."""
    sandbox = Sandbox(tmp_path_factory.mktemp("edge"))
    try:
        yield sandbox.up()
    finally:
        sandbox.down()


@pytest.fixture
def both(bench: Bench, edge: Path) -> Iterator[HttpCluster]:
    """The bench gets a kubeconfig with both: its own is current, the other is `edge`. Gives the other cluster."""
    if "SBKUBE_TEST_KUBECONFIG" in os.environ:
        pytest.skip("wants two sandboxes")
    own, other = (yaml.safe_load(path.read_text()) for path in (bench.config, edge))
    for kind in ("clusters", "users", "contexts"):
        for entry in other[kind]:
            entry["name"] = "edge"
            if kind == "contexts":
                entry["context"] |= {"cluster": "edge", "user": "edge"}
            own[kind].append(entry)
    bench.config = bench.folder / "both"
    bench.config.write_text(yaml.safe_dump(own))
    server = cluster.connect(kubeconfig.load(str(bench.config), "edge", os.environ))
    yield server
    server.close()


def shop(bench: Bench, colour: str = "blue", **edge_more: Any) -> None:
    for name in ("here", "there"):
        bench.write(f"{name}.yaml", [configmap(name, colour=colour)])
    bench.project(
        {
            "here": {"type": "yaml", "manifests": ["here.yaml"]},
            "there": {"type": "yaml", "manifests": ["there.yaml"], "context": "edge", **edge_more},
        }
    )


def test_each_app_goes_to_its_cluster(bench: Bench, api_server: HttpCluster, both: HttpCluster) -> None:
    shop(bench, depends_on=["here"])
    document = bench.ok("apply", "-y", "-o", "json").json
    assert len({p["deployment"]["cluster_uid"] for p in document["projects"]}) == 2
    place = bench.namespace
    assert get(api_server, "ConfigMap", place, "here") and not get(api_server, "ConfigMap", place, "there")
    assert get(both, "ConfigMap", place, "there") and not get(both, "ConfigMap", place, "here")
    assert bench.sbkube("plan", "--exit-status").code == 0
    shop(bench, "red")
    bench.ok("apply", "-y", "--app", "there")
    assert get(both, "ConfigMap", place, "there")["data"] == {"colour": "red"}  # type: ignore[index]
    assert get(api_server, "ConfigMap", place, "here")["data"] == {"colour": "blue"}  # type: ignore[index]
    bench.ok("delete", "-y")
    assert not get(api_server, "ConfigMap", place, "here") and not get(both, "ConfigMap", place, "there")


def test_a_context_that_is_left_is_told_of(bench: Bench, both: HttpCluster) -> None:
    shop(bench)
    assert "any more" not in bench.ok("apply", "-y").out
    bench.project({"here": {"type": "yaml", "manifests": ["here.yaml"]}})
    ran = bench.ok("plan")
    said = " ".join((ran.out + ran.err).split())
    way = f"sbkube delete --context edge -n {bench.namespace} --app there"
    assert "of there in the context edge belong to no app any more" in said and way in said
    assert bench.sbkube("plan", "--exit-status").code == 0
    bench.ok(*way.split()[1:], "-y")
    assert not get(both, "ConfigMap", bench.namespace, "there")
    ran = bench.ok("plan")
    assert "any more" not in ran.out + ran.err


def test_rolling_back_takes_both(bench: Bench, api_server: HttpCluster, both: HttpCluster) -> None:
    shop(bench)
    bench.ok("apply", "-y")
    shop(bench, "red")
    bench.ok("apply", "-y")
    bench.ok("rollback", "-y")
    for server, name in ((api_server, "here"), (both, "there")):
        assert get(server, "ConfigMap", bench.namespace, name)["data"] == {"colour": "blue"}  # type: ignore[index]


def test_both_from_python(bench: Bench, api_server: HttpCluster, both: HttpCluster) -> None:
    def colours() -> list[str]:
        found = [get(s, "ConfigMap", bench.namespace, n) for s, n in ((api_server, "here"), (both, "there"))]
        return [one["data"]["colour"] if one else "none" for one in found]

    where = Where(kubeconfig=str(bench.config))
    for colour in ("blue", "red"):
        shop(bench, colour)
        with open_project(bench.folder, where=where) as project:
            result = project.apply()
            assert result.exit_code == 0 and colours() == [colour, colour]
            assert len({part.record.deployment.cluster_uid for part in result.parts}) == 2
    with open_project(bench.folder, where=where) as project:
        assert not project.drift().drifted and len(project.status().parts) == 2
        assert project.rollback().exit_code == 0 and colours() == ["blue", "blue"]
        assert project.delete(["there"]).exit_code == 0 and colours() == ["blue", "none"]


def test_a_killed_run_is_gone_on_with_on_both(bench: Bench, api_server: HttpCluster, both: HttpCluster) -> None:
    cut = "[ -e was-here ] || { touch was-here; kill -9 $PPID; sleep 5; }"
    shop(bench, depends_on=["cut"])
    project = yaml.safe_load((bench.folder / "sbkube.yaml").read_text())
    project["apps"]["cut"] = {"type": "exec", "commands": [cut], "depends_on": ["here"]}
    bench.write("sbkube.yaml", project)
    assert _start(bench, "apply", "-y").wait() == -signal.SIGKILL
    assert get(api_server, "ConfigMap", bench.namespace, "here")
    assert not get(both, "ConfigMap", bench.namespace, "there")
    bench.ok("resume", "-y", "--rerun", "cut.1")
    assert get(both, "ConfigMap", bench.namespace, "there")
    assert bench.sbkube("plan", "--exit-status").code == 0


def test_a_context_out_of_reach_does_not_hide_the_other(
    bench: Bench, api_server: HttpCluster, both: HttpCluster
) -> None:
    shop(bench)
    bench.ok("apply", "-y")
    text = bench.config.read_text()
    away = yaml.safe_load(text)
    next(c for c in away["clusters"] if c["name"] == "edge")["cluster"]["server"] = "https://127.0.0.1:1"
    bench.config.write_text(yaml.safe_dump(away))
    ran = bench.sbkube("status")
    assert ran.code == 4 and "here" in ran.out and "(context edge)" in ran.out
    ran = bench.sbkube("status", "-o", "json")
    first, second = ran.json["projects"]
    assert ran.code == 4 and first["healthy"] and second["error"] == "cluster-unreachable"
    assert bench.ok("status", "--app", "here").out
    shop(bench, "red")
    bench.ok("apply", "-y", "--app", "here")
    assert get(api_server, "ConfigMap", bench.namespace, "here")["data"] == {"colour": "red"}  # type: ignore[index]
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 4
    ran = bench.sbkube("recover")
    assert ran.code == 4 and "run `sbkube recover` again" in ran.out
    ran = bench.sbkube("recover", "-o", "json")
    assert ran.code == 4 and [one["error"] for one in ran.json["unreached"]] == ["cluster-unreachable"]
    bench.config.write_text(text)
    bench.ok("apply", "-y")
    assert get(both, "ConfigMap", bench.namespace, "there")["data"] == {"colour": "red"}  # type: ignore[index]


def test_the_same_cluster_by_another_name_is_refused(bench: Bench, both: HttpCluster) -> None:
    shop(bench)
    current = yaml.safe_load(bench.config.read_text())["current-context"]
    text = (bench.folder / "sbkube.yaml").read_text().replace("context: edge", f"context: {current}")
    (bench.folder / "sbkube.yaml").write_text(text)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "the same cluster" in ran.err
    assert get(both, "ConfigMap", bench.namespace, "there") is None


def test_a_circle_between_clusters_and_an_unknown_context(bench: Bench, both: HttpCluster) -> None:
    bench.write("m.yaml", [configmap("a")])
    app = {"type": "yaml", "manifests": ["m.yaml"]}
    bench.project(
        {
            "a": {**app, "context": "edge"},
            "b": {"type": "noop", "depends_on": ["a"]},
            "c": {"type": "noop", "depends_on": ["b"], "context": "edge"},
        }
    )
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "deployed in one go" in ran.err
    bench.project({"a": {**app, "context": "nowhere"}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 4 and "nowhere" in ran.err


def test_the_sandbox_has_one_cluster(bench: Bench, both: HttpCluster) -> None:
    shop(bench)
    bench.ok("validate", "--schema")
