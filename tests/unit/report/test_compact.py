"""The compact text keeps every fact and wastes no token."""

from __future__ import annotations

from sbkube.report import compact


def test_like_records_become_a_table() -> None:
    text = compact.text({"schema": "s", "rows": [{"a": 1, "b": "x|y", "c": None}, {"a": 2, "b": "", "c": None}]})
    assert text == "schema: s\nrows[2] a|b:\n 1|x\\|y\n 2|\n"


def test_unlike_records_become_a_list() -> None:
    text = compact.text({"rows": [{"a": {"b": 1}, "n": [1, 2]}, {"z": True}]})
    assert text == "rows[2]:\n -a: b=1\n  n: 1, 2\n -z: yes\n"


def test_several_lines_are_indented_and_empty_values_left_out() -> None:
    assert compact.text({"log": "a\nb\n", "no": None, "none": [], "zero": 0}) == "log:\n a\n b\nzero: 0\n"


def test_deep_values() -> None:
    assert compact.text({"a": {"b": {"c": 1}, "d": 2}}) == "a:\n b: c=1\n d: 2\n"
