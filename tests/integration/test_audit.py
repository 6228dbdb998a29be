"""Who did what, from where, with which words: recorded, shown, and found again without a cluster."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import pytest
from integration.conftest import Bench
from shapes import configmap


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def audited(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Two deployments, the first from a clean commit in a CI job, the second with a change on top of it."""
    _git(bench.folder, "init", "-q", "-b", "main")
    monkeypatch.setenv("CI_JOB_URL", "https://bot:hunter2@ci.example.org/jobs/7?token=hunter2")
    bench.write("m.yaml", configmap("a", x="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    _git(bench.folder, "add", ".")
    _git(bench.folder, "commit", "-q", "-m", "first")
    bench.ok("apply", "-y", "--app", "a")
    bench.write("m.yaml", configmap("a", x="2"))
    bench.ok("apply", "-y")
    return bench


def test_who_and_from_where(audited: Bench) -> None:
    second, first = audited.ok("history", "-o", "json").json["deployments"]
    assert first["commit"] == second["commit"] == _git(audited.folder, "rev-parse", "HEAD")
    assert (first["branch"], first["dirty"], second["dirty"]) == ("main", False, True)
    assert first["job"] == "https://ci.example.org/jobs/7"
    assert first["line"].startswith("sbkube apply -y --app a --kubeconfig")
    assert first["operator"] and first["host"] and first["cluster_uid"] and first["version"]
    shown = audited.ok("show").out
    for word in ("not committed", first["commit"][:12], "main", "sbkube apply -y", first["cluster_uid"]):
        assert word in shown
    assert "hunter2" not in json.dumps([first, second]) + shown


def test_filters_combine_and_need_no_cluster(audited: Bench, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    gone = ["--kubeconfig", str(tmp_path / "no-such-file")]

    def count(*words: str) -> int:
        ran = audited.sbkube("history", *words, *gone, "-o", "csv")
        assert ran.code == 0, ran.err
        return len(list(csv.DictReader(io.StringIO(ran.out, newline=""))))

    assert count() == 2
    assert count("--since", "1h", "--status", "success", "--app", "a", "-n", audited.namespace) == 2
    assert count("--until", "1h") == 0 == count("--since", "2099-01-01")
    assert count("--app", "nobody") == 0 == count("--status", "failed")
    assert count("--limit", "1") == 1
    assert count("--cluster", "no-such-cluster") == 0
    audited.write("sbkube.yaml", "apiVersion: sbkube/v1\nmetadata: {name: other}\napps: {}\n")
    assert count() == 0
    assert count("--all-projects") == 2
