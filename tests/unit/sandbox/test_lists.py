"""Lists: pages of one moment, selections, forms; and watches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sbkube.sandbox import lists
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.status import StatusError
from sbkube.sandbox.watch import watch

Json = dict[str, Any]
Find = Callable[[str, str], Kind]
JSON = "application/json"


def create(api: Api, target: Target, *names: str) -> None:
    for name in names:
        api.create(target.kind, "default", {"metadata": {"name": name, "labels": {"n": name}}, "data": {"a": "1"}})


@pytest.fixture
def target(api: Api, kind: Find) -> Target:
    found = Target(kind("v1", "ConfigMap"), "default")
    create(api, found, "a", "b", "c", "d", "e")
    return found


def names(found: Json) -> list[str]:
    return [o["metadata"]["name"] for o in found["items"]]


def test_pages_show_one_moment(api: Api, target: Target) -> None:
    first = lists.answer(api, target, {"limit": "2"}, JSON)
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b"], 3)
    api.delete(target.kind, "default", "c")
    create(api, target, "c2")
    second = lists.answer(api, target, {"limit": "2", "continue": first["metadata"]["continue"]}, JSON)
    assert names(second) == ["c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    last = lists.answer(api, target, {"continue": second["metadata"]["continue"]}, JSON)
    assert names(last) == ["e"]
    assert "continue" not in last["metadata"]
    assert names(lists.answer(api, target, {}, JSON)) == ["a", "b", "c2", "d", "e"]


def test_an_exact_version_can_be_listed(api: Api, target: Target) -> None:
    then = str(api.store.rv)
    api.delete(target.kind, "default", "a")
    query = {"resourceVersion": then, "resourceVersionMatch": "Exact"}
    assert names(lists.answer(api, target, query, JSON)) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ({"continue": "nonsense"}, 400, r"invalid character '\x9e' looking for beginning of value"),
        ({"continue": "!"}, 400, "illegal base64 data at input byte 0"),
        ({"continue": "eyJhIjoxfQ"}, 400, "incorrect encoded start key"),
        ({"limit": "x"}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"labelSelector": "a b"}, 400, "unable to parse requirement"),
        ({"resourceVersion": "99999999"}, 504, "Too large resource version"),
    ],
)
def test_refusals(api: Api, target: Target, query: dict[str, str], code: int, text: str) -> None:
    with pytest.raises(StatusError) as caught:
        lists.answer(api, target, query, JSON)
    assert caught.value.code == code
    assert text in caught.value.message


def test_forms(api: Api, target: Target) -> None:
    shape = "application/json;as={};g=meta.k8s.io;v=v1"
    found = lists.answer(api, target, {}, shape.format("PartialObjectMetadataList"))
    assert found["kind"] == "PartialObjectMetadataList"
    assert set(found["items"][0]) == {"kind", "apiVersion", "metadata"}
    table = lists.answer(api, target, {"includeObject": "None"}, shape.format("Table"))
    assert [row["cells"][0] for row in table["rows"]] == ["a", "b", "c", "d", "e"]
    assert {row["object"] is None for row in table["rows"]} == {True}
    whole = lists.answer(api, target, {"includeObject": "Object"}, shape.format("Table"))
    assert whole["rows"][0]["object"]["data"] == {"a": "1"}
    with pytest.raises(StatusError) as caught:
        lists.answer(api, target, {}, "application/json;as=Table;g=meta.k8s.io;v=v9")
    assert caught.value.code == 406


def seen(api: Api, target: Target, query: dict[str, str], act: Callable[[], None]) -> list[tuple[str, str]]:
    """The events of a watch during which `act` happens."""

    async def collect() -> list[tuple[str, str]]:
        out: list[tuple[str, str]] = []

        async def listen() -> None:
            async for what, obj in watch(api.store, lists.wanted(api, target, {"timeoutSeconds": "1", **query})):
                out.append((what, obj["metadata"].get("name", "")))

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.05)
        act()
        await listening
        return out

    return asyncio.run(collect())


def test_leaving_a_selection_is_a_deletion(api: Api, target: Target) -> None:
    from sbkube.sandbox.access import Options

    def act() -> None:
        for name, label in (("a", "x"), ("b", "a"), ("a", "a")):
            patch = {"metadata": {"labels": {"n": label}}}
            api.patch(target.kind, "default", name, "merge", patch, Options())

    found = seen(api, target, {"labelSelector": "n=a", "resourceVersion": str(api.store.rv)}, act)
    assert found == [("DELETED", "a"), ("ADDED", "b"), ("ADDED", "a")]


def test_a_watch_list_ends_its_first_part_with_a_bookmark(api: Api, target: Target) -> None:
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    found = seen(api, target, query, lambda: create(api, target, "z"))
    assert found[:7] == [*(("ADDED", n) for n in "abcde"), ("BOOKMARK", ""), ("ADDED", "z")]


def test_history_is_replayed_and_too_old_ends_in_410(api: Api, target: Target) -> None:
    version = str(api.store.rv)
    create(api, target, "f")
    api.delete(target.kind, "default", "f")
    assert seen(api, target, {"resourceVersion": version}, lambda: None) == [("ADDED", "f"), ("DELETED", "f")]
    with pytest.raises(StatusError) as caught:
        seen(api, target, {"resourceVersion": "1"}, lambda: None)
    assert caught.value.code == 410
