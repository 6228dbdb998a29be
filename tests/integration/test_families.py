"""Projects of their own that are part of another: own record, lock and objects, planned and undone as a whole."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import yaml
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_commands import note, trace
from integration.test_crash import _start, _until
from shapes import configmap

from sbkube.api import Where, open_project
from sbkube.edges.cluster import HttpCluster
from sbkube.edges.lease import HttpLease
from sbkube.engine.lock import lease_name
from sbkube.models.deployment_state import LockTarget
from sbkube.models.resource import ResourceKey
from sbkube.state.tracker import DeploymentTracker

BETWEEN = "source: base\n    depends_on: [early]\n  early:\n    apps: {}"


def write(bench: Bench, colour: str = "blue", **base_more: Any) -> None:
    """`base`, which the apps of the project depend on, and `extra`, which depends on them."""
    for name in ("base", "extra"):
        bench.write(f"{name}/m.yaml", [configmap(name, colour=colour)])
        child = {
            "apiVersion": "sbkube/v1",
            "metadata": {"name": f"{bench.namespace}-{name}"},
            "apps": {
                "page": {"type": "yaml", "manifests": ["m.yaml"]},
                "say": {"type": "exec", "commands": [f"echo {name} >> ../trace"], "depends_on": ["page"]},
                **(base_more if name == "base" else {}),
            },
        }
        bench.write(f"{name}/sbkube.yaml", child)
    bench.write("own.yaml", [configmap("own", colour=colour)])
    project = {
        "apiVersion": "sbkube/v1",
        "metadata": {"name": bench.namespace},
        "settings": {"namespace": bench.namespace, "global_labels": {"team": "a"}},
        "phases": {
            "extra": {"source": "extra", "depends_on": ["shop"]},
            "base": {"source": "base"},
            "shop": {
                "depends_on": ["base"],
                "apps": {
                    "own": {"type": "yaml", "manifests": ["own.yaml"]},
                    "say": {"type": "exec", "commands": [note("shop")]},
                },
            },
        },
    }
    bench.write("sbkube.yaml", project)


def colour(server: HttpCluster, bench: Bench, name: str) -> str | None:
    found = get(server, "ConfigMap", bench.namespace, name)
    return found["data"]["colour"] if found else None


def test_they_are_deployed_in_order_and_recorded_by_themselves(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    document = bench.ok("apply", "-y", "-o", "json").json
    assert document["exit_code"] == 0 and len(document["projects"]) == 3
    assert trace(bench) == ["base", "shop", "extra"]
    records = {p["deployment"]["project"]: p["deployment"] for p in document["projects"]}
    main = records[bench.namespace]["deployment_id"]
    assert {records[f"{bench.namespace}-{n}"]["parent"] for n in ("base", "extra")} == {main}
    labels = get(api_server, "ConfigMap", bench.namespace, "base")["metadata"]["labels"]  # type: ignore[index]
    assert labels["sbkube.dev/project"] == f"{bench.namespace}-base" and labels["team"] == "a"
    assert len(bench.ok("history", "-o", "json").json["deployments"]) == 1
    assert bench.sbkube("plan", "--exit-status").code == 0
    assert {p["project"] for p in bench.ok("status", "-o", "json").json["projects"]} == set(records)


def test_rolling_the_whole_back_takes_them_along(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    bench.ok("apply", "-y")
    write(bench, "red")
    bench.ok("apply", "-y")
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"red"}
    bench.ok("rollback", "-y")
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"blue"}
    bench.ok("rollback", "-y")  # undoes the undoing
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"red"}
    bench.ok("delete", "-y")
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {None}


def test_a_change_of_a_part_alone_is_undone_too(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    bench.ok("apply", "-y")
    bench.write("base/m.yaml", [configmap("base", colour="green")])
    bench.ok("apply", "-y")
    bench.ok("rollback", "-y")
    assert colour(api_server, bench, "base") == "blue" and colour(api_server, bench, "own") == "blue"


def test_one_part_can_be_chosen_and_each_can_stand_alone(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    bench.ok("apply", "-y", "--phase", "base")
    assert colour(api_server, bench, "base") == "blue" and colour(api_server, bench, "own") is None
    bench.ok("apply", "-y", "--app", "extra/page")
    assert trace(bench) == ["base"] and colour(api_server, bench, "extra") == "blue"
    bench.ok("apply", "extra", "-y", "-n", bench.namespace)
    assert trace(bench) == ["base", "extra"]


def test_what_fails_stops_what_comes_behind(bench: Bench, api_server: HttpCluster) -> None:
    write(bench, bad={"type": "exec", "commands": ["exit 1"]})
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == ran.json["exit_code"] == 1 and "not begun" in ran.err
    assert colour(api_server, bench, "base") == "blue" and colour(api_server, bench, "own") is None
    ended = [(p["deployment"]["status"], p["deployment"]["error"]) for p in ran.json["projects"]]
    assert [status for status, _ in ended] == ["partially_failed", "failed", "failed"]
    assert ended[1][1] == ended[2][1] == f"not begun, because {bench.namespace}-base failed"
    assert bench.ok("resume", "-y", "-o", "json").json["deployment"] is None


CUT = "[ -e ../was-here ] || { touch ../was-here; kill -9 $PPID; sleep 5; }"


def test_a_killed_run_is_gone_on_with_as_a_whole(bench: Bench, api_server: HttpCluster) -> None:
    write(bench, cut={"type": "exec", "commands": [CUT], "depends_on": ["say"]})
    assert _start(bench, "apply", "-y").wait() == -signal.SIGKILL
    refused = bench.sbkube("resume", "-y")
    assert refused.code == 3 and "--rerun cut" in refused.err
    assert bench.ok("history", "-o", "json").json["deployments"][0]["status"] == "interrupted"
    bench.ok("resume", "-y", "--rerun", "cut.1")
    assert trace(bench) == ["base", "shop", "extra"]
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"blue"}
    assert bench.sbkube("plan", "--exit-status").code == 0
    assert bench.ok("resume", "-o", "json").json["deployment"] is None


def test_a_killed_run_is_undone_as_a_whole(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    bench.ok("apply", "-y")
    write(bench, "red", cut={"type": "exec", "commands": [CUT], "depends_on": ["page"]})
    assert _start(bench, "apply", "-y").wait() == -signal.SIGKILL
    assert colour(api_server, bench, "base") == "red"
    bench.ok("rollback", "-y")
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"blue"}


def test_a_stopped_run_says_what_was_not_begun(bench: Bench, api_server: HttpCluster) -> None:
    write(bench, slow={"type": "exec", "commands": ["touch ../slow; sleep 1"], "depends_on": ["say"]})
    run = _start(bench, "apply", "-y")
    _until(lambda: (bench.folder / "slow").exists())
    run.send_signal(signal.SIGINT)
    assert run.wait() == 130
    newest = bench.ok("show", "-o", "json").json
    assert newest["status"] == "interrupted" and colour(api_server, bench, "own") is None
    bench.ok("resume", "-y")
    assert trace(bench) == ["base", "shop", "extra"]
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"blue"}


def test_what_has_changed_since_the_kill_is_not_gone_on_with(bench: Bench, api_server: HttpCluster) -> None:
    write(bench, slow={"type": "exec", "commands": ["touch ../slow; sleep 1"], "depends_on": ["say"]})
    run = _start(bench, "apply", "-y")
    _until(lambda: (bench.folder / "slow").exists())
    run.send_signal(signal.SIGINT)
    assert run.wait() == 130
    bench.write("own.yaml", [configmap("own"), configmap("more")])
    ran = bench.sbkube("resume", "-y")
    assert ran.code == 3 and "would now also change ConfigMap/more" in ran.err
    assert colour(api_server, bench, "own") is None


def test_a_part_that_does_not_fit_any_more_fails_by_itself(bench: Bench, api_server: HttpCluster) -> None:
    """What a command of the first project writes was not agreed to."""
    bench.write("sly.yaml", [configmap("own"), configmap("more")])
    write(bench, sly={"type": "exec", "commands": ["cp ../sly.yaml ../own.yaml"], "depends_on": ["page"]})
    ran = bench.sbkube("apply", "-y", "-o", "json")
    assert ran.code == ran.json["exit_code"] == 1
    ended = [(p["deployment"]["status"], p["deployment"]["error"]) for p in ran.json["projects"]]
    assert [status for status, _ in ended] == ["success", "failed", "failed"]
    assert "would now also change" in ended[1][1] and f"because {bench.namespace} failed" in ended[2][1]
    assert colour(api_server, bench, "base") == "blue" and colour(api_server, bench, "extra") is None


def test_nothing_is_begun_while_a_part_is_locked(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    target = LockTarget(f"{bench.namespace}-extra", api_server.info().uid, bench.namespace)
    other = DeploymentTracker(os.environ["SBKUBE_STATE_URL"])
    lock = other.acquire(target, "apply")
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 5 and "apply" in ran.err and colour(api_server, bench, "base") is None
    assert not other.list_deployments()
    other.release(lock)
    other.close()
    bench.ok("apply", "-y")


def test_nothing_is_begun_while_the_lease_of_a_part_is_held(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    bench.ok("apply", "-y")
    write(bench, "red")
    target = LockTarget(f"{bench.namespace}-extra", api_server.info().uid, bench.namespace)
    holder = {"holder": "anna", "host": "laptop", "pid": "4711", "command": "apply"}
    lease = HttpLease(api_server)
    lease.acquire(bench.namespace, lease_name(target), holder, 60)
    before = bench.ok("history", "--all-projects", "-o", "json").json["deployments"]
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 5 and "anna" in ran.err and colour(api_server, bench, "base") == "blue"
    assert bench.ok("history", "--all-projects", "-o", "json").json["deployments"] == before
    lease.release(bench.namespace, lease_name(target), holder, {})
    bench.ok("apply", "-y")
    assert colour(api_server, bench, "base") == "red"


def test_nothing_is_touched_when_a_part_cannot_be_rendered(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    bench.write("extra/m.yaml", "kind: [")
    assert bench.sbkube("apply", "-y").code == 3
    assert colour(api_server, bench, "base") is None
    bench.write("extra/sbkube.yaml", "apiVersion: sbkube/v1\nmetadata: {name: x}\nappps: {}\n")
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "extra/sbkube.yaml:3" in ran.err


def test_a_part_between_others_is_refused(bench: Bench) -> None:
    write(bench)
    text = (bench.folder / "sbkube.yaml").read_text()
    (bench.folder / "sbkube.yaml").write_text(text.replace("source: base", BETWEEN))
    ran = bench.sbkube("validate")
    assert ran.code == 3 and "between phases" in ran.err


def test_one_part_can_be_undone(bench: Bench, api_server: HttpCluster) -> None:
    def colours() -> list[str | None]:
        return [colour(api_server, bench, n) for n in ("base", "own", "extra")]

    for name in ("blue", "red", "green"):
        write(bench, name)
        bench.ok("apply", "-y")
    first = bench.ok("history", "-o", "json").json["deployments"][-1]["deployment_id"]
    bench.ok("rollback", "-y", "--app", "base/page")
    assert colours() == ["red", "green", "green"]
    newest = bench.ok("history", "--phase", "extra", "-o", "json").json["deployments"][0]
    assert newest["project"] == f"{bench.namespace}-extra"
    bench.ok("rollback", newest["deployment_id"], "-y")
    assert colours() == ["red", "green", "red"]
    bench.ok("rollback", "--to", first, "-y")
    assert colours() == ["blue", "blue", "blue"]
    assert bench.sbkube("rollback", "-y", "--app", "nowhere/page").code == 2


def test_what_only_looks_is_about_all_of_them(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    names = ["base/page", "base/say", "shop/own", "shop/say", "extra/page", "extra/say"]
    assert bench.ok("validate", "-o", "json").json["apps"] == names
    assert "objects checked" in bench.ok("validate", "--schema").out
    found = bench.ok("template", "-o", "json").json["manifests"]
    assert {m["metadata"]["name"] for m in found} >= {"base", "own", "extra"}
    files = bench.ok("template", "--output-dir", "out", "-o", "json").json["files"]
    assert [f.removeprefix("out/") for f in files] == ["base/page.yaml", "shop/own.yaml", "extra/page.yaml"]
    bench.ok("apply", "-y")
    assert bench.ok("diff", "--phase", "base", "-o", "json").json["project"] == f"{bench.namespace}-base"
    assert bench.ok("drift", "-o", "json").json["drifted"] is False
    key = ResourceKey("", "v1", "ConfigMap", bench.namespace, "extra")
    api_server.merge(key, {"data": {"colour": "pink"}}, manager="somebody")
    drift = bench.sbkube("drift", "-o", "json")
    assert drift.code == 10 and [p["drifted"] for p in drift.json["projects"]] == [False, False, True]


def test_they_share_a_sandbox(bench: Bench) -> None:
    write(bench)
    with open_project(bench.folder, where=Where(sandbox=True)) as project:
        folders = {child._where.sandbox_of for _, child in project.children}
        assert folders == {project.config.folder}


def test_namesakes_are_refused(bench: Bench) -> None:
    write(bench)
    child = yaml.safe_load((bench.folder / "extra/sbkube.yaml").read_text())
    for name in (f"{bench.namespace}-base", bench.namespace):
        bench.write("extra/sbkube.yaml", {**child, "metadata": {"name": name}})
        ran = bench.sbkube("apply", "-y")
        assert ran.code == 3 and f"another project here is called {name} too" in ran.err
        assert "sbkube.yaml:3:9" in ran.err
    elsewhere = {**child, "metadata": {"name": bench.namespace}, "settings": {"namespace": f"{bench.namespace}-2"}}
    bench.write("extra/sbkube.yaml", elsewhere)
    bench.ok("validate")


def test_deps_may_be_part_of_the_same_run(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    for name, other in (("extra", "base"), ("base", "extra")):
        child = yaml.safe_load((bench.folder / name / "sbkube.yaml").read_text())
        bench.write(f"{name}/sbkube.yaml", {**child, "deps": [f"{bench.namespace}-{other}"]})
        ran = bench.sbkube("apply", "-y")
        assert ran.code == (0 if name == "extra" else 3)
        bench.write(f"{name}/sbkube.yaml", child)
        bench.ok("delete", "-y")
    bench.write("extra/sbkube.yaml", {**child, "deps": [bench.namespace]})
    assert bench.sbkube("apply", "-y", "--phase", "extra").code == 3


def test_what_changed_nothing_is_not_undone(bench: Bench, api_server: HttpCluster) -> None:
    for name in ("blue", "red", "red"):
        write(bench, name)
        bench.ok("apply", "-y")
    bench.ok("rollback", "-y")
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"blue"}
    bench.ok("rollback", "-y")
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"red"}


def test_a_project_that_is_no_part_any_more_is_told_of(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    bench.ok("apply", "-y")
    document = yaml.safe_load((bench.folder / "sbkube.yaml").read_text())
    document["phases"]["extra"]["enabled"] = False
    bench.write("sbkube.yaml", document)
    ran = bench.ok("plan")
    said = " ".join((ran.out + ran.err).split())
    assert f"1 object of {bench.namespace}-extra, which is no part of this project any more" in said
    assert colour(api_server, bench, "extra") == "blue"
    way = f"delete -f extra/sbkube.yaml -n {bench.namespace}"
    assert way in said
    bench.ok(*way.split(), "-y")
    assert colour(api_server, bench, "extra") is None
    ran = bench.ok("plan")
    assert "any more" not in ran.out + ran.err


def test_a_part_that_is_planned_by_itself_in_another_namespace_is_told_of(bench: Bench) -> None:
    write(bench)
    bench.ok("apply", "-y")
    ran = bench.ok("plan", "-f", "base")
    said = " ".join((ran.out + ran.err).split())
    assert (
        f"as a part of another project, and is new in default; to change what is there: `-n {bench.namespace}`"
        in said
    )
    ran = bench.ok("plan", "-f", "base", "-n", bench.namespace)
    assert "as a part of" not in ran.out + ran.err


def test_a_part_with_a_state_database_of_its_own(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bench)
    monkeypatch.delenv("SBKUBE_STATE_URL")
    urls = {name: f"sqlite:///{bench.folder}/{name or 'own'}.db" for name in ("", "base")}
    for name, url in urls.items():
        file = bench.folder / name / "sbkube.yaml"
        document = yaml.safe_load(file.read_text())
        document.setdefault("settings", {})["state"] = {"url": url}
        bench.write(f"{name}/sbkube.yaml" if name else "sbkube.yaml", document)
    bench.ok("apply", "-y")
    projects = {}
    for name, url in urls.items():
        tracker = DeploymentTracker(url)
        projects[name] = {record.project.removeprefix(bench.namespace) for record in tracker.list_deployments()}
        assert tracker.verify().ok
        tracker.close()
    assert projects == {"": {"", "-extra"}, "base": {"-base"}}
    assert bench.sbkube("plan", "--exit-status").code == 0
    bench.ok("rollback", "-y")
    assert not any(colour(api_server, bench, name) for name in ("own", "base", "extra"))
