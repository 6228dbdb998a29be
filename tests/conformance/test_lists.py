"""Lists: pages, selectors, versions, forms."""

from __future__ import annotations

import pytest
from conformance.objects import config_map, names, version
from conformance.talk import METADATA, Api, refusal

TEN = [f"m{n}" for n in range(10)]


@pytest.fixture
def ten(api: Api, maps: str) -> str:
    """Ten ConfigMaps labelled `set=ten` (so that the namespace's own is left out), every other one `odd=yes`."""
    for number, name in enumerate(TEN):
        labels = {"set": "ten", "n": str(number), **({"odd": "yes"} if number % 2 else {})}
        api.post(maps, config_map(name, labels=labels)).ok()
    return maps


def test_a_list_is_ordered_and_its_items_have_no_kind(api: Api, ten: str) -> None:
    found = api.get(ten, labelSelector="set=ten").ok()
    assert (found["kind"], found["apiVersion"], names(found)) == ("ConfigMapList", "v1", TEN)
    assert all("kind" not in item and "apiVersion" not in item for item in found["items"])
    assert int(found["metadata"]["resourceVersion"]) >= max(int(version(i)) for i in found["items"])


def test_an_empty_list_is_a_list(api: Api, apps: str) -> None:
    assert api.get(f"{apps}/deployments").ok()["items"] == []


def test_a_list_in_a_missing_namespace_is_empty(api: Api) -> None:
    assert api.get("/api/v1/namespaces/no-such-namespace/configmaps").ok()["items"] == []


def test_pages_end_to_end(api: Api, ten: str) -> None:
    seen, token, sizes, first = [], None, [], ""
    while True:
        page = api.get(ten, labelSelector="set=ten", limit=4, **{"continue": token}).ok()
        seen += names(page)
        sizes.append(len(page["items"]))
        first = first or version(page)
        assert version(page) == first
        token = page["metadata"].get("continue")
        if not token:
            break
    assert (seen, sizes) == (TEN, [4, 4, 2])


def test_pages_show_the_past(api: Api, ten: str) -> None:
    """A continued list is the one that was begun, whatever has happened since."""
    page = api.get(ten, labelSelector="set=ten", limit=8).ok()
    api.delete(f"{ten}/m9").ok()
    api.post(ten, config_map("m91", labels={"set": "ten"})).ok()
    rest = api.get(ten, labelSelector="set=ten", limit=8, **{"continue": page["metadata"]["continue"]}).ok()
    assert names(rest) == ["m8", "m9"]


def test_what_remains_is_counted_without_selectors(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/limitranges"
    for name in "abc":
        body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": name}, "spec": {"limits": []}}
        api.post(path, body).ok()
    assert api.get(path, limit=1).ok()["metadata"]["remainingItemCount"] == 2
    assert "remainingItemCount" not in api.get(path, limit=1, fieldSelector="metadata.name!=x").ok()["metadata"]


def test_a_wrong_continue_token_is_400(api: Api, maps: str) -> None:
    answer = api.get(maps, **{"continue": "!!"})
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.message.startswith("invalid continue token: ") or "continue key is not valid" in answer.message


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("odd=yes", ["m1", "m3", "m5", "m7", "m9"]),
        ("odd==yes,n!=3", ["m1", "m5", "m7", "m9"]),
        ("n in (1,2)", ["m1", "m2"]),
        ("set=ten,n notin (0,1,2,3,4,5,6,7)", ["m8", "m9"]),
        ("set=ten,!odd", ["m0", "m2", "m4", "m6", "m8"]),
        ("odd", ["m1", "m3", "m5", "m7", "m9"]),
        ("n>7", ["m8", "m9"]),
        ("n<2", ["m0", "m1"]),
        ("odd=no", []),
    ],
)
def test_label_selectors(api: Api, ten: str, selector: str, found: list[str]) -> None:
    assert names(api.get(ten, labelSelector=selector).ok()) == found


@pytest.mark.parametrize("selector", ["a=b=c", "in (x)", "a in ()x", "!", "a b"])
def test_wrong_label_selectors_are_400(api: Api, maps: str, selector: str) -> None:
    answer = api.get(maps, labelSelector=selector)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


def test_field_selectors(api: Api, ten: str) -> None:
    assert names(api.get(ten, fieldSelector="metadata.name=m3").ok()) == ["m3"]
    listed = names(api.get(ten, fieldSelector="metadata.name!=m3", labelSelector="n in (3,4)").ok())
    assert listed == ["m4"]


def test_unknown_fields_cannot_be_selected(api: Api, space: str, apps: str) -> None:
    """Two texts: some kinds of the core convert field labels themselves, the others say what there is."""
    assert api.get(f"/api/v1/namespaces/{space}/secrets", fieldSelector="data.x=1").body == refusal(
        400, "BadRequest", "field label not supported: data.x"
    )
    assert api.get(f"{apps}/deployments", fieldSelector="spec.replicas=1").body == refusal(
        400,
        "BadRequest",
        '"spec.replicas" is not a known field selector: only "metadata.name", "metadata.namespace"',
    )


def test_pods_can_be_selected_by_phase(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/pods"
    assert api.get(path, fieldSelector="status.phase=Failed,spec.nodeName=none").ok()["items"] == []


def test_any_version_and_a_version_that_was(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", labels={"k": "v"})).ok()
    assert "a" in names(api.get(maps, resourceVersion="0", labelSelector="k=v").ok())
    api.delete(f"{maps}/a").ok()
    exact = api.get(maps, resourceVersion=version(made), resourceVersionMatch="Exact", labelSelector="k=v").ok()
    assert (names(exact), version(exact)) == (["a"], version(made))


def test_a_version_that_is_to_come_is_504(api: Api, maps: str) -> None:
    ahead = str(int(version(api.get(maps).ok())) + 10_000_000)
    answer = api.get(maps, resourceVersion=ahead, resourceVersionMatch="NotOlderThan")
    assert (answer.status, answer.body["reason"]) == (504, "Timeout")
    assert answer.message.startswith(f"Too large resource version: {ahead}, current: ")
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


@pytest.mark.parametrize(
    "query",
    [
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"resourceVersionMatch": "Roughly", "resourceVersion": "1"},
    ],
    ids=str,
)
def test_versions_and_matches_must_fit(api: Api, maps: str, query: dict[str, str]) -> None:
    answer = api.get(maps, **query)
    assert (answer.status, answer.body["details"]["kind"]) == (422, "ListOptions")


def test_metadata_alone(api: Api, ten: str) -> None:
    answer = api.ask("GET", f"{ten}/m1", headers={"Accept": METADATA}).ok()
    assert (answer["kind"], answer["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert "data" not in answer and answer["metadata"]["name"] == "m1"


def test_all_namespaces_at_once(api: Api, maps: str, space: str) -> None:
    api.post(maps, config_map("everywhere")).ok()
    found = api.get(
        "/api/v1/configmaps", fieldSelector=f"metadata.namespace={space},metadata.name=everywhere"
    ).ok()
    assert names(found) == ["everywhere"]


def test_a_collection_can_be_deleted_by_selector(api: Api, ten: str) -> None:
    api.delete(ten, labelSelector="odd=yes").ok()
    assert names(api.get(ten, labelSelector="set=ten").ok()) == ["m0", "m2", "m4", "m6", "m8"]
