"""The pytest plugin. It is loaded into every pytest run of an environment with sbkube, so it must stay light."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sbkube.testing.simulated import KubeSandbox, sandbox


@pytest.fixture
def kube_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeSandbox]:
    """An empty sandbox of this test's own: a process, an address, a token and a store that nobody else has."""
    with sandbox(tmp_path_factory.mktemp("kube-sandbox")) as box:
        yield box


@pytest.fixture(scope="session")
def kube_sandbox_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeSandbox]:
    """One sandbox for all tests of the session (of each worker with pytest-xdist): what they leave, stays."""
    with sandbox(tmp_path_factory.mktemp("kube-sandbox-session")) as box:
        yield box
