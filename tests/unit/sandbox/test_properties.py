"""What must hold of the core whatever is applied in whatever order."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbkube.sandbox import fieldset
from sbkube.sandbox.access import Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind, Registry
from sbkube.sandbox.schema import Type, type_of
from sbkube.sandbox.store import Store

Json = dict[str, Any]
MANAGERS = ("alpha", "beta", "gamma")
EXAMPLES = settings(max_examples=300, deadline=None)
_NAMES = itertools.count()

keys = st.sampled_from(["a", "b", "c", "d"])
texts = st.sampled_from(["", "1", "2", "three"])
maps = st.dictionaries(keys, texts, max_size=4)


@st.composite
def config_maps(draw: st.DrawFn) -> Json:
    """What a manager may apply as a ConfigMap."""
    out: Json = {}
    for member in ("labels", "annotations"):
        found = draw(maps)
        if found:
            out.setdefault("metadata", {})[member] = found
    found = draw(maps)
    if found:
        out["data"] = found
    if draw(st.booleans()):
        out.setdefault("metadata", {})["finalizers"] = draw(
            st.lists(st.sampled_from(["x/a", "x/b"]), unique=True, min_size=1)
        )
    return out


@st.composite
def services(draw: st.DrawFn) -> Json:
    """What a manager may apply as a Service: ports are a list map, selector an atom."""
    ports = draw(st.lists(st.sampled_from([80, 81, 82]), unique=True, min_size=1, max_size=3))
    listed = [{"port": p, "name": f"p{p}", **draw(st.sampled_from([{}, {"targetPort": 1}]))} for p in ports]
    return {"spec": {"ports": listed, **draw(st.sampled_from([{}, {"selector": {"a": "b"}}]))}}


steps = st.lists(st.tuples(st.sampled_from(MANAGERS), config_maps()), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def api() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store.db")
        made = Api(store, Registry())
        made.create(_kind(made, "namespaces"), "", {"metadata": {"name": "n"}})
        yield made
        store.close()


def _kind(api: Api, plural: str) -> Kind:
    found = api.registry.by_path("", "v1", plural)
    assert found is not None
    return found


def _apply(api: Api, kind: Kind, name: str, manager: str, config: Json) -> Json:
    body = {"apiVersion": "v1", "kind": kind.kind, **config}
    body["metadata"] = {**config.get("metadata", {}), "name": name}
    return api.patch(kind, "n", name, "apply", body, Options(manager, force=True))[0]


def _new_name() -> str:
    return f"o{next(_NAMES)}"


def _bare(obj: Json) -> Json:
    metadata = {k: v for k, v in obj["metadata"].items() if k not in ("managedFields", "resourceVersion")}
    return {**obj, "metadata": metadata}


def _owned(obj: Json, manager: str) -> Json:
    for entry in obj["metadata"].get("managedFields", ()):
        if entry["manager"] == manager:
            return dict(entry["fieldsV1"])
    return {}


def _find(kind: Type, value: Any, path: tuple[str, ...]) -> bool:
    """Whether the path leads to something in the value."""
    for step in path:
        if step.startswith("f:"):
            if not isinstance(value, dict) or step[2:] not in value:
                return False
            kind, value = kind.field(step[2:]), value[step[2:]]
        else:
            by_element = {fieldset.item_element(kind, item): item for item in value}
            if step not in by_element:
                return False
            assert kind.element is not None
            kind, value = kind.element, by_element[step]
    return True


@EXAMPLES
@given(steps=steps)
def test_applying_twice_changes_nothing(api: Api, steps: list[tuple[str, Json]]) -> None:
    kind, name = _kind(api, "configmaps"), _new_name()
    for manager, config in steps:
        first = _apply(api, kind, name, manager, config)
        assert _apply(api, kind, name, manager, config) == first


@EXAMPLES
@given(steps=steps)
def test_every_managed_path_exists(api: Api, steps: list[tuple[str, Json]]) -> None:
    kind, name = _kind(api, "configmaps"), _new_name()
    for manager, config in steps:
        obj = _apply(api, kind, name, manager, config)
        for entry in obj["metadata"].get("managedFields", ()):
            for path in fieldset.paths(entry["fieldsV1"]):
                assert _find(type_of(kind), obj, path), path


@EXAMPLES
@given(steps=steps, leaver=st.sampled_from(MANAGERS))
def test_applying_nothing_removes_exactly_what_only_that_manager_owned(
    api: Api, steps: list[tuple[str, Json]], leaver: str
) -> None:
    kind, name = _kind(api, "configmaps"), _new_name()
    for manager, config in steps:
        obj = _apply(api, kind, name, manager, config)
    others: Json = {}
    for manager in MANAGERS:
        if manager != leaver:
            others = fieldset.union(others, _owned(obj, manager))
    mine = _owned(obj, leaver)
    after = _apply(api, kind, name, leaver, {})
    for path in fieldset.paths(fieldset.difference(mine, others)):
        assert not _find(type_of(kind), after, path), path
    for path in fieldset.paths(others):
        assert _find(type_of(kind), after, path), path
    if not mine:
        assert _bare(after) == _bare(obj)


@EXAMPLES
@given(first=services(), second=services())
def test_merges_keep_what_is_not_owned(api: Api, first: Json, second: Json) -> None:
    kind, name = _kind(api, "services"), _new_name()
    _apply(api, kind, name, "alpha", first)
    after = _apply(api, kind, name, "beta", second)
    ports = [p["port"] for p in after["spec"]["ports"]]
    wanted = {p["port"] for p in first["spec"]["ports"]} | {p["port"] for p in second["spec"]["ports"]}
    assert set(ports) == wanted
    assert len(ports) == len(wanted)


@EXAMPLES
@given(left=config_maps(), right=config_maps())
def test_sets_of_paths_obey_set_algebra(api: Api, left: Json, right: Json) -> None:
    kind = type_of(_kind(api, "configmaps"))
    a, b = fieldset.of_value(kind, left), fieldset.of_value(kind, right)
    pa, pb = set(fieldset.paths(a)), set(fieldset.paths(b))
    assert set(fieldset.paths(fieldset.union(a, b))) == pa | pb
    assert set(fieldset.paths(fieldset.difference(a, b))) == pa - pb
    assert set(fieldset.paths(fieldset.intersection(a, b))) == pa & pb
