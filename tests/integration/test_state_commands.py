"""`sbkube state`: the database itself."""

from __future__ import annotations

import base64
import os
import sqlite3
from pathlib import Path

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_crash import _start, _until
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster


def test_a_key_is_32_random_bytes(bench: Bench) -> None:
    keys = {bench.ok("state", "key").out.strip() for _ in range(2)}
    assert len(keys) == 2
    assert all(len(base64.b64decode(key)) == 32 for key in keys)


def test_verify_finds_a_change_of_history(bench: Bench) -> None:
    bench.write("m.yaml", configmap("a", x="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    assert bench.ok("state", "upgrade").code == 0
    assert "intact" in bench.ok("state", "verify").out
    with sqlite3.connect(os.environ["SBKUBE_STATE_URL"]) as database:
        database.execute("update deployments set operator = 'somebody else'")
    ran = bench.sbkube("state", "verify", "-o", "json")
    assert ran.code == 1 and ran.json["ok"] is False and ran.json["findings"]


def _two_projects_worth(bench: Bench) -> None:
    bench.write("m.yaml", configmap("a", x="1"))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_a_history_moves_to_another_database(
    bench: Bench, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backend: str
) -> None:
    """The second database knows everything: what was done, what is there, and how to undo it."""
    monkeypatch.setenv("SBKUBE_STATE_KEY", bench.ok("state", "key").out.strip())
    _two_projects_worth(bench)
    bench.write("m.yaml", configmap("a", x="2"))
    bench.ok("apply", "-y")
    bench.ok("state", "export", "state.zst")
    other = tmp_path / "other.db" if backend == "sqlite" else request.getfixturevalue("postgres_url")
    monkeypatch.setenv("SBKUBE_STATE_URL", str(other))
    assert bench.ok("state", "import", "state.zst", "-o", "json").json["added"] == 2
    assert bench.ok("state", "import", "state.zst", "-o", "json").json["added"] == 0
    assert len(bench.ok("history", "-o", "json").json["deployments"]) == 2
    assert "intact" in bench.ok("state", "verify").out
    assert bench.ok("diff", "-o", "json").json["changes_pending"] is False
    bench.ok("rollback", "-y")
    assert bench.sbkube("state", "export", "state.zst").code == 2
    bench.write("broken.zst", "not an export")
    ran = bench.sbkube("state", "import", "broken.zst")
    assert ran.code == 5 and "nothing was imported" in ran.err


def test_what_exit_6_left_is_imported(bench: Bench, api_server: HttpCluster) -> None:
    """The database goes away after the first write and comes back; the file makes its history true again."""
    bench.write("m.yaml", [configmap("settings", colour="blue"), deployment("slow", ready_after="3")])
    bench.write("n.yaml", configmap("later", colour="blue"))
    apps = {"slow": ["m.yaml"], "later": ["n.yaml"]}
    bench.project({name: {"type": "yaml", "manifests": files} for name, files in apps.items()}, timeout=60)
    run = _start(bench, "apply", "-y")
    _until(lambda: get(api_server, "Deployment", bench.namespace, "slow", "apps"))
    state = Path(os.environ["SBKUBE_STATE_URL"])
    state.rename(state.with_suffix(".gone"))
    assert run.wait(timeout=60) == 6
    state.with_suffix(".gone").rename(state)
    (dump,) = state.parent.glob("sbkube-outcomes-*.json")
    assert bench.ok("state", "import", str(dump), "-o", "json").json["deployment"]
    bench.ok("recover")
    shown = bench.ok("show", "-o", "json").json
    assert "intended" not in {row["state"] for row in shown["resources"]}
    for row in shown["resources"]:
        live = get(api_server, row["kind"], row["namespace"], row["name"], row["group"])
        assert (live is not None) == (row["state"] == "applied"), row
    assert "intact" in bench.ok("state", "verify").out
    bench.ok("apply", "-y")


def test_a_history_that_was_cut_off_at_its_end_shows_against_the_cluster(bench: Bench) -> None:
    _two_projects_worth(bench)
    bench.write("m.yaml", configmap("a", x="2"))
    bench.ok("apply", "-y")
    newest = bench.ok("history", "-o", "json").json["deployments"][0]["deployment_id"]
    with sqlite3.connect(os.environ["SBKUBE_STATE_URL"]) as database:
        for table in ("deployed_resources", "helm_releases", "events", "app_deployments"):
            database.execute(f"delete from {table} where deployment_id = (select max(id) from deployments)")
        database.execute("delete from deployments where deployment_id = ?", (newest,))
        database.execute("delete from closings where deployment_id = ?", (newest,))
    ran = bench.sbkube("state", "verify")
    assert ran.code == 1 and newest in ran.out and "removed" in ran.out
    assert "intact" in bench.ok("state", "verify", "--context", "no-such-context").out  # nobody there to tell


def test_old_deployments_are_forgotten_and_nothing_else(bench: Bench) -> None:
    bench.write("fixed.yaml", configmap("fixed", x="1"))
    for number in range(4):
        bench.write("m.yaml", configmap("a", x=str(number)))
        bench.project({"a": {"type": "yaml", "manifests": ["m.yaml", "fixed.yaml"]}})
        bench.ok("apply", "-y")
    assert bench.sbkube("state", "prune").code == 2
    assert bench.sbkube("state", "prune", "--keep", "2").code == 2  # nobody there to ask
    assert len(bench.ok("state", "prune", "--keep", "2", "--dry-run", "-o", "json").json["removed"]) == 1
    bench.ok("state", "prune", "--keep", "2", "-y")
    assert len(bench.ok("history", "-o", "json").json["deployments"]) == 3  # the first one created what is there
    assert "intact" in bench.ok("state", "verify").out
    assert bench.ok("diff", "-o", "json").json["changes_pending"] is False
    bench.ok("rollback", "-y")
    assert bench.ok("state", "info", "-o", "json").json["rows"]["deployments"] == 4


def test_a_new_key_changes_nothing_that_people_see(bench: Bench) -> None:
    secret = {**configmap("s"), "kind": "Secret", "data": None, "stringData": {"password": "planted-4711"}}
    bench.write("m.yaml", secret)
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}})
    bench.ok("apply", "-y")
    bench.write("m.yaml", {**secret, "stringData": {"password": "planted-4712"}})
    bench.ok("apply", "-y")
    assert "retired" in bench.ok("state", "rekey", "-y").out
    assert bench.ok("diff", "-o", "json").json["changes_pending"] is False
    bench.ok("rollback", "-y")
    assert bench.ok("state", "verify", "-o", "json").json == {
        "schema": "sbkube/state-verify/v1",
        "ok": True,
        "unproven": 0,
        "findings": [],
    }
