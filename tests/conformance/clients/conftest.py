"""One sandbox for all foreign clients, and a namespace per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clients import program
from conformance.clients.programs import Program

from sbkube.edges.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A running sandbox whose pods are ready at once."""
    box = Sandbox(tmp_path_factory.mktemp("sandbox"))
    box.up(ready_delay=0.05)
    yield box
    box.down()


@pytest.fixture(scope="session")
def environ(sandbox: Sandbox) -> dict[str, str]:
    """What makes a program see the sandbox, and neither the home nor the settings of whoever runs the tests."""
    return {**sandbox.environment(), "HOME": str(sandbox.folder), "TMPDIR": str(sandbox.folder), "KUBERC": "off"}


@pytest.fixture(scope="session")
def anywhere(environ: dict[str, str]) -> Program:
    """kubectl, without a namespace."""
    return Program(program("kubectl"), environ)


@pytest.fixture
def kubectl(anywhere: Program) -> Program:
    """kubectl in a namespace of its own."""
    return anywhere.moved()


@pytest.fixture
def helm(kubectl: Program, environ: dict[str, str]) -> Program:
    """helm in the namespace of `kubectl`."""
    return Program(program("helm"), environ, kubectl.namespace)
