"""What the port Cluster promises, asked of the HTTP edge and a real API."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from real_api import Server

from sbkube.edges import cluster as edge
from sbkube.edges.cluster import HttpCluster
from sbkube.edges.connection import Limits
from sbkube.errors import ClusterError, ClusterForbidden, ClusterUnreachable
from sbkube.models.resource import ResourceKey
from sbkube.ports import Cluster

ME = "sbkube-test"
Faults = Callable[..., None]


def config_map(space: str, name: str = "web", /, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space}, "data": data}


def crd(plural: str, kind: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.test.sbkube.dev"},
        "spec": {
            "group": "test.sbkube.dev",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def test_it_is_the_port(http: HttpCluster) -> None:
    port: Cluster = http
    assert port.info() == http.info()


def test_info(server: Server, http: HttpCluster) -> None:
    info = http.info()
    assert info.server == http.access.server
    assert info.version.startswith("v1.")
    assert len(info.uid) == 36
    assert info.user
    assert info.sandbox == server.sandbox


def test_apply_creates_changes_and_changes_nothing(http: HttpCluster, space: str) -> None:
    first = http.apply(config_map(space, a="1"), manager=ME, force=False)
    assert first["metadata"]["managedFields"][0]["manager"] == ME
    again = http.apply(config_map(space, a="1"), manager=ME, force=False)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    changed = http.apply(config_map(space, b="2"), manager=ME, force=False)
    assert changed["data"] == {"b": "2"}
    assert http.get(ResourceKey.of(changed)) == changed


def test_a_dry_run_stores_nothing(http: HttpCluster, space: str) -> None:
    body = config_map(space, a="1")
    assert http.dry_run_apply(body, manager=ME, force=False)["data"] == {"a": "1"}
    assert http.get(ResourceKey.of(body)) is None


def test_conflicts_name_manager_and_field_and_can_be_forced(http: HttpCluster, space: str) -> None:
    http.apply(config_map(space, a="1"), manager="other", force=False)
    with pytest.raises(ClusterError) as caught:
        http.apply(config_map(space, a="2"), manager=ME, force=False)
    assert caught.value.conflict
    assert caught.value.reason == "Conflict"
    assert caught.value.subject == f"ConfigMap/web in {space}"
    ((field, message),) = caught.value.causes
    assert (field, 'conflict with "other"' in message) == (".data.a", True)
    assert http.apply(config_map(space, a="2"), manager=ME, force=True)["data"] == {"a": "2"}


def test_unknown_fields_are_refused(http: HttpCluster, space: str) -> None:
    body = {**config_map(space), "oops": 1}
    with pytest.raises(ClusterError, match="oops") as caught:
        http.apply(body, manager=ME, force=False)
    assert caught.value.code in (400, 422, 500)
    assert http.get(ResourceKey.of(body)) is None


def test_uid_and_version_in_the_body_are_preconditions(http: HttpCluster, space: str) -> None:
    first = http.apply(config_map(space, a="1"), manager=ME, force=False)
    http.apply(config_map(space, a="2"), manager=ME, force=False)
    stale = config_map(space, a="3")
    stale["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"]
    with pytest.raises(ClusterError) as caught:
        http.apply(stale, manager=ME, force=True)
    assert caught.value.conflict
    other = config_map(space, a="3")
    other["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(ClusterError) as caught:
        http.apply(other, manager=ME, force=True)
    assert caught.value.conflict
    assert caught.value.causes == ()


def test_missing_namespaces_and_kinds(http: HttpCluster, space: str) -> None:
    with pytest.raises(ClusterError) as caught:
        http.apply(config_map("sbkube-no-such"), manager=ME, force=False)
    assert caught.value.not_found
    odd = {"apiVersion": "no.such/v1", "kind": "Odd", "metadata": {"name": "x", "namespace": space}}
    assert http.get(ResourceKey.of(odd)) is None
    assert http.get(ResourceKey.of(config_map("sbkube-no-such"))) is None
    assert http.resource_type("no.such/v1", "Odd") is None
    http.delete(ResourceKey.of(odd))
    with pytest.raises(ClusterError, match='serves no kind "Odd"') as caught:
        http.apply(odd, manager=ME, force=False)
    assert caught.value.not_found


def test_create(http: HttpCluster, space: str) -> None:
    created = http.create(config_map(space, a="1"), manager=ME)
    assert created["metadata"]["uid"]
    with pytest.raises(ClusterError) as caught:
        http.create(config_map(space, a="1"), manager=ME)
    assert (caught.value.code, caught.value.reason) == (409, "AlreadyExists")


def test_merge_changes_and_never_creates(http: HttpCluster, space: str) -> None:
    key = ResourceKey.of(config_map(space))
    with pytest.raises(ClusterError) as caught:
        http.merge(key, {"data": {"a": "1"}}, manager=ME)
    assert caught.value.not_found
    http.apply(config_map(space, a="1", b="2"), manager=ME, force=False)
    assert http.merge(key, {"data": {"a": None, "c": "3"}}, manager=ME)["data"] == {"b": "2", "c": "3"}


def test_delete_only_what_is_meant(http: HttpCluster, space: str) -> None:
    live = http.apply(config_map(space), manager=ME, force=False)
    key = ResourceKey.of(live)
    with pytest.raises(ClusterError) as caught:
        http.delete(key, uid="00000000-0000-0000-0000-000000000000")
    assert caught.value.conflict
    http.delete(key, uid=live["metadata"]["uid"])
    assert http.get(key) is None
    http.delete(key)


def test_list_by_namespace_label_and_field(http: HttpCluster, space: str) -> None:
    kind = http.resource_type("v1", "ConfigMap")
    assert kind is not None
    for name in ("a", "b"):
        body = config_map(space, name)
        body["metadata"]["labels"] = {"name": name}
        http.apply(body, manager=ME, force=False)
    mine = [item for item in http.list(kind, space) if item["metadata"]["name"] in "ab"]
    assert [(item["apiVersion"], item["kind"]) for item in mine] == [("v1", "ConfigMap")] * 2
    assert [item["metadata"]["name"] for item in http.list(kind, space, labels="name in (b)")] == ["b"]
    assert [item["metadata"]["name"] for item in http.list(kind, space, fields="metadata.name=a")] == ["a"]
    assert len(http.list(kind, labels="name in (a,b)")) >= 2
    assert http.list(kind, "sbkube-no-such") == []
    assert http.list(replace(kind, plural="nothings"), space) == []


def test_lists_come_in_pages(http: HttpCluster, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = http.resource_type("v1", "ConfigMap")
    assert kind is not None
    names = {f"n{number}" for number in range(7)}
    for name in names:
        body = config_map(space, name)
        body["metadata"]["labels"] = {"paged": "yes"}
        http.apply(body, manager=ME, force=False)
    monkeypatch.setattr(edge, "PAGE", 3)
    found = [item["metadata"]["name"] for item in http.list(kind, space, labels="paged=yes")]
    assert set(found) == names
    assert len(found) == 7


def test_cluster_scoped_kinds(http: HttpCluster, space: str) -> None:
    kind = http.resource_type("v1", "Namespace")
    assert kind is not None
    assert not kind.namespaced
    found = http.get(ResourceKey("", "v1", "Namespace", "", space))
    assert found is not None
    assert "patch" in kind.verbs


def test_api_versions_as_helm_wants_them(http: HttpCluster) -> None:
    served = http.api_versions()
    assert {"v1", "v1/ConfigMap", "apps/v1", "apps/v1/Deployment"} <= set(served)
    assert list(served) == sorted(served)


def test_a_new_kind_is_found_at_once(http: HttpCluster, space: str) -> None:
    body = {"apiVersion": "test.sbkube.dev/v1", "kind": "Gadget", "metadata": {"name": "x", "namespace": space}}
    definition = crd("gadgets", "Gadget")
    assert http.get(ResourceKey.of(body)) is None
    http.apply(definition, manager=ME, force=False)
    try:
        deadline = time.monotonic() + 20
        while http.resource_type("test.sbkube.dev/v1", "Gadget") is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert http.apply(body, manager=ME, force=False)["metadata"]["uid"]
        assert http.get(ResourceKey.of(body)) is not None
    finally:
        http.delete(ResourceKey.of(definition))


def test_watch(http: HttpCluster, space: str) -> None:
    kind = http.resource_type("v1", "ConfigMap")
    assert kind is not None
    first = http.apply(config_map(space, "a"), manager=ME, force=False)
    version = first["metadata"]["resourceVersion"]

    def act() -> None:
        time.sleep(0.2)
        http.apply(config_map(space, "b"), manager=ME, force=False)
        http.apply(config_map(space, "a", x="1"), manager=ME, force=False)
        http.delete(ResourceKey.of(first))

    threading.Thread(target=act).start()
    seen = []
    for event in http.watch(kind, space, resource_version=version, timeout=20):
        if event.type != "BOOKMARK" and event.object["metadata"]["name"] in "ab":
            seen.append((event.type, event.object["metadata"]["name"]))
        if len(seen) == 3:
            break
    assert seen == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_watch_one_object_from_the_beginning(http: HttpCluster, space: str) -> None:
    kind = http.resource_type("v1", "ConfigMap")
    assert kind is not None
    http.apply(config_map(space, "a"), manager=ME, force=False)
    http.apply(config_map(space, "b"), manager=ME, force=False)
    started = time.monotonic()
    events = [e for e in http.watch(kind, space, fields="metadata.name=b", timeout=1.5) if e.type != "BOOKMARK"]
    assert [(e.type, e.object["metadata"]["name"]) for e in events] == [("ADDED", "b")]
    assert 1 < time.monotonic() - started < 4


def test_closing_ends_watches(server: Server, space: str) -> None:
    own = server.connect()
    kind = own.resource_type("v1", "ConfigMap")
    assert kind is not None
    threading.Timer(0.5, own.close).start()
    started = time.monotonic()
    list(own.watch(kind, space, timeout=60))
    assert time.monotonic() - started < 10


def test_a_watch_from_too_long_ago_says_so(http: HttpCluster, space: str, server: Server) -> None:
    kind = http.resource_type("v1", "ConfigMap")
    assert kind is not None
    if not server.sandbox:
        pytest.skip("a real server forgets when it pleases")
    with pytest.raises(ClusterError) as caught:
        list(http.watch(kind, space, resource_version="1", timeout=2))
    assert caught.value.code == 410


def test_logs_of_nothing_are_empty(http: HttpCluster, space: str) -> None:
    assert http.logs(space, "no-such-pod", "main") == ""


def test_many_threads(http: HttpCluster, space: str) -> None:
    bodies = [config_map(space, f"t{number}", n=str(number)) for number in range(100)]
    with ThreadPoolExecutor(24) as pool:
        found = list(pool.map(lambda body: http.apply(body, manager=ME, force=False), bodies))
    assert [item["data"] for item in found] == [body["data"] for body in bodies]


def test_bodies_that_are_not_json(http: HttpCluster, space: str) -> None:
    with pytest.raises(ClusterError, match="cannot be written as JSON"):
        http.apply({**config_map(space), "data": {"a": object()}}, manager=ME, force=False)


def test_wrong_credentials(http: HttpCluster) -> None:
    auth = replace(http.access.auth, token="wrong", token_file="", username="", plugin=None)
    tls = replace(http.access.tls, cert_data="", cert_file="", key_data="", key_file="")
    other = edge.connect(replace(http.access, auth=auth, tls=tls))
    with pytest.raises(ClusterForbidden) as caught:
        other.info()
    assert caught.value.hint


@pytest.mark.parametrize("cut", ["before", "after", "body"])
def test_an_apply_survives_a_cut_connection(http: HttpCluster, space: str, faults: Faults, cut: str) -> None:
    faults(verb="apply", kind="configmaps", cut=cut)
    faults(verb="patch", kind="configmaps", cut=cut)
    assert http.apply(config_map(space, a="1"), manager=ME, force=False)["data"] == {"a": "1"}


def test_a_create_whose_answer_is_lost_is_reported(http: HttpCluster, space: str, faults: Faults) -> None:
    faults(verb="create", kind="configmaps", cut="after")
    with pytest.raises(ClusterUnreachable, match="lost"):
        http.create(config_map(space), manager=ME)
    assert http.get(ResourceKey.of(config_map(space))) is not None


def test_a_delete_survives_a_cut_connection(http: HttpCluster, space: str, faults: Faults) -> None:
    live = http.apply(config_map(space), manager=ME, force=False)
    faults(verb="delete", kind="configmaps", cut="after")
    http.delete(ResourceKey.of(live), uid=live["metadata"]["uid"])
    assert http.get(ResourceKey.of(live)) is None


def test_a_busy_server_is_waited_for(http: HttpCluster, space: str, faults: Faults) -> None:
    faults(kind="configmaps", status=429, retry_after=1)
    started = time.monotonic()
    assert http.create(config_map(space), manager=ME)["metadata"]["uid"]
    assert time.monotonic() - started >= 1


def test_a_right_that_is_missing(http: HttpCluster, space: str, faults: Faults) -> None:
    message = f'User "ci" cannot list resource "configmaps" in API group "" in the namespace "{space}"'
    faults(verb="list", kind="configmaps", status=403, message=message)
    kind = http.resource_type("v1", "ConfigMap")
    assert kind is not None
    with pytest.raises(ClusterForbidden) as caught:
        http.list(kind, space)
    assert f'needs the verb "list" on configmaps in namespace {space}' in str(caught.value.hint)


def test_retries_end(server: Server, space: str, faults: Faults) -> None:
    own = server.connect(limits=Limits(retries=2, first_pause=0.01))
    faults(kind="configmaps", status=503, times=0)
    with pytest.raises(ClusterError) as caught:
        own.get(ResourceKey.of(config_map(space)))
    assert caught.value.code == 503
