"""Watches: from a version, with selectors, bookmarks, initial events, and their errors."""

from __future__ import annotations

from itertools import islice

import pytest
from conformance.objects import config_map, version
from conformance.talk import Api, Json


def seen(events: list[Json]) -> list[tuple[str, str]]:
    return [(e["type"], e["object"]["metadata"]["name"]) for e in events]


@pytest.fixture
def start(api: Api, maps: str) -> str:
    """The version before anything happens."""
    return version(api.post(maps, config_map("first", labels={"w": "no"})).ok())


def test_changes_since_a_version(api: Api, maps: str, start: str) -> None:
    api.post(maps, config_map("a", labels={"w": "1"})).ok()
    api.patch(f"{maps}/a", {"data": {"x": "1"}}).ok()
    api.delete(f"{maps}/a").ok()
    events = list(islice(api.watch(maps, resourceVersion=start, fieldSelector="metadata.name=a"), 3))
    assert seen(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(version(e["object"])) for e in events]
    assert versions == sorted(set(versions)) and versions[0] > int(start)
    assert events[1]["object"]["data"] == {"x": "1"}


def test_changes_as_they_happen(api: Api, maps: str, start: str) -> None:
    events = api.watch(maps, resourceVersion=start, labelSelector="w")
    api.post(maps, config_map("a", labels={"w": "1"})).ok()
    assert seen([next(events)]) == [("ADDED", "a")]
    api.post(maps, config_map("b", labels={"w": "1"})).ok()
    assert seen([next(events)]) == [("ADDED", "b")]
    events.close()  # type: ignore[attr-defined]


def test_without_a_version_the_present_comes_first(api: Api, maps: str, start: str) -> None:
    events = api.watch(maps, labelSelector="w")
    assert seen([next(events)]) == [("ADDED", "first")]
    api.post(maps, config_map("b", labels={"w": "1"})).ok()
    assert seen([next(events)]) == [("ADDED", "b")]


def test_leaving_a_selection_is_a_deletion(api: Api, maps: str, start: str) -> None:
    api.post(maps, config_map("a", labels={"w": "1"})).ok()
    api.patch(f"{maps}/a", {"metadata": {"labels": {"w": "2"}}}).ok()
    api.patch(f"{maps}/a", {"metadata": {"labels": {"w": "1"}}}).ok()
    events = list(islice(api.watch(maps, resourceVersion=start, labelSelector="w=1"), 3))
    assert seen(events) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]
    assert events[1]["object"]["metadata"]["labels"] == {"w": "1"}


def test_it_ends_in_time(api: Api, maps: str, start: str) -> None:
    assert list(api.watch(maps, seconds=1, resourceVersion=start, labelSelector="w=none")) == []


def test_initial_events_end_with_a_marked_bookmark(api: Api, maps: str, start: str) -> None:
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    events = list(islice(api.watch(maps, labelSelector="w", **query), 2))
    assert [e["type"] for e in events] == ["ADDED", "BOOKMARK"]
    mark = events[1]["object"]
    assert (mark["kind"], mark["metadata"]["annotations"]) == ("ConfigMap", {"k8s.io/initial-events-end": "true"})
    assert int(version(mark)) >= int(start)


def test_the_past_that_is_gone_is_410(api: Api, maps: str) -> None:
    (event,) = api.watch(maps, resourceVersion="1")
    status = event["object"]
    assert (event["type"], status["kind"], status["code"], status["reason"]) == ("ERROR", "Status", 410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"resourceVersion": "abc"}, 500),
        ({"labelSelector": "a b"}, 400),
        ({"sendInitialEvents": "true"}, 422),
        ({"resourceVersionMatch": "NotOlderThan"}, 422),
    ],
    ids=str,
)
def test_wrong_options_are_refused(api: Api, maps: str, query: Json, code: int) -> None:
    (event,) = api.watch(maps, **query)
    assert event["object"]["code"] == code


def test_one_object_can_be_watched(api: Api, maps: str, start: str) -> None:
    api.patch(f"{maps}/first", {"data": {"x": "1"}}).ok()
    events = list(islice(api.watch(f"{maps}/first", resourceVersion=start), 1))
    assert seen(events) == [("MODIFIED", "first")]


def test_custom_resources_are_watched_too(api: Api, space: str, define) -> None:  # type: ignore[no-untyped-def]
    group = define({"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}})
    path = f"/apis/{group}/v1/namespaces/{space}/widgets"
    events = api.watch(path)
    api.post(path, {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}).ok()
    assert seen([next(events)]) == [("ADDED", "w")]
