"""No test can touch the real home, kubeconfig, state database or clusters."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from postgres import Server

# A busy machine is no failure: how long an example takes says nothing about what it shows.
settings.register_profile("sbkube", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sbkube")

_FOREIGN = {"KUBECONFIG", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG"}
_KEPT = {
    "SBKUBE_TEST_KUBECONFIG", "SBKUBE_TEST_POSTGRES_URL", "SBKUBE_TEST_CACHE", "SBKUBE_PICTURES", "SBKUBE_GOLDEN",
}  # fmt: skip


def pytest_configure() -> None:
    """Programs that tests start hear Ctrl-C, also where the tests themselves were started in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test has a home folder and an environment of its own."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if (name.startswith("SBKUBE_") and name not in _KEPT) or name.startswith("HELM_") or name in _FOREIGN:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SBKUBE_STATE_URL", str(home / "deployments.db"))
    monkeypatch.setenv("KUBECACHEDIR", str(home / "kube-cache"))
    yield home


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One PostgreSQL server for each process that runs tests, started when it is first wanted."""
    from postgres import shared_server

    with shared_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of a database of one's own that has our tables."""
    url = postgres_server.database()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def empty_postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of an empty database of one's own."""
    url = postgres_server.database(upgraded=False)
    yield url
    postgres_server.drop(url)
