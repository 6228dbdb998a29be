"""`sbkube serve` as a process of its own: the address it prints, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, TextIO

import pytest
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(serving: Process, number: int) -> None:
    document(serving.stdout)
    os.kill(serving.pid, number)
    assert serving.wait(20) == 0
