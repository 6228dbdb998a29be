"""`sbkube serve` as a process of its own: the address it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, TextIO

import pytest
from integration.conftest import Bench
from integration.test_crash import _start, _until
from integration.web.test_actions import _slow
from jsonschema import Draft202012Validator

from sbkube.api import schema

Process = subprocess.Popen[str]


@pytest.fixture
def serving(own_home: Path) -> Iterator[Process]:
    words = [sys.executable, "-m", "sbkube", "serve", "--port", "0", "-o", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=own_home) as run:
        yield run
        run.kill()


def document(stream: TextIO | None) -> dict[str, Any]:
    """The next document of a stream that goes on."""
    assert stream is not None
    text = ""
    while line := stream.readline():
        text += line
        try:
            found: dict[str, Any] = json.loads(text)
        except json.JSONDecodeError:
            continue
        return found
    raise AssertionError(f"ended after {text!r}")


def test_the_printed_address_opens_the_page_once(serving: Process) -> None:
    first = document(serving.stdout)
    assert not list(Draft202012Validator(schema("serve")).iter_errors(first))
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(first["url"], timeout=20) as answer:
        assert answer.status == 200 and "<h1>Deployments</h1>" in answer.read().decode()
    second = document(serving.stdout)
    assert second["url"] != first["url"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(first["url"], timeout=20)
    assert refused.value.code == 403


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(serving: Process, number: int) -> None:
    document(serving.stdout)
    os.kill(serving.pid, number)
    assert serving.wait(20) == 0


def test_with_actions_a_second_address_lets_people_act(bench: Bench) -> None:
    _slow(bench, "60")
    words = [sys.executable, "-m", "sbkube", "serve", "--allow-actions", "--port", "0", "-o", "json"]
    run = _start(bench, "apply", "-y")
    _until(lambda: bench.ok("history", "-o", "json").json["deployments"])
    run.kill()
    run.communicate()
    words += ["--kubeconfig", str(bench.config), str(bench.folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        reads, acts = document(run.stdout), document(run.stdout)
        assert (reads["acts"], acts["acts"]) == (False, True) and reads["url"] != acts["url"]
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with browser.open(acts["url"], timeout=20) as answer:
            seal = re.findall(r'name="seal" value="(\w+)"', answer.read().decode())[0]
        assert document(run.stdout)["acts"] is True

        def post(path: str, **form: str) -> str:
            base, content = acts["url"].partition("/login")[0], urllib.parse.urlencode({"seal": seal, **form})
            with browser.open(base + path, content.encode(), timeout=60) as answer:
                return str(answer.read().decode())

        cut_off = bench.ok("history", "-o", "json").json["deployments"][0]["deployment_id"]
        page = post("/plan", command="resume", deployment=cut_off)
        digest = re.findall(r'name="digest" value="(\w+)"', page)[0]
        assert "in progress" in post("/execute", digest=digest, confirm=bench.namespace)
        run.terminate()
        _, said = run.communicate(timeout=30)
        assert run.returncode == 0 and "is finished and recorded" in said
    newest = bench.ok("history", "-o", "json").json["deployments"][0]
    assert (newest["command"], newest["status"]) == ("resume", "interrupted")


def _refused(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sbkube", "serve", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_what_cannot_be_served_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "--port" in _refused("--port", str(taken.getsockname()[1]))
    assert "choose another path" in _refused("--unix-socket", str(tmp_path / "no" / "where"))
    assert "belong together" in _refused("--trust-proxy", "10.0.0.0/8")
    assert "--allow-actions" in _refused("folder") and "--allow-actions" in _refused("--actor", "ann")
    assert "--identity-header" in _refused("--allow-actions", "--actor", "ann")
    assert "an address or network" in _refused("--trust-proxy", "nobody", "--identity-header", "x-user")
    assert "the proxy's own address" in _refused("--trust-proxy", "0.0.0.0/0", "--identity-header", "x-user")


def test_a_unix_socket_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "page"
    words = [sys.executable, "-m", "sbkube", "serve", "--unix-socket", str(path), "--identity-header", "x-user"]
    with subprocess.Popen(
        [*words, "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert document(run.stdout)["socket"] == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(str(path))
            peer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nx-user: ann\r\nConnection: close\r\n\r\n")
            said = b"".join(iter(lambda: peer.recv(65536), b"")).decode()
        assert said.startswith("HTTP/1.1 200") and "Sign out ann" in said
        run.terminate()
        assert run.wait(20) == 0


def test_answers_are_sent_at_once() -> None:
    """Else headers and body are 40 ms apart: the one waits for more to send, the other for more to acknowledge."""
    pytest.importorskip("uvicorn", reason="sbkube[web] is not installed")
    from sbkube.web.server import listen

    with listen("127.0.0.1", 0) as own, socket.create_connection(own.getsockname()):
        accepted, _ = own.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
