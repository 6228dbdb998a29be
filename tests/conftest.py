"""No test can touch the real home, kubeconfig, state database or clusters."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_KEPT = {"SBKUBE_TEST_KUBECONFIG", "SBKUBE_TEST_POSTGRES_URL", "SBKUBE_TEST_CACHE"}


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test has a home folder and an environment of its own."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if (name.startswith("SBKUBE_") and name not in _KEPT) or name.startswith("HELM_") or name == "KUBECONFIG":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SBKUBE_STATE_URL", str(home / "deployments.db"))
    monkeypatch.setenv("KUBECACHEDIR", str(home / "kube-cache"))
    yield home
