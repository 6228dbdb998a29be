"""Encrypted values and manifests: decrypted in memory, never written, never told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from shapes import configmap
from sops_files import age, identity, sops

from sbkube.edges.cluster import HttpCluster

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
            "plain": {"type": "yaml", "manifests": ["m.yaml"], "sensitive": ["data.text"]},
            "say": {"type": "exec", "commands": ["echo $WORDS"]},
        }
    )


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
    places = [*Path(os.environ["SBKUBE_STATE_URL"]).parent.iterdir(), *(bench.folder / ".sbkube").rglob("*")]
    assert not [path for path in places if path.is_file() and b"planted-" in path.read_bytes()]


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
