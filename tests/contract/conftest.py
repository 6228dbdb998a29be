"""A real API for contract suites: the cluster of SBKUBE_TEST_KUBECONFIG, else a sandbox of our own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from real_api import Server

from sbkube.edges.cluster import HttpCluster
from sbkube.edges.connection import Request
from sbkube.edges.sandbox import Sandbox


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    given = os.environ.get("SBKUBE_TEST_KUBECONFIG")
    if given:
        yield Server(given, sandbox=False)
        return
    box = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield Server(str(box.up(ready_delay=0.05)), sandbox=True)
    box.down()


@pytest.fixture
def http(server: Server) -> Iterator[HttpCluster]:
    """A connected cluster."""
    cluster = server.connect()
    yield cluster
    cluster.close()


@pytest.fixture
def space(http: HttpCluster) -> Iterator[str]:
    """A namespace for one test."""
    name = f"sbkube-test-{uuid.uuid4().hex[:8]}"
    http.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="sbkube-test", force=False
    )
    yield name
    http.connection.request(Request("DELETE", f"/api/v1/namespaces/{name}"))


@pytest.fixture
def faults(server: Server, http: HttpCluster) -> Iterator[object]:
    """Makes things go wrong: `faults(verb='patch', cut='after')`; only the sandbox can."""
    import orjson

    if not server.sandbox:
        pytest.skip("faults can be asked of the sandbox only")

    def add(**fault: object) -> None:
        http.connection.request(Request("POST", "/sandbox/faults", orjson.dumps(fault)))

    yield add
    http.connection.request(Request("DELETE", "/sandbox/faults"))
