"""The library: verbs with results, events as an iterator, and the programs in examples/python."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench

import sbkube
from sbkube.api import Result, Where
from sbkube.errors import DeploymentNotFound, ProjectError, UsageError
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


def test_a_family_is_refused(bench: Bench) -> None:
    bench.write("a.yaml", config("a"))
    bench.write(
        "sub/sbkube.yaml",
        {
            "apiVersion": "sbkube/v1",
            "metadata": {"name": f"{bench.namespace}-sub"},
            "apps": {"x": {"type": "noop"}},
        },
    )
    bench.project({})
    text = (bench.folder / "sbkube.yaml").read_text().replace("apps: {}", "phases: {p: {source: sub}}")
    bench.write("sbkube.yaml", text)
    with opened(bench) as project, pytest.raises(UsageError, match="other projects"):
        project.apply()


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
