"""Merge, JSON and strategic patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.patches import PatchError, json_patch, merge_patch, strategic
from sbkube.sandbox.schema import type_of

Json = dict[str, Any]
Find = Callable[[str, str], Kind]


@pytest.mark.parametrize(
    ("target", "patch", "wanted"),
    [
        # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, wanted: Any) -> None:
    assert merge_patch(target, patch) == wanted


def test_json_patch() -> None:
    steps = [
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "add", "path": "/b~1c", "value": {"x": 1}},
        {"op": "copy", "from": "/b~1c", "path": "/d"},
        {"op": "move", "from": "/a/0", "path": "/e"},
        {"op": "remove", "path": "/b~1c"},
        {"op": "replace", "path": "/d/x", "value": 2},
    ]
    before = {"a": [1, 2]}
    assert json_patch(before, steps) == {"a": [2, 3], "d": {"x": 2}, "e": 1}
    assert before == {"a": [1, 2]}


@pytest.mark.parametrize(
    "step",
    [
        {"op": "remove", "path": "/x"},
        {"op": "replace", "path": "/x", "value": 1},
        {"op": "test", "path": "/a", "value": 2},
        {"op": "add", "path": "/list/7", "value": 1},
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "zz", "path": "/a"},
        {"op": "add"},
        {"op": "move", "from": "/x", "path": "/y"},
    ],
)
def test_json_patches_that_cannot_be_carried_out(step: Json) -> None:
    with pytest.raises(PatchError):
        json_patch({"a": 1, "list": []}, [step])


def spec(kind: Find) -> Any:
    return type_of(kind("v1", "Pod")).field("spec")


def names(result: Json, member: str = "containers") -> list[str]:
    return [item["name"] for item in result[member]]


def test_items_merge_by_their_key_and_new_ones_come_first(kind: Find) -> None:
    live = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    out = strategic(spec(kind), live, {"containers": [{"name": "c"}, {"name": "b", "image": "2"}]})
    assert names(out) == ["c", "a", "b"]
    assert out["containers"][-1] == {"name": "b", "image": "2"}


def test_the_order_can_be_told(kind: Find) -> None:
    live = {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    patch = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": []}
    assert names(strategic(spec(kind), live, patch)) == ["b", "c", "a"]


def test_directives(kind: Find) -> None:
    live = {"containers": [{"name": "a"}, {"name": "b"}], "nodeSelector": {"x": "1", "y": "2"}}
    deleted = strategic(spec(kind), live, {"containers": [{"name": "a", "$patch": "delete"}]})
    assert names(deleted) == ["b"]
    replaced = strategic(spec(kind), live, {"containers": [{"$patch": "replace"}, {"name": "z"}]})
    assert names(replaced) == ["z"]
    kept = strategic(spec(kind), live, {"nodeSelector": {"$retainKeys": ["x"], "x": "3"}})
    assert kept["nodeSelector"] == {"x": "3"}
    emptied = strategic(spec(kind), live, {"nodeSelector": {"$patch": "delete"}})
    assert emptied["nodeSelector"] == {}


def test_lists_of_texts_merge(kind: Find) -> None:
    metadata = type_of(kind("v1", "ConfigMap")).field("metadata")
    live = {"finalizers": ["a", "b"]}
    assert strategic(metadata, live, {"finalizers": ["c"]}) == {"finalizers": ["c", "a", "b"]}
    assert strategic(metadata, live, {"$deleteFromPrimitiveList/finalizers": ["a"]}) == {"finalizers": ["b"]}


def test_items_without_their_key_are_refused(kind: Find) -> None:
    with pytest.raises(PatchError, match="does not contain declared merge key: name"):
        strategic(spec(kind), {}, {"containers": [{"image": "x"}]})


def test_a_json_patch_has_limits() -> None:
    double = {"op": "copy", "from": "", "path": "/deep"}
    with pytest.raises(PatchError, match="exceeded max depth") as caught:
        json_patch({"a": "b"}, [double] * 120)
    assert caught.value.code == 400
    wide = {"op": "copy", "from": "/a", "path": "/b"}
    with pytest.raises(PatchError, match="accumulated size increase of copy") as caught:
        json_patch({"a": "x" * 1_000_000}, [wide] * 4)
    assert caught.value.code == 413
    with pytest.raises(PatchError, match=r"maximum operations in a JSON patch is 10000, got 10001") as caught:
        json_patch({}, [{"op": "add", "path": "/a", "value": 1}] * 10_001)
    assert caught.value.code == 413
