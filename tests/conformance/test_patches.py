"""Merge, JSON and strategic merge patches."""

from __future__ import annotations

import pytest
from conformance.objects import config_map, deployment, owners, service, version
from conformance.talk import JSON_PATCH, MERGE, STRATEGIC, Api, Json, refusal


def containers(body: Json) -> list[Json]:
    found: list[Json] = body["spec"]["template"]["spec"]["containers"]
    return found


def of_containers(*items: Json) -> Json:
    return {"spec": {"template": {"spec": {"containers": list(items)}}}}


def test_merge_sets_and_null_removes(api: Api, maps: str) -> None:
    api.post(maps, config_map("a", {"x": "1", "y": "1"})).ok()
    changed = api.patch(f"{maps}/a", {"data": {"x": None, "z": "3"}}, fieldManager="p").ok()
    assert changed["data"] == {"y": "1", "z": "3"}
    assert owners(changed)["p", "Update"] == {"f:data": {"f:z": {}}}


def test_merge_replaces_lists(api: Api, apps: str) -> None:
    api.post(f"{apps}/deployments", deployment("a")).ok()
    other = {"name": "other", "image": "registry.example/other:1"}
    changed = api.patch(f"{apps}/deployments/a", of_containers(other)).ok()
    assert [c["name"] for c in containers(changed)] == ["other"]


def test_a_patch_without_a_change_keeps_the_version(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1"})).ok()
    for kind in (MERGE, STRATEGIC):
        assert version(api.patch(f"{maps}/a", {"data": {"x": "1"}}, kind).ok()) == version(made)


@pytest.mark.parametrize("kind", [MERGE, STRATEGIC])
def test_patches_of_nothing_are_404(api: Api, maps: str, kind: str) -> None:
    assert api.patch(f"{maps}/none", {}, kind).body == refusal(
        404, "NotFound", 'configmaps "none" not found', {"name": "none", "kind": "configmaps"}
    )


def test_a_version_in_a_patch_is_a_precondition(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1"})).ok()
    api.patch(f"{maps}/a", {"data": {"x": "2"}}).ok()
    stale = api.patch(f"{maps}/a", {"metadata": {"resourceVersion": version(made)}, "data": {"x": "3"}})
    assert (stale.status, stale.body["reason"]) == (409, "Conflict")


@pytest.mark.parametrize(
    ("steps", "data"),
    [
        ([{"op": "add", "path": "/data/z", "value": "3"}], {"x": "1", "y": "1", "z": "3"}),
        ([{"op": "replace", "path": "/data/x", "value": "9"}], {"x": "9", "y": "1"}),
        ([{"op": "remove", "path": "/data/x"}], {"y": "1"}),
        ([{"op": "copy", "from": "/data/x", "path": "/data/z"}], {"x": "1", "y": "1", "z": "1"}),
        ([{"op": "move", "from": "/data/x", "path": "/data/z"}], {"y": "1", "z": "1"}),
        ([{"op": "test", "path": "/data/x", "value": "1"}, {"op": "remove", "path": "/data/y"}], {"x": "1"}),
    ],
    ids=lambda value: value[0]["op"] if isinstance(value, list) else "",
)
def test_json_patch(api: Api, maps: str, steps: list[Json], data: Json) -> None:
    api.post(maps, config_map("a", {"x": "1", "y": "1"})).ok()
    assert api.patch(f"{maps}/a", steps, JSON_PATCH).ok()["data"] == data


@pytest.mark.parametrize(
    "step", [{"op": "test", "path": "/data/x", "value": "2"}, {"op": "remove", "path": "/data/none"}]
)
def test_a_json_patch_that_cannot_be_done_is_422(api: Api, maps: str, step: Json) -> None:
    api.post(maps, config_map("a", {"x": "1"})).ok()
    answer = api.patch(f"{maps}/a", [step], JSON_PATCH)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message == "the server rejected our request due to an error in our request"


def test_strategic_merges_items_by_their_key(api: Api, apps: str) -> None:
    api.post(f"{apps}/deployments", deployment("a")).ok()
    side = {"name": "side", "image": "registry.example/side:1"}
    changed = api.patch(
        f"{apps}/deployments/a", of_containers(side, {"name": "main", "image": "new"}), STRATEGIC
    ).ok()
    assert {c["name"]: c["image"] for c in containers(changed)} == {
        "main": "new",
        "side": "registry.example/side:1",
    }


def test_strategic_deletes_an_item(api: Api, apps: str) -> None:
    body = deployment("a")
    containers(body).append({"name": "side", "image": "registry.example/side:1"})
    api.post(f"{apps}/deployments", body).ok()
    patch = of_containers({"name": "side", "$patch": "delete"})
    assert [c["name"] for c in containers(api.patch(f"{apps}/deployments/a", patch, STRATEGIC).ok())] == ["main"]


def test_strategic_replaces_a_map(api: Api, apps: str) -> None:
    api.post(f"{apps}/deployments", deployment("a")).ok()
    patch = {"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}
    changed = api.patch(f"{apps}/deployments/a", patch, STRATEGIC).ok()
    assert changed["spec"]["strategy"] == {"type": "Recreate"}


def test_strategic_retains_keys(api: Api, apps: str) -> None:
    api.post(f"{apps}/deployments", deployment("a")).ok()
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    changed = api.patch(f"{apps}/deployments/a", patch, STRATEGIC).ok()
    assert changed["spec"]["strategy"] == {"type": "Recreate"}


def test_strategic_deletes_from_a_list_of_texts(api: Api, maps: str) -> None:
    api.post(maps, config_map("a", finalizers=["example.com/one", "example.com/two"])).ok()
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/one"]}}
    changed = api.patch(f"{maps}/a", patch, STRATEGIC).ok()
    assert changed["metadata"]["finalizers"] == ["example.com/two"]
    api.patch(f"{maps}/a", {"metadata": {"finalizers": None}}).ok()


def test_strategic_orders_a_list(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/services"
    ports = [{"name": n, "port": p, "protocol": "TCP"} for n, p in (("a", 1), ("b", 2), ("c", 3))]
    api.post(path, service("s", ports=ports)).ok()
    patch = {"spec": {"$setElementOrder/ports": [{"port": 3}, {"port": 1}, {"port": 2}]}}
    changed = api.patch(f"{path}/s", patch, STRATEGIC).ok()
    assert [p["port"] for p in changed["spec"]["ports"]] == [3, 1, 2]


def test_custom_resources_have_no_strategic_patch(api: Api, space: str, define) -> None:  # type: ignore[no-untyped-def]
    group = define({"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}})
    path = f"/apis/{group}/v1/namespaces/{space}/widgets"
    api.post(path, {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}).ok()
    answer = api.patch(f"{path}/w", {"spec": {"a": 1}}, STRATEGIC)
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")


def test_an_unknown_kind_of_patch_is_415(api: Api, maps: str) -> None:
    api.post(maps, config_map("a")).ok()
    answer = api.patch(f"{maps}/a", {}, "application/json")
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")
