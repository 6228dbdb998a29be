"""What a create of ours leaves is what an apply would have left, and it never overwrites what is there already."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, cast

import pytest
from shapes import configmap, deployment

from sbkube.edges.cluster import HttpCluster
from sbkube.engine.creation import create_owned
from sbkube.engine.hands import Hands
from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ClusterError
from sbkube.models.resource import ResourceKey
from sbkube.ports import Json, Lock


class Held:
    """A lock that is held."""

    info: Any = None

    def check(self) -> None: ...


class World:
    """Nothing but a cluster."""

    def __init__(self, cluster: HttpCluster) -> None:
        self.cluster = cluster


@pytest.fixture
def namespace(api_server: HttpCluster) -> Iterator[str]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    api_server.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="test")
    yield name
    api_server.delete(ResourceKey("", "v1", "Namespace", "", name))


@pytest.fixture
def hands(api_server: HttpCluster) -> Hands:
    return Hands(cast(Surroundings, World(api_server)), cast(Lock, Held()), threading.Event())


def _owned(body: Json) -> list[str]:
    entries = [e for e in body["metadata"]["managedFields"] if e["manager"] == "sbkube"]
    return [json.dumps({k: v for k, v in e.items() if k != "time"}, sort_keys=True) for e in entries]


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "labels": {"a": "b"}},
    "spec": {
        "selector": {"app": "web"},
        "ports": [{"port": 80, "name": "http"}, {"port": 53, "protocol": "UDP", "name": "dns"}],
    },
}
WORKLOAD = deployment("web", fail="")
WORKLOAD["spec"]["template"]["spec"]["containers"][0] |= {
    "ports": [{"containerPort": 80}],
    "env": [{"name": "A", "value": "1"}],
    "resources": {"requests": {"cpu": "1000m"}},
    "args": ["x"],
}


@pytest.mark.parametrize(
    "body", [configmap("a", k="v"), SERVICE, WORKLOAD], ids=["ConfigMap", "Service", "Deployment"]
)
def test_a_create_owns_what_an_apply_would_own(
    body: Json, hands: Hands, api_server: HttpCluster, namespace: str
) -> None:
    placed = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
    created = create_owned(placed, hands)
    key = ResourceKey.of(placed)
    api_server.delete(key)
    deadline = time.monotonic() + 30
    while api_server.get(key) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    applied = api_server.apply(placed, manager="sbkube", force=False)
    assert _owned(created) == _owned(applied)


def test_a_create_leaves_what_a_successor_created_alone(
    hands: Hands, api_server: HttpCluster, namespace: str
) -> None:
    ours = configmap("a", owner="the one that was stopped")
    ours["metadata"]["namespace"] = namespace
    theirs = {**ours, "data": {"owner": "its successor"}}
    api_server.apply(theirs, manager="sbkube", force=True)
    with pytest.raises(ClusterError, match="created by somebody"):
        create_owned(ours, hands)
    live = api_server.get(ResourceKey.of(ours))
    assert live is not None and live["data"] == {"owner": "its successor"}
