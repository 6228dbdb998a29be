"""What we print as YAML reads back as what it was."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sbkube.report.yaml_text import dump, dump_all, load_all

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(PLAIN)
def test_reads_back(value: Any) -> None:
    assert yaml.safe_load(dump(value)) == value


@pytest.mark.parametrize(
    "text",
    ["y", "No", "on", "0o17", "017", "1_000", ".inf", "1e3", "12:30", "2026-01-01", "null", "~", "0x1f", "", "<<"],
)
def test_doubtful_text_is_quoted(text: str) -> None:
    line = dump({"k": text})
    assert line in (f'k: "{text}"\n', f"k: '{text}'\n")


def test_several_lines_become_a_block() -> None:
    assert dump({"k": "a\nb\n"}) == "k: |\n  a\n  b\n"


def test_no_anchors_and_order_kept() -> None:
    shared = {"z": 1, "a": 2}
    assert dump({"x": shared, "b": shared}) == "x:\n  z: 1\n  a: 2\nb:\n  z: 1\n  a: 2\n"


def test_streams() -> None:
    assert load_all(dump_all([{"a": 1}, {"b": 2}])) == [{"a": 1}, {"b": 2}]
    assert load_all("---\n# only a comment\n") == []
