"""The plugin as strangers get it: found by pytest, cheap to import, safe with several workers."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

TEST = """
import os
import pytest

@pytest.mark.parametrize("number", range(6))
def test_own(kube_sandbox, number):
    assert kube_sandbox.client.get("ConfigMap", "mine") is None
    kube_sandbox.client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}})

@pytest.mark.parametrize("number", range(4))
def test_shared(kube_sandbox_session, number):
    seen = kube_sandbox_session.client.list("ConfigMap", "default", labels="kit=yes")
    body = {"metadata": {"name": f"n{number}", "labels": {"kit": "yes"}}, "apiVersion": "v1", "kind": "ConfigMap"}
    kube_sandbox_session.client.create(body)
    assert len(kube_sandbox_session.client.list("ConfigMap", "default", labels="kit=yes")) == len(seen) + 1
"""


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("workers", ["0", "2"])
def test_tests_of_strangers_find_the_fixtures(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    assert "10 passed" in run(tmp_path, "-n", workers)


def test_naming_the_plugin_as_well_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["sbkube.testing"]\n')
    (tmp_path / "test_it.py").write_text(TEST)
    assert "10 passed" in run(tmp_path)


def test_the_plugin_is_announced() -> None:
    assert [e.value for e in entry_points(group="pytest11") if e.name == "sbkube.testing"] == ["sbkube.testing"]


def test_importing_the_kit_needs_no_pytest_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import sbkube.testing\n"
        "heavy = {'aiohttp', 'cryptography', 'orjson', 'pydantic', 'sqlalchemy', 'ssl', 'subprocess', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
