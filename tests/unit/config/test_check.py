"""Words for misfits."""

from __future__ import annotations

from sbkube.apps.yaml import YamlSpec
from sbkube.config.check import build, dotted, known_keys
from sbkube.errors import Problem
from sbkube.sources.yaml_reader import read_one


def test_paths_as_people_write_them() -> None:
    assert dotted(("apps", "web", "values", 0, "a")) == "apps.web.values[0].a"
    assert dotted(("apps", 0)) == "apps[0]"


def test_both_spellings_of_a_field_are_known() -> None:
    assert {"manifests", "files"} <= set(known_keys(YamlSpec))


def test_a_misspelt_key_is_not_called_missing_as_well() -> None:
    document = read_one("a: {type: yaml, manifets: [x]}", "f.yaml")
    problems: list[Problem] = []
    assert build(YamlSpec, document.value["a"], document, ("a",), problems) is None
    assert [p.message for p in problems] == ["a.manifets is not a known key"]


def test_missing_keys_are_placed_at_what_lacks_them() -> None:
    document = read_one("x: 1\na: {type: yaml}", "f.yaml")
    problems: list[Problem] = []
    assert build(YamlSpec, document.value["a"], document, ("a",), problems) is None
    assert [(p.message, str(p.place)) for p in problems] == [("a.manifests is missing", "f.yaml:2:1")]


def test_empty_values_count_as_not_given() -> None:
    document = read_one("type: yaml\nmanifests: [x]\nlabels:\nnotes:\n", "f.yaml")
    spec = build(YamlSpec, document.value, document, (), [])
    assert spec is not None and spec.labels == {}
