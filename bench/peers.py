"""The programs that sbkube is measured against: helm 4 and kubectl, and kapp where it is on PATH."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

OF_THE_TESTS = ("helm", "kubectl")
TESTS = Path(__file__).resolve().parent.parent / "tests"


class PeerMissing(Exception):
    """A program was not found; says why."""


def find(name: str) -> str:
    """The program's path: from PATH; helm and kubectl else from the tests' cache. Raises PeerMissing."""
    if name not in OF_THE_TESTS or not (TESTS / "clients.py").exists():
        return _on_path(name)
    sys.path.insert(0, str(TESTS))
    try:
        import pytest

        clients = importlib.import_module("clients")
    except ImportError:
        return _on_path(name)
    finally:
        sys.path.remove(str(TESTS))
    try:
        return str(clients.program(name))
    except pytest.skip.Exception as reason:
        raise PeerMissing(f"{name}: {reason}") from reason


def _on_path(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise PeerMissing(f"{name} is not on PATH")
    return found


def version(name: str) -> str:
    """What the program says of itself, in one line; empty when it is missing."""
    words = {"helm": ["version", "--template={{.Version}}"], "kubectl": ["version", "--client"]}[name]
    try:
        done = subprocess.run([find(name), *words], capture_output=True, text=True, check=True)
    except (PeerMissing, subprocess.CalledProcessError):
        return ""
    return done.stdout.split("\n")[0].removeprefix("Client Version: ").strip()
