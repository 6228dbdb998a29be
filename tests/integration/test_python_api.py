"""The library: verbs with results, events as an iterator, and the programs in examples/python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_commands import trace
from integration.test_crash import _start, _until
from integration.test_families import colour, write

import sbkube
from sbkube.api import Result, Where
from sbkube.edges.cluster import HttpCluster
from sbkube.errors import DeploymentNotFound, PlanRefused, ProjectError, UsageError
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.outcome import Event

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python"


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def opened(bench: Bench, **settings: Any) -> sbkube.Project:
    return sbkube.open_project(bench.folder, where=Where(kubeconfig=str(bench.config)), **settings)


@pytest.fixture
def shop(bench: Bench) -> Bench:
    bench.write("a.yaml", [config("a", x="1"), config("b")])
    bench.write("z.yaml", config("z"))
    apps = {
        "a": {"type": "yaml", "manifests": ["a.yaml"]},
        "z": {"type": "yaml", "manifests": ["z.yaml"], "depends_on": ["a"]},
    }
    bench.project(apps)
    return bench


def run(bench: Bench, name: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "KUBECONFIG": str(bench.config)}
    words = [sys.executable, str(EXAMPLES / name), str(bench.folder)]
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False)


def test_the_front_door_has_all_that_it_takes() -> None:
    assert {"Project", "Where", "open_project"} <= set(dir(sbkube))
    assert sbkube.Where is Where
    code = "import sbkube, sys; dir(sbkube); sys.exit('sbkube.api' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_verbs_give_results(shop: Bench) -> None:
    with opened(shop) as project:
        first = project.apply(["a"], wait_for_lock=5)
        second = project.apply()
        assert (first.exit_code, second.exit_code) == (0, 0)
        undone = project.rollback()
        assert undone.record.deployment.parent == second.record.deployment.deployment_id
        gone = project.delete()
        assert project.history(limit=1)[0].deployment_id == gone.record.deployment.deployment_id
        assert project.plan().counts()["create"] >= 3
    assert shop.capture() == ("", "")


def test_events_then_the_result(shop: Bench) -> None:
    heard: list[Event] = []
    with opened(shop, listener=heard.append) as project:
        *events, result = project.apply_events()
        assert isinstance(result, Result) and result.exit_code == 0
        assert all(isinstance(event, Event) for event in events)
        assert heard == events
        assert [e.kind for e in events if isinstance(e, Event)][-1] == "deployment.ended"
        count = len(heard)
        assert project.rollback().exit_code == 0 and len(heard) > count
    assert not [t for t in threading.enumerate() if t.name == "sbkube-work"]


def test_what_is_raised_comes_through(shop: Bench) -> None:
    with opened(shop) as project, pytest.raises(DeploymentNotFound):
        list(project.stream(lambda: project.rollback("dep-0")))
    shop.write("a.yaml", "kind: Nonsense\napiVersion: nowhere/v1\nmetadata: {name: a}\n")
    with opened(shop) as project, pytest.raises(ProjectError):
        list(project.apply_events())


def test_leaving_the_loop_stops_in_order(shop: Bench) -> None:
    with opened(shop) as project:
        for event in project.apply_events():
            if isinstance(event, Event) and event.kind == "app.started":
                break
        record = project.history(limit=1)[0]
        assert record.status.ended and not project.cancel.is_set()
        assert not [t for t in threading.enumerate() if t.name == "sbkube-work"]
        assert project.apply().exit_code == 0


def test_a_family_is_one(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    parts = [f"{bench.namespace}-base", bench.namespace, f"{bench.namespace}-extra"]
    with opened(bench) as project:
        assert [member.project.name for member in project.family()] == parts
        *events, first = project.apply_events(wait_for_lock=5)
        assert isinstance(first, Result) and first.exit_code == 0 and trace(bench) == ["base", "shop", "extra"]
        assert [part.record.deployment.project for part in first.parts] == parts
        assert first.record.deployment.project == bench.namespace
        ended = [e.data["project"] for e in events if isinstance(e, Event) and e.kind == "deployment.ended"]
        assert ended == parts
    write(bench, "red")
    with opened(bench) as project:
        only = project.apply(["base/page"])
        assert [part.record.deployment.project for part in only.each] == parts[:1] and not only.parts
        second = project.apply()
        assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"red"}
        undone = project.rollback(second.record.deployment.deployment_id)
        assert [part.record.deployment.project for part in undone.each] == [parts[2], parts[1], parts[0]]
        assert colour(api_server, bench, "own") == "blue"
        alone = project.rollback(only.record.deployment.deployment_id)
        assert [part.record.deployment.project for part in alone.each] == parts[:1]
        gone = project.delete()
        assert [part.exit_code for part in gone.parts] == [0, 0, 0]
    assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {None}


def test_what_fails_in_a_family_stops_what_comes_behind(bench: Bench, api_server: HttpCluster) -> None:
    write(bench, bad={"type": "exec", "commands": ["exit 1"]})
    with opened(bench) as project:
        result = project.apply()
    assert result.exit_code == 1 and [part.begun for part in result.parts] == [True, False, False]
    assert result.record.deployment.error_message == f"not begun, because {bench.namespace}-base failed"
    assert colour(api_server, bench, "own") is None


def test_leaving_the_loop_stops_the_whole_family(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    with opened(bench) as project:
        for event in project.apply_events():
            if isinstance(event, Event) and event.kind == "app.started":
                break
        assert colour(api_server, bench, "own") is None
        assert project.show("latest").deployment.status is DeploymentStatus.INTERRUPTED
        rest = project.resume()
        assert rest is not None and rest.exit_code == 0 and len(rest.each) == 3
        assert {colour(api_server, bench, n) for n in ("base", "own", "extra")} == {"blue"}
        assert project.resume() is None


def test_a_command_that_was_cut_off_wants_a_word(bench: Bench) -> None:
    cut = "[ -e was-here ] || { touch was-here; kill -9 $PPID; sleep 5; }"
    bench.project({"cut": {"type": "exec", "commands": [cut]}})
    assert _start(bench, "apply", "-y").wait() == -signal.SIGKILL
    with opened(bench) as project:
        with pytest.raises(PlanRefused) as refused:
            project.resume()
        assert "cut.1" in str(refused.value.problems)
        with pytest.raises(UsageError, match="not both"):
            project.resume(rerun=["cut.1"], skip=["cut.1"])
        done = project.resume(skip=["cut.1"])
        assert done is not None and done.exit_code == 0 and not done.parts


def test_all_of_a_family_is_looked_at(bench: Bench, api_server: HttpCluster) -> None:
    write(bench)
    with opened(bench) as project:
        project.apply()
        status, drift = project.status(), project.drift()
        assert status.healthy and status.project == drift.project == bench.namespace
        assert [len(report.each) for report in (status, drift)] == [3, 3] and not drift.drifted
        (key,) = (k for part in status.parts for app in part.apps for k, _ in app.objects if k.name == "base")
        api_server.delete(key)
        status, drift = project.status(), project.drift()
        assert not status.healthy and drift.drifted
        assert [report.drifted for report in drift.parts] == [True, False, False]
        assert not project.drift(["shop/own"]).drifted and not project.drift(alone=True).drifted


def test_what_is_undone_in_part_counts_as_undone_in_part(shop: Bench) -> None:
    apps = {
        "a": {"type": "yaml", "manifests": ["a.yaml"]},
        "bad": {"type": "exec", "commands": ["exit 1"], "depends_on": ["a"]},
    }
    shop.project(apps)
    with opened(shop) as project:
        failed = project.apply().record.deployment.deployment_id
        assert project.rollback(failed, scope="app").exit_code == 0
        assert not project.show(failed).deployment.rolled_back_by


def test_an_app_without_operations_ends_behind_those_that_it_waits_for(bench: Bench) -> None:
    bench.write("a.yaml", config("a"))
    gate = {"type": "noop", "depends_on": ["a"]}
    apps = {"a": {"type": "yaml", "manifests": ["a.yaml"]}, "gate": gate, "free": {"type": "noop"}}
    bench.project(apps)
    with opened(bench) as project:
        told = [(e.app, e.kind) for e in project.apply_events() if isinstance(e, Event)]
    ends = [app for app, kind in told if kind == "app.ended"]
    assert ends == ["free", "a", "gate"] and told.index(("free", "app.ended")) < told.index(("a", "app.started"))


def test_the_gate(shop: Bench) -> None:
    first = run(shop, "gate.py")
    assert first.returncode == 0 and "4 create" in first.stdout, first.stdout + first.stderr
    shop.ok("apply", "-y")
    shop.write("a.yaml", config("a", x="1"))
    second = run(shop, "gate.py")
    assert second.returncode == 1 and "would delete: ConfigMap/b" in second.stdout, second.stderr


def test_the_nightly_report(shop: Bench, api_server: Any) -> None:
    shop.ok("apply", "-y")
    assert run(shop, "nightly_drift.py").returncode == 0
    with opened(shop) as project:
        key = next(key for app in project.status().apps for key, _ in app.objects if key.name == "b")
    api_server.delete(key)
    ran = run(shop, "nightly_drift.py")
    assert ran.returncode == 10 and "ConfigMap/b" in ran.stdout, ran.stdout + ran.stderr


def test_the_bot(shop: Bench, api_server: Any) -> None:
    shop.ok("apply", "-y")
    healthy = run(shop, "rollback_bot.py")
    assert (healthy.returncode, healthy.stdout) == (0, "healthy\n"), healthy.stderr
    shop.write("z.yaml", config("extra"))
    shop.ok("apply", "-y")
    with opened(shop) as project:
        key = next(key for app in project.status().apps for key, _ in app.objects if key.name == "b")
    api_server.delete(key)
    ran = run(shop, "rollback_bot.py")
    assert "undoing dep-" in ran.stdout, ran.stdout + ran.stderr
    assert "deployment.ended" in ran.stdout and ran.returncode == 0, ran.stdout + ran.stderr
    again = run(shop, "rollback_bot.py")
    assert again.returncode in (0, 1) and "undoing" not in again.stdout


def test_the_bot_leaves_alone_what_has_not_ended(bench: Bench) -> None:
    bench.write("a.yaml", config("a"))
    busy = {"type": "exec", "commands": ["touch begun; while [ ! -e go ]; do sleep 0.05; done"]}
    bench.project({"busy": busy, "a": {"type": "yaml", "manifests": ["a.yaml"], "depends_on": ["busy"]}})
    with _start(bench, "apply", "-y") as apply:
        _until((bench.folder / "begun").exists)
        ran = run(bench, "rollback_bot.py")
        bench.write("go", "")
        apply.communicate()
    assert ran.returncode == 0 and "has not ended: nothing is undone" in ran.stdout, ran.stdout + ran.stderr
    assert apply.returncode == 0 and len(bench.ok("history", "-o", "json").json["deployments"]) == 1
