"""What no healthy API shows: odd answers to the cluster edge, from a scripted server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stub_server import StubServer, answer, failure

from sbkube.edges.access import Access
from sbkube.edges.cluster import HttpCluster, connect
from sbkube.edges.connection import Limits
from sbkube.errors import ClusterError, ClusterForbidden
from sbkube.models.resource import ResourceKey, ResourceType

MAPS = ResourceType("", "v1", "ConfigMap", "configmaps", True)
VERSION = answer(200, {"gitVersion": "v1.36.1+k3s1"})
SYSTEM = answer(200, {"metadata": {"uid": "u-1"}})
DISCOVERY = (
    answer(200, {"kind": "APIVersions", "versions": ["v1"]}),
    answer(200, {"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True}]}),
    answer(200, {"kind": "APIGroupList", "groups": []}),
)


def reach(server: StubServer) -> HttpCluster:
    return connect(
        Access(server.url, context="c", cluster="prod", user="me"), limits=Limits(sleep=lambda _: None, read=5)
    )


def chunk(*events: Any) -> bytes:
    text = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    return (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + f"{len(text):x}\r\n".encode() + text + b"\r\n"
    )


@pytest.mark.parametrize(
    ("review", "user"),
    [
        (answer(201, {"status": {"userInfo": {"username": "system:admin"}}}), "system:admin"),
        (failure(404, "the server could not find the requested resource"), "me"),
        (failure(403, "no"), "me"),
    ],
)
def test_info_is_asked_once_and_the_user_may_stay_unknown(review: bytes, user: str) -> None:
    with StubServer(VERSION, SYSTEM, review) as server:
        cluster = reach(server)
        info = cluster.info()
        assert cluster.info() is info
        assert (info.name, info.version, info.uid, info.user, info.sandbox) == (
            "prod",
            "v1.36.1+k3s1",
            "u-1",
            user,
            False,
        )
        assert len(server.requests) == 3


def test_what_was_asked_ahead_is_not_asked_again_nor_is_its_error() -> None:
    with StubServer(VERSION, SYSTEM, failure(404, "no")) as server:
        cluster = reach(server)
        cluster.look_ahead()
        assert cluster.info().uid == "u-1" and len(server.requests) == 3
    with StubServer(VERSION, answer(200, {"kind": "Namespace"}), VERSION, SYSTEM, failure(404, "no")) as server:
        cluster = reach(server)
        cluster.look_ahead()
        with pytest.raises(KeyError):
            cluster.info()
        assert cluster.info().uid == "u-1" and len(server.requests) == 5


def test_a_cluster_without_its_uid_is_forbidden() -> None:
    message = (
        'forbidden: User "ci" cannot get resource "namespaces" in API group "" in the namespace "kube-system"'
    )
    with StubServer(VERSION, failure(403, message)) as server, pytest.raises(ClusterForbidden) as caught:
        reach(server).info()
    assert 'needs the verb "get" on namespaces' in str(caught.value.hint)


def test_a_login_page_is_no_api() -> None:
    page = answer(200, b"<html>log in</html>")
    with StubServer(page) as server, pytest.raises(ClusterError, match="not JSON"):
        reach(server).info()


def test_pages_that_expire_are_asked_for_at_once() -> None:
    first = answer(200, {"metadata": {"continue": "t/1"}, "items": [{"metadata": {"name": "a"}}]})
    whole = answer(200, {"metadata": {}, "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]})
    with StubServer(first, failure(410, "expired", "Expired"), whole) as server:
        found = reach(server).list(MAPS, "x", labels="a=b")
        assert [item["metadata"]["name"] for item in found] == ["a", "b"]
        assert found[0]["kind"] == "ConfigMap"
        assert server.heads() == [
            "GET /api/v1/namespaces/x/configmaps?limit=500&labelSelector=a%3Db",
            "GET /api/v1/namespaces/x/configmaps?limit=500&continue=t%2F1&labelSelector=a%3Db",
            "GET /api/v1/namespaces/x/configmaps?labelSelector=a%3Db",
        ]


def test_names_cannot_leave_their_path() -> None:
    with StubServer(*DISCOVERY, answer(200, {})) as server:
        reach(server).get(ResourceKey("", "v1", "ConfigMap", "x/../y", "a?b#c/d"))
        assert server.heads()[-1] == "GET /api/v1/namespaces/x%2F..%2Fy/configmaps/a%3Fb%23c%2Fd"


def test_error_events_end_a_watch_with_their_code() -> None:
    expired = {
        "type": "ERROR",
        "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"},
    }
    with StubServer(chunk({"type": "ADDED", "object": {"metadata": {}}}, expired)) as server:
        events = reach(server).watch(MAPS, "x", resource_version="7", timeout=5)
        assert next(events).type == "ADDED"
        with pytest.raises(ClusterError, match="too old") as caught:
            next(events)
        assert caught.value.code == 410
        assert "resourceVersion=7" in server.heads()[0]


def test_a_watch_that_is_cut_just_ends() -> None:
    with StubServer(chunk({"type": "ADDED", "object": {}})) as server:
        cluster = reach(server)
        events = cluster.watch(MAPS, "x", timeout=30)
        next(events)
        server.drop()
        assert list(events) == []


def test_a_watch_that_may_not_be_opened() -> None:
    with StubServer(failure(403, "no")) as server, pytest.raises(ClusterForbidden):
        next(reach(server).watch(MAPS, "x"))


def test_logs() -> None:
    with StubServer(answer(200, b"one\ntwo \xff\n")) as server:
        assert (
            reach(server).logs("x", "web-1", "main", tail=5, previous=True)
            == "one\ntwo \N{REPLACEMENT CHARACTER}\n"
        )
        assert server.heads() == [
            "GET /api/v1/namespaces/x/pods/web-1/log?container=main&tailLines=5&previous=true"
        ]
