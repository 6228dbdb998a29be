"""Laws of the three patches, for any documents."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sbkube.sandbox.patches import PatchError, json_patch, merge_patch, strategic
from sbkube.sandbox.schema import Type, from_openapi

Json = dict[str, Any]
EXAMPLES = settings(max_examples=300, deadline=None)
keys = st.sampled_from(["a", "b", "c~d", "e/f", ""])
leaves = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text("xy", max_size=2))
values = st.recursive(
    leaves, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(keys, v, max_size=3)), max_leaves=8
)
documents = st.dictionaries(keys, values, max_size=4)


def same(left: Any, right: Any) -> bool:
    """Equality as JSON has it: true is not 1."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def without_null(value: Any) -> Any:
    """The value without members that are null, which a merge patch cannot set."""
    if isinstance(value, dict):
        return {k: without_null(v) for k, v in value.items() if v is not None}
    return value


def difference(old: Json, new: Json) -> Json:
    """The merge patch that leads from one document to the other."""
    patch: Json = {k: None for k in old if k not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            patch[key] = difference(before, value)
        elif key not in old or not same(before, value):
            patch[key] = value
    return patch


@EXAMPLES
@given(target=documents, patch=documents)
def test_a_merge_patch_is_done_once_and_leaves_its_arguments(target: Json, patch: Json) -> None:
    before = copy.deepcopy((target, patch))
    once = merge_patch(target, patch)
    assert same(merge_patch(once, patch), once)
    assert same((target, patch), before)
    for key, value in target.items():
        if key not in patch:
            assert same(once[key], value)


@EXAMPLES
@given(old=documents, new=documents)
def test_a_merge_patch_leads_anywhere_without_nulls(old: Json, new: Json) -> None:
    wanted = without_null(new)
    assert same(merge_patch(old, difference(old, wanted)), wanted)


def _pointer(path: tuple[Any, ...]) -> str:
    return "".join("/" + str(s).replace("~", "~0").replace("/", "~1") for s in path)


def _steps(old: Any, new: Any, path: tuple[Any, ...] = ()) -> list[Json]:
    """A JSON patch from one document to the other."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [{"op": "remove", "path": _pointer((*path, k))} for k in old if k not in new]
        for key, value in new.items():
            if key in old:
                found += _steps(old[key], value, (*path, key))
            else:
                found.append({"op": "add", "path": _pointer((*path, key)), "value": value})
        return found
    return [] if same(old, new) else [{"op": "replace", "path": _pointer(path), "value": new}]


@EXAMPLES
@given(old=documents, new=documents)
def test_a_json_patch_leads_anywhere(old: Json, new: Json) -> None:
    before = copy.deepcopy(old)
    assert same(json_patch(old, _steps(old, new)), new)
    assert same(old, before)


@EXAMPLES
@given(doc=documents, key=keys, value=values)
def test_what_was_added_can_be_tested_moved_copied_and_removed(doc: Json, key: str, value: Any) -> None:
    place, other = _pointer((key,)), _pointer(("new",))
    added = json_patch(doc, [{"op": "add", "path": place, "value": value}])
    assert same(added[key], value)
    assert same(json_patch(added, [{"op": "test", "path": place, "value": value}]), added)
    moved = json_patch(added, [{"op": "move", "from": place, "path": other}])
    assert key not in moved
    assert same(moved["new"], value)
    copied = json_patch(added, [{"op": "copy", "from": place, "path": other}])
    assert same((copied[key], copied["new"]), (value, value))
    removed = json_patch(copied, [{"op": "remove", "path": p} for p in (place, other)])
    assert same(removed, {k: v for k, v in doc.items() if k != key})


_STEPS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "test", "move", "copy"])},
    optional={
        "path": st.sampled_from(
            ["", "/a", "/b", "/a/0", "/a/-", "/a/b", "/c~0d", "/e~1f", "/", "/a/9", "/a/-1", "x"]
        ),
        "from": st.sampled_from(["", "/a", "/b", "/a/0", "/zz"]),
        "value": values,
    },
)


@EXAMPLES
@given(doc=documents, steps=st.lists(_STEPS, max_size=4))
def test_a_json_patch_succeeds_or_says_why(doc: Json, steps: list[Any]) -> None:
    before = copy.deepcopy(doc)
    try:
        json_patch(doc, steps)
    except PatchError as error:
        assert str(error)
    assert same(doc, before)


def _typed() -> Type:
    made = from_openapi({
        "type": "object",
        "properties": {
            "ports": {"type": "array", "items": {"type": "object", "properties": {
                "port": {"type": "integer"}, "name": {"type": "string"}, "host": {"type": "string"}}}},
            "names": {"type": "array", "items": {"type": "string"}},
            "order": {"type": "array", "items": {"type": "string"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}}}})  # fmt: skip
    ports, names = made.field("ports"), made.field("names")
    ports.merge_key, ports.strategy = "port", "merge"
    names.strategy = "merge"
    return made


TYPED = _typed()
words = st.sampled_from(["x", "y", "z"])


@st.composite
def typed(draw: st.DrawFn) -> Json:
    """A document of the type."""
    out: Json = {}
    if draw(st.booleans()):
        numbers = draw(st.lists(st.sampled_from([80, 81, 82]), unique=True, max_size=3))
        members = st.fixed_dictionaries({}, optional={"name": words, "host": words})
        out["ports"] = [{"port": n, **draw(members)} for n in numbers]
    for name in ("names", "order"):
        if draw(st.booleans()):
            out[name] = draw(st.lists(words, unique=True, max_size=3))
    if draw(st.booleans()):
        out["labels"] = draw(st.dictionaries(st.sampled_from("pq"), words, max_size=2))
    return out


@EXAMPLES
@given(target=typed(), patch=typed())
def test_a_strategic_merge_is_done_once_and_keeps_what_it_does_not_name(target: Json, patch: Json) -> None:
    before = copy.deepcopy((target, patch))
    once = strategic(TYPED, target, patch)
    assert same(strategic(TYPED, once, patch), once)
    assert same((target, patch), before)
    assert {p["port"] for p in once.get("ports", ())} == {
        p["port"] for side in (target, patch) for p in side.get("ports", ())
    }
    assert set(once.get("names", ())) == set(target.get("names", ())) | set(patch.get("names", ()))
    if "order" in patch:
        assert once["order"] == patch["order"]
    for port in target.get("ports", ()):
        merged = next(p for p in once["ports"] if p["port"] == port["port"])
        assert port.keys() <= merged.keys()


@EXAMPLES
@given(target=typed(), gone=st.sampled_from([80, 81, 82]), word=words)
def test_a_strategic_merge_deletes_what_it_is_told_to(target: Json, gone: int, word: str) -> None:
    patch = {
        "ports": [{"$patch": "delete", "port": gone}],
        "$deleteFromPrimitiveList/names": [word],
        "labels": None,
    }
    once = strategic(TYPED, target, patch)
    left = [p for p in target.get("ports", ()) if p["port"] != gone]
    assert (once.get("ports") or []) == left
    assert (once.get("names") or []) == [n for n in target.get("names", ()) if n != word]
    assert "labels" not in once
    assert once.get("order") == target.get("order")


@EXAMPLES
@given(target=typed(), patch=typed())
def test_a_strategic_replacement_replaces(target: Json, patch: Json) -> None:
    assert same(strategic(TYPED, target, {**patch, "$patch": "replace"}), patch)
    ports = [{"port": 9}, {"$patch": "replace"}]
    assert strategic(TYPED, target, {"ports": ports})["ports"] == [{"port": 9}]
