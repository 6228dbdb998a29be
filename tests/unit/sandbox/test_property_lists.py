"""What must hold of list maps, sets, atoms and nested maps of a custom kind, whoever applies and updates.

Empty list maps and sets are left out: structured-merge-diff lets nobody own those.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sbkube.sandbox import custom, fieldset
from sbkube.sandbox.access import Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind, Registry
from sbkube.sandbox.schema import Type, type_of
from sbkube.sandbox.status import StatusError
from sbkube.sandbox.store import Store

Json = dict[str, Any]
Path_ = tuple[str, ...]
EXAMPLES = settings(max_examples=300, deadline=None)
MANAGERS = ("alpha", "beta", "gamma")
_NAMES = itertools.count()
_TEXT = {"type": "string"}
_SET = {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT}
_PART = {"type": "object", "required": ["name"], "properties": {
    "name": _TEXT, "size": {"type": "integer"}, "tags": _SET,
    "extra": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": _TEXT}}}  # fmt: skip
_PORT = {"type": "object", "required": ["port"], "properties": {
    "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}, "to": _TEXT}}  # fmt: skip
SPEC = {"type": "object", "properties": {
    "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
              "items": _PART},
    "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
              "items": _PORT},
    "words": _SET, "order": {"type": "array", "items": _TEXT},
    "bag": {"type": "object", "additionalProperties": _TEXT},
    "knob": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": _TEXT, "b": _TEXT}},
    "count": {"type": "integer"}}}  # fmt: skip

words = st.sampled_from(["", "x", "y", "z"])
sets = st.lists(words, unique=True, min_size=1, max_size=3)


def some(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """A map with any of these members."""
    return st.fixed_dictionaries({}, optional=members)


@st.composite
def keyed(draw: st.DrawFn, keys: list[Json], rest: st.SearchStrategy[Json]) -> list[Json]:
    """A list map with some of the keys."""
    chosen = draw(st.lists(st.sampled_from(range(len(keys))), unique=True, min_size=1, max_size=3))
    return [{**keys[n], **draw(rest)} for n in chosen]


specs = some(
    parts=keyed(
        [{"name": n} for n in "abc"],
        some(size=st.integers(0, 2), tags=sets, extra=st.dictionaries(st.sampled_from("kl"), words, max_size=2)),
    ),
    ports=keyed([{"port": p, "protocol": q} for p in (80, 81) for q in ("TCP", "UDP")], some(to=words)),
    words=sets,
    order=st.lists(words, max_size=3),
    bag=st.dictionaries(st.sampled_from("pqr"), words, max_size=3),
    knob=some(a=words, b=words),
    count=st.integers(0, 2),
)
steps = st.lists(st.tuples(st.sampled_from(MANAGERS), specs), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store.db")
        made = Api(store, Registry())
        custom.follow(made)
        made.create(_kind(made, "v1", "Namespace"), "", {"metadata": {"name": "n"}})
        schema = {"type": "object", "properties": {"spec": SPEC}}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        spec = {"group": "e.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                "versions": [version]}  # fmt: skip
        crd = _kind(made, "apiextensions.k8s.io/v1", "CustomResourceDefinition")
        made.create(crd, "", {"metadata": {"name": "things.e.com"}, "spec": spec})
        yield made
        store.close()


def _kind(api: Api, api_version: str, kind: str) -> Kind:
    found = api.registry.by_kind(api_version, kind)
    assert found is not None
    return found


class Thing:
    """One object of the custom kind, new in each example."""

    def __init__(self, api: Api) -> None:
        self._api, self.kind = api, _kind(api, "e.com/v1", "Thing")
        self.name = f"o{next(_NAMES)}"
        self.type = type_of(self.kind)

    def apply(self, manager: str, spec: Json, *, force: bool = True) -> Json:
        body = {"apiVersion": "e.com/v1", "kind": "Thing", "metadata": {"name": self.name}}
        body |= {"spec": spec} if spec else {}
        return self._api.patch(self.kind, "n", self.name, "apply", body, Options(manager, force=force))[0]

    def applied(self, steps: list[tuple[str, Json]]) -> Json:
        for manager, spec in steps:
            obj = self.apply(manager, spec)
        return obj

    def update(self, manager: str, spec: Json) -> Json:
        live = self._api.get(self.kind, "n", self.name)
        return self._api.update(self.kind, "n", self.name, {**live, "spec": spec}, Options(manager))

    def live(self) -> Json:
        return self._api.get(self.kind, "n", self.name)


def flat(kind: Type, value: Any, path: Path_ = ()) -> dict[Path_, Any]:
    """Every leaf with its path; atoms and empty containers are leaves."""
    if value and isinstance(value, dict) and not kind.atomic:
        pairs = [("f:" + k, kind.field(k), v) for k, v in value.items()]
    elif value and isinstance(value, list) and kind.list_type != "atomic":
        assert kind.element is not None
        pairs = [(fieldset.item_element(kind, v), kind.element, v) for v in value]
    else:
        return {path: value}
    return {p: v for step, child, below in pairs for p, v in flat(child, below, (*path, step)).items()}


def spec_of(thing: Thing, obj: Json) -> dict[Path_, Any]:
    """The leaves of the spec."""
    return flat(thing.type.field("spec"), obj.get("spec") or {}, ("f:spec",))


def owned(obj: Json) -> dict[tuple[str, str], set[Path_]]:
    """Who owns which paths, by manager and operation."""
    return {
        (e["manager"], e["operation"]): set(fieldset.paths(e["fieldsV1"]))
        for e in obj["metadata"].get("managedFields", ())
    }


def ancestors(leaves: dict[Path_, Any]) -> set[Path_]:
    """All places on the way to the leaves."""
    return {p[:n] for p in leaves for n in range(1, len(p) + 1)}


@EXAMPLES
@given(steps=steps)
def test_applying_twice_changes_nothing(api: Api, steps: list[tuple[str, Json]]) -> None:
    thing = Thing(api)
    for manager, spec in steps:
        assert thing.apply(manager, spec) == thing.apply(manager, spec)


@EXAMPLES
@given(steps=steps, edit=specs)
def test_every_managed_path_exists(api: Api, steps: list[tuple[str, Json]], edit: Json) -> None:
    thing = Thing(api)
    for obj in (thing.applied(steps), thing.update("editor", edit)):
        there = ancestors(spec_of(thing, obj))
        for paths in owned(obj).values():
            assert {p for p in paths if p[0] == "f:spec"} <= there


@EXAMPLES
@given(steps=steps)
def test_who_forces_gets_and_owns_what_it_applied(api: Api, steps: list[tuple[str, Json]]) -> None:
    thing = Thing(api)
    for manager, spec in steps:
        obj = thing.apply(manager, spec)
        wanted, found = spec_of(thing, {"spec": spec}), spec_of(thing, obj)
        for path, value in wanted.items():
            if value or path in found:
                assert found.get(path, value) == value, path
        if spec:
            mine = {p for p in owned(obj)[manager, "Apply"] if p[0] == "f:spec"}
            assert set(wanted) <= mine <= ancestors(wanted)


@EXAMPLES
@given(steps=steps, leaver=st.sampled_from(MANAGERS))
def test_applying_nothing_removes_exactly_what_nobody_else_owns(
    api: Api, steps: list[tuple[str, Json]], leaver: str
) -> None:
    thing = Thing(api)
    before = thing.applied(steps)
    sets_before = owned(before)
    mine = sets_before.pop((leaver, "Apply"), set())
    others: set[Path_] = set().union(*sets_before.values())
    after = thing.apply(leaver, {})
    leaves, gone = spec_of(thing, after), spec_of(thing, before)
    for path in mine - others:
        if path in gone and not any(o[: len(path)] == path for o in others):
            assert path not in ancestors(leaves), path
    for path, value in gone.items():
        if path in others:
            assert leaves[path] == value, path
    assert (leaver, "Apply") not in owned(after)
    assert {k: v for k, v in owned(after).items() if k[0] != leaver} == sets_before


@EXAMPLES
@given(steps=steps, edit=specs)
def test_an_update_takes_what_it_changes_and_nothing_else(
    api: Api, steps: list[tuple[str, Json]], edit: Json
) -> None:
    thing = Thing(api)
    before = thing.applied(steps)
    assume(owned(before))  # An object without owners gets none by an update, before somebody applies.
    after = thing.update("editor", edit)
    was, now = spec_of(thing, before), spec_of(thing, after)
    sent = spec_of(thing, {"spec": edit})
    assert {p: v for p, v in now.items() if p in sent} == sent
    had, has = owned(before), owned(after)
    editor = has.pop(("editor", "Update"), set())
    for path, value in now.items():
        if path in ancestors(was) and path not in was:
            continue  # Emptied: what was below is gone, the place itself stays whose it was.
        if path not in was or was[path] != value:
            assert path in editor, path
            assert not any(path in paths for paths in has.values()), path
        else:
            assert path not in editor, path
            for who, paths in had.items():
                assert (path in paths) == (path in has.get(who, set())), (who, path)


@EXAMPLES
@given(spec=specs)
def test_the_same_from_two_is_owned_by_both_without_conflict(api: Api, spec: Json) -> None:
    thing = Thing(api)
    first = thing.apply("alpha", spec)
    second = thing.apply("beta", spec, force=False)
    assert spec_of(thing, first) == spec_of(thing, second)
    found = owned(second)
    assert found.get(("alpha", "Apply"), set()) == found.get(("beta", "Apply"), set())


@EXAMPLES
@given(first=specs, second=specs)
def test_a_conflict_names_what_differs_and_changes_nothing(api: Api, first: Json, second: Json) -> None:
    thing = Thing(api)
    before = thing.apply("alpha", first)
    mine, theirs = spec_of(thing, before), spec_of(thing, {"spec": second})
    differing = {p for p, v in theirs.items() if p in mine and mine[p] != v}
    try:
        after = thing.apply("beta", second, force=False)
    except StatusError as error:
        assert error.code == 409
        assert thing.live() == before
        named = {c["field"] for c in (error.details or {})["causes"]}
        assert {fieldset.path_text(p) for p in differing} <= named
    else:
        assert not differing
        leaves = spec_of(thing, after)
        kept = {p for p in mine if mine[p] or p in leaves}
        assert kept <= ancestors(leaves)
