"""Tokens that change and programs that print them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sbkube.edges import credentials
from sbkube.edges.access import Access, Auth, ExecPlugin, Tls
from sbkube.edges.credentials import Credential
from sbkube.errors import ClusterForbidden, ToolMissing

V1 = "client.authentication.k8s.io/v1"
Made = Callable[..., Access]


class Wall:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def plugin(tmp_path: Path) -> Made:
    """A plugin that counts its runs, keeps what it was asked, and prints what it is told to."""

    def make(status: Any, version: str = V1, code: int = 0, **more: Any) -> Access:
        program = tmp_path / "login.py"
        program.write_text(
            "import json, os, pathlib, sys\n"
            f"folder = pathlib.Path({str(tmp_path)!r})\n"
            "runs = folder / 'runs'\n"
            "n = int(runs.read_text()) + 1 if runs.exists() else 1\n"
            "runs.write_text(str(n))\n"
            "(folder / 'asked').write_text(os.environ['KUBERNETES_EXEC_INFO'] + os.environ.get('EXTRA', ''))\n"
            f"status = json.loads({json.dumps(status)!r})\n"
            "if isinstance(status, dict) and 'token' in status: status['token'] += str(n)\n"
            f"doc = {{'apiVersion': {version!r}, 'kind': 'ExecCredential', 'status': status}}\n"
            "print(json.dumps(doc) if status != 'junk' else 'junk')\n"
            "sys.stderr.write('please log in\\n')\n"
            f"sys.exit({code})\n"
        )
        spec = {"api_version": V1, "interactive": "Never", **more}
        auth = Auth(plugin=ExecPlugin(sys.executable, (str(program),), **spec))
        return Access(
            "https://api", context="prod", auth=auth, tls=Tls(ca_data="PEM"), environ=tuple(os.environ.items())
        )

    return make


def runs(tmp_path: Path) -> int:
    return int((tmp_path / "runs").read_text())


def test_a_plugin_runs_once_until_its_credential_ends(plugin: Made, tmp_path: Path) -> None:
    wall = Wall()
    ends = datetime.fromtimestamp(wall.now + 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = credentials.of(plugin({"token": "t", "expirationTimestamp": ends}), wall)
    assert found.current() == found.current() == Credential("Bearer t1")
    wall.now += 55
    assert found.current() == Credential("Bearer t2")


def test_a_refused_credential_is_fetched_again_once_for_all_threads(plugin: Made, tmp_path: Path) -> None:
    found = credentials.of(plugin({"token": "t"}))
    first = found.current()
    assert found.renew(first)
    assert found.renew(first)
    assert found.current() == Credential("Bearer t2")
    assert runs(tmp_path) == 2


def test_what_a_plugin_is_told(plugin: Made, tmp_path: Path) -> None:
    credentials.of(plugin({"token": "t"}, cluster_info=True, env=(("EXTRA", "!"),))).current()
    asked = (tmp_path / "asked").read_text()
    assert asked.endswith("!")
    info = json.loads(asked[:-1])
    assert info["spec"]["interactive"] is False
    assert info["spec"]["cluster"]["server"] == "https://api"
    assert info["spec"]["cluster"]["certificate-authority-data"] == "UEVN"


def test_a_plugin_may_give_a_certificate(plugin: Made) -> None:
    found = credentials.of(plugin({"clientCertificateData": "C", "clientKeyData": "K"})).current()
    assert found.authorization == ""
    assert found.pair is not None
    assert (found.pair.certificate, found.pair.key) == ("C", "K")


@pytest.mark.parametrize(
    ("status", "more", "words"),
    [
        ({}, {}, "neither a token nor a certificate"),
        ({"clientCertificateData": "C"}, {}, "neither a token nor a certificate"),
        ("junk", {}, "not JSON"),
        (None, {}, "no ExecCredential"),
        ({"token": "t"}, {"code": 2}, "ended with code 2: please log in"),
        ({"token": "t"}, {"version": "client.authentication.k8s.io/v1beta1"}, "answered in"),
        ({"token": "t", "expirationTimestamp": "soon"}, {}, "no time: soon"),
        ({"token": "t"}, {"interactive": "Always"}, "wants a terminal"),
    ],
)
def test_plugins_that_fail(
    plugin: Made, status: Any, more: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ClusterForbidden, match=words) as caught:
        credentials.of(plugin(status, **more)).current()
    assert caught.value.hint


def test_a_plugin_that_is_not_installed() -> None:
    auth = Auth(plugin=ExecPlugin("no-such-login", install_hint="get it from example.com"))
    with pytest.raises(ToolMissing) as caught:
        credentials.of(Access("https://api", auth=auth)).current()
    assert caught.value.hint == "get it from example.com"


def test_token_files_are_read_again_each_minute(tmp_path: Path) -> None:
    path, wall = tmp_path / "token", Wall()
    path.write_text("one\n")
    found = credentials.of(Access("https://api", auth=Auth(token="other", token_file=str(path))), wall)
    assert found.current() == Credential("Bearer one")
    path.write_text("two")
    assert found.current() == Credential("Bearer one")
    wall.now += 61
    assert found.current() == Credential("Bearer two")
    assert not found.renew(Credential("Bearer two"))
    path.unlink()
    wall.now += 61
    with pytest.raises(ClusterForbidden, match="cannot be read"):
        found.current()
