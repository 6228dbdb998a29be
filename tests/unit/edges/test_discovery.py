"""Discovery in both forms, kept in memory and in a file."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from stub_server import StubServer, answer, failure

from sbkube.edges.access import Access
from sbkube.edges.connection import Connection
from sbkube.edges.discovery import Discovery


def aggregated(*groups: tuple[str, str, str, str], **headers: str) -> bytes:
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {
                    "version": version,
                    "resources": [
                        {
                            "resource": plural,
                            "responseKind": {"group": group, "version": version, "kind": kind},
                            "scope": "Namespaced",
                            "verbs": ["get", "list"],
                        },
                        {"resource": "odd", "responseKind": None},
                    ],
                }
            ],
        }
        for group, version, kind, plural in groups
    ]
    return answer(200, {"kind": "APIGroupDiscoveryList", "items": items}, **headers)


CORE = ("", "v1", "ConfigMap", "configmaps")
APPS = ("apps", "v1", "Deployment", "deployments")
CUSTOM = ("x.io", "v1", "Thing", "things")


def discovery(server: StubServer, folder: Path | None = None) -> Discovery:
    return Discovery(Connection(Access(server.url)), folder)


def test_aggregated() -> None:
    with StubServer(aggregated(CORE), aggregated(APPS)) as server:
        found = discovery(server)
        deployment = found.find("apps/v1", "Deployment")
        assert deployment is not None
        assert (deployment.plural, deployment.namespaced, deployment.verbs) == (
            "deployments",
            True,
            frozenset(("get", "list")),
        )
        assert found.find("v1", "ConfigMap") is not None
        assert found.served() == ("apps/v1", "apps/v1/Deployment", "v1", "v1/ConfigMap")
        assert server.heads() == ["GET /api", "GET /apis"]
        assert b"as=APIGroupDiscoveryList" in server.requests[0]


def test_a_missing_kind_is_asked_for_again_cheaply() -> None:
    unchanged = answer(304)
    script = (aggregated(CORE, ETag='"1"'), aggregated(APPS, ETag='"2"'), unchanged, unchanged, unchanged)
    with StubServer(*script, aggregated(APPS, CUSTOM)) as server:
        found = discovery(server)
        assert found.find("x.io/v1", "Thing") is None
        assert b'If-None-Match: "2"' in server.requests[3]
        assert found.find("x.io/v1", "Thing") is not None
        assert found.find("v1", "ConfigMap") is not None
        assert len(server.requests) == 6


def test_an_empty_kind_costs_nothing() -> None:
    with StubServer(aggregated(CORE), aggregated(APPS)) as server:
        found = discovery(server)
        assert found.find("", "") is None
        assert len(server.requests) == 2


def test_legacy() -> None:
    resources = {
        "resources": [
            {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ["get"]},
            {"name": "configmaps/status", "kind": "ConfigMap", "namespaced": True},
        ]
    }
    groups = {"kind": "APIGroupList", "groups": [{"versions": [{"groupVersion": "broken.io/v1"}]}]}
    script = (
        answer(200, {"kind": "APIVersions", "versions": ["v1"]}),
        answer(200, resources),
        answer(200, groups),
        failure(503, "the backend is down"),
    )
    with StubServer(*script) as server:
        found = discovery(server)
        config_map = found.find("v1", "ConfigMap")
        assert config_map is not None
        assert config_map.plural == "configmaps"
        assert server.heads() == ["GET /api", "GET /api/v1", "GET /apis", "GET /apis/broken.io/v1"]


def test_a_file_saves_the_requests(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with StubServer(aggregated(CORE), aggregated(APPS)) as server:
        assert discovery(server, folder).find("apps/v1", "Deployment") is not None
        (file,) = folder.iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        assert discovery(server, folder).find("apps/v1", "Deployment") is not None
        assert len(server.requests) == 2
        server.script = [aggregated(CORE), aggregated(APPS, CUSTOM)]
        assert discovery(server, folder).find("x.io/v1", "Thing") is not None
        assert len(server.requests) == 4


@pytest.mark.parametrize("spoil", ["old", "broken", "foreign"])
def test_a_file_that_is_old_or_broken_is_not_believed(tmp_path: Path, spoil: str) -> None:
    with StubServer(*[aggregated(CORE), aggregated(APPS)] * 2) as server:
        discovery(server, tmp_path).find("v1", "ConfigMap")
        (file,) = tmp_path.iterdir()
        if spoil == "old":
            past = time.time() - 3600
            os.utime(file, (past, past))
        else:
            file.write_text("[" if spoil == "broken" else '[["a", 1], 3]')
        assert discovery(server, tmp_path).find("v1", "ConfigMap") is not None
        assert len(server.requests) == 4


def test_what_is_served_never_comes_from_a_file(tmp_path: Path) -> None:
    with StubServer(*[aggregated(CORE), aggregated(APPS)], aggregated(CORE), aggregated(CUSTOM)) as server:
        discovery(server, tmp_path).find("v1", "ConfigMap")
        assert "x.io/v1/Thing" in discovery(server, tmp_path).served()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with StubServer(aggregated(CORE), aggregated(APPS)) as server:
        assert discovery(server, blocked / "cache").find("v1", "ConfigMap") is not None
