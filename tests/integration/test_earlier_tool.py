"""What the earlier tool of this name got wrong, one test for each, named after it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.conftest import Bench
from integration.test_apply import get
from repositories import commit_all, new_repository
from shapes import WEB_CHART, configmap, deployment
from sqlalchemy import create_engine
from web_server import Site, packed, serving

from sbkube.edges.cluster import HttpCluster
from sbkube.state.database import DeploymentDatabase
from sbkube.state.schema import PACKAGED, Migrations
from sbkube.state.tables import SCHEMA_VERSION

STRICT = {"type": "object", "additionalProperties": False, "properties": {"greeting": {"type": "string"}}}
PAGE = {
    "page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {from: FROM}\n"
}


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


def _one(bench: Bench, **data: str) -> None:
    bench.write("m.yaml", [configmap("settings", **data)])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})


def _data(server: HttpCluster, bench: Bench, name: str = "settings") -> dict[str, str] | None:
    found = get(server, "ConfigMap", bench.namespace, name)
    return found["data"] if found else None


def test_the_tracker_had_no_caller(bench: Bench) -> None:
    """`history` was empty after a successful apply."""
    _one(bench, colour="blue")
    bench.ok("apply", "-y")
    [entry] = bench.ok("history", "-o", "json").json["deployments"]
    assert (entry["command"], entry["status"]) == ("apply", "success")


def test_on_failure_rollback_only_logged(bench: Bench, api_server: HttpCluster) -> None:
    """`on_failure: rollback` wrote a line and rolled nothing back."""
    _one(bench, colour="blue")
    bench.ok("apply", "-y")
    bench.write("m.yaml", [configmap("settings", colour="red"), deployment("broken", fail="ImagePullBackOff")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, on_failure="rollback", timeout=60)
    assert bench.sbkube("apply", "-y").code == 1
    assert _data(api_server, bench) == {"colour": "blue"}
    assert get(api_server, "Deployment", bench.namespace, "broken", "apps") is None


def test_target_of_rollback_was_ignored(bench: Bench, api_server: HttpCluster) -> None:
    """`rollback --target ID` went back one step, whatever ID was."""
    ids = []
    for colour in ("blue", "red", "green"):
        _one(bench, colour=colour)
        ids.append(bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"])
    bench.ok("rollback", "--target", ids[0], "-y")
    assert _data(api_server, bench) == {"colour": "blue"}


def test_the_before_image_was_always_empty(bench: Bench) -> None:
    """Nothing could be restored, because nothing had been kept."""
    for colour in ("blue", "red"):
        _one(bench, colour=colour)
        bench.ok("apply", "-y")
    from sbkube.state.tracker import DeploymentTracker

    tracker = DeploymentTracker(os.environ["SBKUBE_STATE_URL"])
    rows = [r for r in tracker.detail("latest").resources if r.key.kind == "ConfigMap"]
    tracker.close()
    [row] = rows
    assert row.before is not None and row.after is not None
    assert (row.before["data"], row.after["data"]) == ({"colour": "blue"}, {"colour": "red"})


def test_exceptions_while_recording_were_swallowed(bench: Bench, api_server: HttpCluster) -> None:
    """A deployment went on without a record."""
    _one(bench, colour="blue")
    bench.ok("apply", "-y")
    with sqlite3.connect(Path(os.environ["SBKUBE_STATE_URL"])) as database:
        database.execute("CREATE TRIGGER no BEFORE INSERT ON deployments BEGIN SELECT RAISE(ABORT, 'no'); END")
    _one(bench, colour="red")
    assert bench.sbkube("apply", "-y").code == 5
    assert _data(api_server, bench) == {"colour": "blue"}


def test_a_failed_child_rollback_counted_as_success(bench: Bench, api_server: HttpCluster) -> None:
    """One app could not be rolled back, and the whole was reported as done."""
    for colour in ("blue", "red"):
        bench.write("good.yaml", configmap("good", colour=colour))
        bench.write(
            "bad.yaml", deployment("bad", fail="ImagePullBackOff" if colour == "blue" else "", mark=colour)
        )
        apps = {name: {"type": "yaml", "manifests": [f"{name}.yaml"]} for name in ("good", "bad")}
        bench.project(apps, on_failure="continue", timeout=30)
        bench.sbkube("apply", "-y")
    ran = bench.sbkube("rollback", "-y")
    assert ran.code == 1
    newest = bench.ok("history", "-o", "json").json["deployments"][0]
    assert newest["command"] == "rollback" and newest["status"] in ("failed", "partially_failed")
    assert _data(api_server, bench, "good") == {"colour": "blue"}


def test_rollback_of_yaml_apps_was_guessed_by_file_name(bench: Bench, api_server: HttpCluster) -> None:
    """It needed the manifests of the time, under the names of the time; the record is enough."""
    for colour in ("blue", "red"):
        _one(bench, colour=colour)
        bench.ok("apply", "-y")
    (bench.folder / "m.yaml").rename(bench.folder / "renamed.yaml")
    bench.project({"a": {"type": "yaml", "manifests": ["renamed.yaml"]}})
    bench.ok("rollback", "-y")
    assert _data(api_server, bench) == {"colour": "blue"}


def test_parallel_runs_ignored_depends_on(bench: Bench) -> None:
    """With parallel apps nobody waited for anybody."""
    names = ["first", "second", "third"]
    apps: dict[str, Any] = {}
    for before, name in zip(["", *names], names, strict=False):
        bench.write(f"{name}.yaml", deployment(name, ready_after="0.3"))
        apps[name] = {"type": "yaml", "manifests": [f"{name}.yaml"], "depends_on": [before] if before else []}
    bench.project(dict(reversed(apps.items())), parallel_apps=True)
    bench.ok("apply", "-y")
    with sqlite3.connect(Path(os.environ["SBKUBE_STATE_URL"])) as database:
        rows = database.execute("SELECT app_name, started_at, ended_at FROM app_deployments").fetchall()
    times = {name: (began, ended) for name, began, ended in rows}
    assert times["first"][1] <= times["second"][0] <= times["second"][1] <= times["third"][0]


def test_a_hard_limit_of_300_seconds_over_timeout(bench: Bench) -> None:
    """However long `timeout` was, everything ended after five minutes."""
    bench.write("m.yaml", deployment("slow"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"], "timeout": "20m"}}, timeout=900)
    bench.ok("apply", "-y")
    from sbkube.state.tracker import DeploymentTracker

    tracker = DeploymentTracker(os.environ["SBKUBE_STATE_URL"])
    plan = tracker.plan("latest")
    tracker.close()
    assert {op.timeout for op in plan.operations if op.awaits} == {1200.0}


def test_the_current_context_instead_of_the_configured_one(
    bench: Bench, api_server: HttpCluster, tmp_path: Path
) -> None:
    """A project that named its context was deployed to whatever kubectl pointed at."""
    config = yaml.safe_load(bench.config.read_text())
    right = config["contexts"][0]
    config["contexts"] = [{"name": "wrong", "context": {**right["context"], "cluster": "nowhere"}}, right]
    config["clusters"].append({"name": "nowhere", "cluster": {"server": "https://127.0.0.1:9"}})
    config["current-context"] = "wrong"
    bench.config = tmp_path / "two-contexts"
    bench.config.write_text(json.dumps(config))
    bench.settings["kubeconfig_context"] = right["name"]
    _one(bench, colour="blue")
    bench.ok("apply", "-y")
    assert _data(api_server, bench) == {"colour": "blue"}


def test_namespaces_were_not_inherited(bench: Bench, api_server: HttpCluster) -> None:
    """Objects and releases of an app without a namespace landed in `default`."""
    bench.write("m.yaml", configmap("settings", colour="blue"))
    chart = bench.chart("page", {"page.yaml": PAGE["page.yaml"].replace("FROM", "here")})
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}, "page": {"type": "helm", "chart": chart}})
    bench.ok("apply", "-y")
    for name in ("settings", "page"):
        assert _data(api_server, bench, name) is not None
        assert get(api_server, "ConfigMap", "default", name) is None


def test_different_base_folders_in_prepare_build_and_deploy(
    bench: Bench, api_server: HttpCluster, tmp_path: Path
) -> None:
    """Manifests, charts and values were looked for in three places; it is the folder of the project file."""
    bench.write("sub/m.yaml", configmap("settings", colour="blue"))
    chart = bench.chart("web", WEB_CHART, "greeting: none\nreplicas: 0\n")
    bench.write("sub/values.yaml", {"greeting": "from the file"})
    web = {"type": "helm", "chart": chart, "values": ["sub/values.yaml"]}
    bench.project({"a": {"type": "yaml", "manifests": ["sub/m.yaml"]}, "web": web})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file, bench.folder = bench.folder / "sbkube.yaml", elsewhere
    bench.ok("apply", "-f", str(file), "-y")
    assert _data(api_server, bench) == {"colour": "blue"}
    assert _data(api_server, bench, "web-page") == {"greeting": "from the file"}


def test_charts_of_one_name_from_two_repositories_overwrote_each_other(
    bench: Bench, api_server: HttpCluster, site: Site
) -> None:
    """Both apps got the chart that was fetched last."""
    repos = {}
    for place in ("one", "two"):
        page = {"page.yaml": PAGE["page.yaml"].replace("FROM", place)}
        repos[place] = site.chart_repository(place, {"page": {"1.0.0": packed("page", "1.0.0", page, "")}})
    apps = {f"from-{place}": {"type": "helm", "chart": f"{place}/page", "version": "1.0.0"} for place in repos}
    bench.project(apps, helm_repos=repos)
    bench.ok("apply", "-y")
    assert [_data(api_server, bench, f"from-{place}") for place in repos] == [{"from": "one"}, {"from": "two"}]


def test_label_injection_through_values_broke_strict_charts(bench: Bench, api_server: HttpCluster) -> None:
    """A chart whose schema allows no other values could not be deployed; labels need no values."""
    chart = bench.chart("page", {"page.yaml": PAGE["page.yaml"].replace("FROM", "strict")}, "greeting: hello\n")
    bench.write("charts/page/values.schema.json", json.dumps(STRICT))
    bench.project({"page": {"type": "helm", "chart": chart}})
    bench.ok("apply", "-y")
    found = get(api_server, "ConfigMap", bench.namespace, "page")
    assert found is not None and found["metadata"]["labels"]["sbkube.dev/app"] == "page"


@pytest.mark.parametrize("form", ["json", "llm"])
def test_log_lines_inside_json_and_llm_output(bench: Bench, form: str) -> None:
    """Standard output could not be parsed: progress and warnings stood in it."""
    bench.write("m.yaml", [configmap("settings", colour="blue"), deployment("worker")])
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    out = bench.ok("apply", "-y", "-o", form).out
    if form == "json":
        assert json.loads(out)["deployment"]["status"] == "success"
    assert "a: started" not in out and "waiting for" not in out


def test_format_only_before_the_command(bench: Bench) -> None:
    """`sbkube history --format json` was an error."""
    _one(bench, colour="blue")
    bench.ok("apply", "-y")
    after, before = bench.ok("history", "--format", "json"), bench.ok("--format", "json", "history")
    assert after.json["deployments"] == before.json["deployments"]


def test_prune_only_for_enabled_false(bench: Bench, api_server: HttpCluster) -> None:
    """What left the file stayed in the cluster for ever."""
    bench.write("m.yaml", configmap("settings", colour="blue"))
    bench.write("n.yaml", configmap("other", colour="blue"))
    apps = {"a": {"type": "yaml", "manifests": ["m.yaml"]}, "b": {"type": "yaml", "manifests": ["n.yaml"]}}
    bench.project(apps)
    bench.ok("apply", "-y")
    del apps["b"]
    bench.project(apps)
    bench.ok("apply", "-y")
    assert _data(api_server, bench, "other") is None and _data(api_server, bench) == {"colour": "blue"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_kustomize_git_and_http_apps_could_not_be_deleted(
    bench: Bench, api_server: HttpCluster, site: Site, tmp_path: Path
) -> None:
    """Delete knew Helm and YAML; what came from elsewhere stayed. (Kustomize: `test_files_from_elsewhere`.)"""
    work = new_repository(tmp_path / "upstream")
    (work / "n.yaml").write_text(yaml.safe_dump(configmap("cloned", colour="blue")))
    commit_all(work, "blue")
    site.files["/m.yaml"] = yaml.safe_dump(configmap("settings", colour="blue")).encode()
    apps = {
        "fetch": {"type": "http", "url": f"{site.url}/m.yaml", "dest": "fetched/m.yaml"},
        "a": {"type": "yaml", "manifests": ["fetched/m.yaml"], "depends_on": ["fetch"]},
        "clone": {"type": "git", "repo": "shop"},
        "b": {"type": "yaml", "manifests": ["${repos.shop}/n.yaml"], "depends_on": ["clone"]},
    }
    bench.project(apps, git_repos={"shop": str(work)})
    bench.ok("apply", "-y")
    for name in ("settings", "cloned"):
        assert _data(api_server, bench, name) == {"colour": "blue"}
    bench.ok("delete", "-y")
    for name in ("settings", "cloned"):
        assert _data(api_server, bench, name) is None


def test_there_were_no_migrations(tmp_path: Path) -> None:
    """A database of an older version was of no use to a newer one."""
    file = tmp_path / "old.db"
    DeploymentDatabase(file, migrations=Migrations(PACKAGED, "0001")).close()
    DeploymentDatabase(file).close()
    with create_engine(f"sqlite:///{file}").connect() as conn:
        assert conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == SCHEMA_VERSION


def test_one_helm_and_kubectl_process_per_step(
    bench: Bench, api_server: HttpCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything was a child process; now neither program is needed."""
    pytest.importorskip("helm_python", reason="without the SDK the helm program is what is used")
    bench.write("m.yaml", configmap("settings", colour="blue"))
    chart = bench.chart("page", {"page.yaml": PAGE["page.yaml"].replace("FROM", "here")})
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}, "page": {"type": "helm", "chart": chart}})
    (tmp_path / "no-programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    bench.ok("apply", "-y")
    assert _data(api_server, bench, "page") == {"from": "here"}
    bench.ok("delete", "-y")
