"""Encrypted values and manifests: decrypted in memory, never written, never told."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from shapes import configmap
from sops_files import age, identity, sops

from sbkube.edges.cluster import HttpCluster
from sbkube.state.packing import decompress

PAGE = """apiVersion: v1
kind: Secret
metadata: {name: "{{ .Release.Name }}"}
stringData: {password: "{{ .Values.db.password }}", colour: "{{ .Values.colour }}", own: "{{ .Values.own }}"}
"""


def shop(bench: Bench, who: object) -> None:
    bench.write("values.yaml", sops({"db": {"password": "planted-one"}, "colour": "blue"}, who))
    (bench.folder / "own.yaml").write_bytes(age(b"own: planted-two", who))
    manifest = {**configmap("page"), "data": {"text": "planted-three"}}
    bench.write("m.yaml", sops(manifest, who))
    chart = bench.chart("web", {"page.yaml": PAGE}, "{}")
    bench.project(
        {
            "web": {"type": "helm", "chart": chart, "values": ["values.yaml", "own.yaml"]},
            "plain": {"type": "yaml", "manifests": ["m.yaml"]},
            "say": {"type": "exec", "commands": ["echo $WORDS"]},
        }
    )


def stored(bench: Bench) -> Iterator[tuple[str, bytes]]:
    """Every file of the state and of the project's folder, and every blob that is not encrypted."""
    database = Path(os.environ["SBKUBE_STATE_URL"].removeprefix("sqlite:///"))
    for path in (*database.parent.iterdir(), *(bench.folder / ".sbkube").rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes()
    with contextlib.closing(sqlite3.connect(database)) as conn:
        found = conn.execute("select digest, content from blobs where codec = 'zstd'").fetchall()
    assert found
    yield from ((str(digest), decompress(content)) for digest, content in found)


def test_they_are_deployed_and_told_nowhere(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = identity()
    monkeypatch.setenv("SOPS_AGE_KEY", str(who))
    monkeypatch.setenv("WORDS", "planted-one planted-two planted-three")
    shop(bench, who)
    said = [bench.ok(*words) for words in (("apply", "-y", "-v"), ("plan", "-v"), ("show", "-v"), ("template",))]
    assert not [ran for ran in said if "planted" in ran.out + ran.err]
    assert "cGxhbnRlZC1vbmU=" in str(get(api_server, "Secret", bench.namespace, "web"))
    page = get(api_server, "ConfigMap", bench.namespace, "page")
    assert page and page["data"] == {"text": "planted-three"} and "sops" not in page
    assert "nothing to do" in bench.ok("apply", "-y", "--app", "web").out
    assert not [where for where, content in stored(bench) if b"planted-" in content]


def test_what_templates_put_elsewhere_is_told_nowhere(
    bench: Bench, api_server: HttpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = identity()
    monkeypatch.setenv("SOPS_AGE_KEY", str(who))
    page = """apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {url: "postgres://u:{{ .Values.password }}@db", colour: "{{ .Values.colour }}"}
"""
    chart = bench.chart("web", {"page.yaml": page}, "{colour: red}")
    bench.project({"web": {"type": "helm", "chart": chart, "values": ["values.yaml"]}})
    said = []
    for password in ("planted-old", "planted-new"):
        bench.write("values.yaml", sops({"password": password}, who))
        said += [bench.ok("plan", "-v"), bench.ok("apply", "-y", "-v"), bench.ok("show", "-v")]
    live = get(api_server, "ConfigMap", bench.namespace, "web")
    assert live and live["data"] == {"url": "postgres://u:planted-new@db", "colour": "red"}
    said += [bench.ok(*words) for words in (("template",), ("show", "-o", "json"), ("diff", "-o", "json"))]
    said += [bench.ok(*words) for words in (("rollback", "--dry-run", "-v"), ("rollback", "-y", "-v"))]
    said += [bench.sbkube("diff", "-v"), bench.sbkube("drift", "-o", "json"), bench.ok("delete", "-y", "-v")]
    said += [bench.ok("show", "-v"), bench.ok("history", "--diff", "latest~1,latest")]
    assert not [ran for ran in said if "planted" in ran.out + ran.err]
    assert "colour" in said[0].out
    assert not [where for where, content in stored(bench) if b"planted" in content]


def test_without_the_key(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(bench.folder))
    shop(bench, identity())
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "values.yaml:1" in ran.err and "cannot be decrypted" in ran.err
    assert "SOPS_AGE_KEY" in ran.err


def test_a_key_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    who = identity()
    keys = bench.write("keys.txt", f"# created: today\n# public key: {who.to_public()}\n{who}\n")
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(keys))
    shop(bench, who)
    bench.ok("apply", "-y")
