"""One document over another."""

from __future__ import annotations

from sbkube.sources.layers import lay_over
from sbkube.sources.yaml_reader import read_one

BELOW = read_one("settings:\n  namespace: shop\n  timeout: 5\napps:\n  web: {type: helm}\n", "sbkube.yaml")
ABOVE = read_one("settings:\n  timeout: 9\n  cluster: prod\napps:\n  db:\n    type: yaml\n", "sbkube.prod.yaml")


def test_maps_are_merged_and_the_rest_is_replaced() -> None:
    assert lay_over(BELOW, ABOVE).value == {
        "settings": {"namespace": "shop", "timeout": 9, "cluster": "prod"},
        "apps": {"web": {"type": "helm"}, "db": {"type": "yaml"}},
    }


def test_null_takes_away_and_lists_are_replaced() -> None:
    below = read_one("a: {b: 1, c: [1, 2]}\nd: 1\n", "one")
    above = read_one("a: {b: null, c: [3]}\nd: null\n", "two")
    assert lay_over(below, above).value == {"a": {"c": [3]}}


def test_a_place_is_where_the_last_word_stands() -> None:
    both = lay_over(BELOW, ABOVE)
    assert str(both.place("settings", "namespace")) == "sbkube.yaml:2:14"
    assert str(both.place("settings", "timeout")) == "sbkube.prod.yaml:2:12"
    assert str(both.place("apps", "db", "type")) == "sbkube.prod.yaml:6:11"
    assert str(both.place("apps", "web", "chart")) == "sbkube.yaml:5:8"
    assert str(both.place("apps", "db", key=True)) == "sbkube.prod.yaml:5:3"
