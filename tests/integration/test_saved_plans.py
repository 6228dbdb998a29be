"""Saved plans: executed as approved or not at all, and a clear word why not."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench, Ran
from integration.test_apply import get
from integration.test_rollback_forms import data, deploy, edit
from shapes import WEB_CHART, WEB_VALUES, configmap

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": "planted-9d2c"}}


def write(bench: Bench, *objects: dict[str, Any], **settings: Any) -> None:
    """The project without applying it."""
    bench.write("m.yaml", list(objects))
    bench.project({"a": {"type": "yaml", "manifests": ["m.yaml"]}}, **settings)


def refused(ran: Ran, *words: str, code: int = 3) -> None:
    """The plan was refused with these words, as one document."""
    assert ran.code == ran.json["exit_code"] == code, ran.out + ran.err
    text = ran.json["message"] + str([p["message"] for p in ran.json.get("problems", ())])
    assert all(word in text for word in words), text


def execute(bench: Bench, *more: str) -> Ran:
    return bench.sbkube("apply", "--plan", "p.json", "-o", "json", *more)


def test_a_saved_plan_is_executed_as_it_was_approved(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"), configmap("gone", x="1"))
    write(bench, configmap("a", x="2"), SECRET)
    bench.ok("plan", "--out", "p.json")
    assert data(api_server, bench, "a") == {"x": "1"}
    file = bench.folder / "p.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_bytes()
    assert b"planted" not in first and b"cGxhbnRlZ" not in first
    bench.ok("diff", "--out", "p.json")
    assert file.read_bytes() == first  # same inputs, same bytes
    ran = execute(bench)
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["deployment"]["args"]["plan"] == json.loads(first)["digest"]
    assert data(api_server, bench, "a") == {"x": "2"} and data(api_server, bench, "gone") is None
    live = get(api_server, "Secret", bench.namespace, "s")
    assert live is not None and live["data"]["p"]
    refused(execute(bench), "has deployed", "since this plan was saved")


def test_runs_with_nothing_to_do_do_not_overtake_a_plan(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"))
    write(bench, configmap("a", x="2"))
    bench.ok("plan", "--out", "p.json")
    write(bench, configmap("a", x="1"))
    bench.ok("apply", "-y")
    write(bench, configmap("a", x="2"))
    assert execute(bench).code == 0
    assert data(api_server, bench, "a") == {"x": "2"}


def test_what_moved_is_listed_and_nothing_is_touched(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"), configmap("b", x="1"), configmap("d", x="1"))
    write(bench, configmap("a", x="2"), configmap("b", x="1"), configmap("c", x="1"))
    bench.ok("plan", "--out", "p.json")
    edit(api_server, bench, configmap("a", theirs="by hand"))
    edit(api_server, bench, configmap("b", x="by hand"))
    edit(api_server, bench, configmap("c", x="1"))
    api_server.delete(ResourceKey("", "v1", "ConfigMap", bench.namespace, "d"))
    ran = execute(bench)
    refused(ran, "does not fit")
    told = {p["message"].split(" ")[1].rstrip(":"): p["message"] for p in ran.json["problems"]}
    assert "the live object has changed since: data.theirs" in told["ConfigMap/a"]
    assert "was left alone, now it is to change" in told["ConfigMap/b"]
    assert "was to create, now it is" in told["ConfigMap/c"]
    assert "was to delete, now it is left alone" in told["ConfigMap/d"]
    assert "by hand" not in ran.out
    assert data(api_server, bench, "a") == {"x": "1", "theirs": "by hand"}


def test_another_rendering_is_refused(bench: Bench, api_server: HttpCluster) -> None:
    write(bench, configmap("a", x="1"), SECRET)
    bench.ok("plan", "--out", "p.json")
    write(bench, configmap("a", x="1"), SECRET | {"stringData": {"p": "planted-other"}})
    ran = execute(bench)
    refused(ran, "does not fit", "Secret")
    assert "planted" not in ran.out
    write(bench, configmap("a", x="1"), SECRET, on_failure="continue")
    refused(execute(bench), "on_failure was 'stop', now it is 'continue'")
    write(bench, configmap("a", x="1"), SECRET)
    assert execute(bench).code == 0


def test_helm_values_are_compared_and_not_shown(bench: Bench, api_server: HttpCluster) -> None:
    def project(greeting: str) -> None:
        chart = bench.chart("web", WEB_CHART, WEB_VALUES)
        bench.project({"web": {"type": "helm", "chart": chart, "values": [{"greeting": greeting}], "timeout": 30}})

    project("planted-7f")
    bench.ok("plan", "--out", "p.json")
    assert "planted" not in (bench.folder / "p.json").read_text()
    project("planted-8f")
    ran = execute(bench)
    refused(ran, "ConfigMap/web-page", "is rendered differently now: data.greeting")
    assert "planted" not in ran.out
    project("planted-7f")
    assert execute(bench).code == 0
    assert data(api_server, bench, "web-page") == {"greeting": "planted-7f"}
    project("planted-9f")
    bench.ok("plan", "--out", "p.json")
    edit(api_server, bench, configmap("web-page", theirs="1"))
    refused(execute(bench), "the live object has changed since: data.theirs")


def test_rollback_and_delete_can_be_saved(bench: Bench, api_server: HttpCluster) -> None:
    deploy(bench, configmap("a", x="1"))
    deploy(bench, configmap("a", x="2"))
    bench.ok("rollback", "--out", "p.json")
    assert data(api_server, bench, "a") == {"x": "2"}
    ran = execute(bench)
    assert ran.code == 0 and ran.json["deployment"]["command"] == "rollback"
    assert data(api_server, bench, "a") == {"x": "1"}
    bench.ok("delete", "--out", "p.json", "-o", "json")
    assert execute(bench).json["deployment"]["command"] == "delete"
    assert data(api_server, bench, "a") is None


def test_without_the_key_or_with_another_it_exits_5(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bench, SECRET)
    bench.ok("plan", "--out", "p.json")
    monkeypatch.setenv("SBKUBE_STATE_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    refused(execute(bench), "sensitive values", "cannot be compared", code=5)
    assert get(api_server, "Secret", bench.namespace, "s") is None
    write(bench, configmap("a", x="1"))
    bench.ok("plan", "--out", "p.json")
    monkeypatch.delenv("SBKUBE_STATE_KEY")
    assert execute(bench).code == 0  # nothing sensitive in it


def _altered(bench: Bench, **changes: Any) -> None:
    file = bench.folder / "p.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_altered_foreign_and_unreadable_files_are_refused(bench: Bench, api_server: HttpCluster) -> None:
    write(bench, configmap("a", x="1"))
    bench.ok("plan", "--out", "p.json")
    saved = (bench.folder / "p.json").read_text()
    for changes, word in (
        ({"namespace": "other"}, "altered"),
        ({"seal": "0" * 64}, "altered"),
        ({"format": "sbkube/saved-plan/v9"}, "sbkube/saved-plan/v9"),
        ({"format": "something"}, "no saved plan"),
    ):
        _altered(bench, **changes)
        refused(execute(bench), word)
        (bench.folder / "p.json").write_text(saved)
    bench.write("p.json", "not json")
    refused(execute(bench), "not JSON")
    (bench.folder / "p.json").unlink()
    assert execute(bench).code == 2
    assert data(api_server, bench, "a") is None
    assert bench.sbkube("plan", "--out", "no/such/folder/p.json").code == 2


def _sealed_anew(bench: Bench, **changes: Any) -> None:
    """A file that somebody made consistent again, as a plan of another place or version would be."""
    import hashlib

    from sbkube.plan.saved import canonical

    file = bench.folder / "p.json"
    content = {**json.loads(file.read_text()), **changes, "key_id": "", "sealed": False}
    content = {k: v for k, v in content.items() if k not in ("digest", "seal")}
    digest = hashlib.sha256(canonical(content).encode()).hexdigest()
    file.write_text(json.dumps(content | {"digest": digest, "seal": ""}))


def test_other_cluster_project_namespace_version_and_history(bench: Bench, api_server: HttpCluster) -> None:
    write(bench, configmap("a", x="1"))
    bench.ok("plan", "--out", "p.json")
    saved = (bench.folder / "p.json").read_text()
    for changes, word in (
        ({"cluster_uid": "u-2"}, "the plan is for cluster u-2"),
        ({"project": "shop"}, "the plan is for project shop"),
        ({"namespace": "other"}, "the plan is for namespace other"),
        ({"version": "0.0.1"}, "saved by sbkube 0.0.1"),
        ({"on_top_of": "dep-20260101000000-00000000"}, "does not know"),
    ):
        _sealed_anew(bench, **changes)
        refused(execute(bench), word)
        (bench.folder / "p.json").write_text(saved)
    assert data(api_server, bench, "a") is None
    assert Path(os.environ["SBKUBE_STATE_URL"]).exists()


def test_a_plan_of_commands_is_executed_once(bench: Bench) -> None:
    bench.project({"b": {"type": "exec", "commands": ["echo b >> trace"]}})
    bench.ok("plan", "--out", "p")
    bench.ok("apply", "--plan", "p", "-y")
    again = bench.sbkube("apply", "--plan", "p", "-y")
    assert again.code == 3 and "has deployed" in again.err
    assert (bench.folder / "trace").read_text() == "b\n"
    assert "undo:" not in bench.ok("apply", "-y").out  # nobody knows how
