"""Cycles."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sbkube.config.graph import cycles

names = st.sampled_from("abcdef")


def test_cycles_begin_and_end_with_the_same_app() -> None:
    assert list(cycles({"a": "b", "b": "ca", "c": ""})) == [["a", "b", "a"]]
    assert list(cycles({"a": "a"})) == [["a", "a"]]
    assert list(cycles({"a": "bc", "b": "c", "c": ""})) == []


def test_long_chains_are_fine() -> None:
    chain = {str(n): (str(n + 1),) for n in range(5000)}
    assert list(cycles({**chain, "5000": ()})) == []
    assert len(next(cycles({**chain, "5000": ("0",)}))) == 5002


@given(st.dictionaries(names, st.lists(names, max_size=3)))
def test_a_cycle_is_found_exactly_when_there_is_no_order(edges: dict[str, list[str]]) -> None:
    graph = {name: tuple(n for n in after if n in edges) for name, after in edges.items()}
    left = dict(graph)
    while free := [name for name, after in left.items() if not set(after) & left.keys()]:
        for name in free:
            del left[name]
    found = list(cycles(graph))
    assert bool(found) == bool(left)
    for cycle in found:
        assert cycle[0] == cycle[-1]
        assert all(after in graph[name] for name, after in pairwise(cycle))
