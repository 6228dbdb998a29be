"""Variables in settings."""

from __future__ import annotations

from typing import Any

from sbkube.config.environment import expand
from sbkube.errors import Problem
from sbkube.sources.yaml_reader import read_one


def expanded(text: str, **environ: str) -> tuple[Any, list[Problem]]:
    document = read_one(text, "f.yaml")
    problems: list[Problem] = []
    return expand(document.value, environ, document, (), problems), problems


def test_strings_everywhere_are_expanded() -> None:
    value, problems = expanded("a: x${A}z\nb: [{c: '${A}${B:-d}'}]\nn: 1\n", A="1")
    assert (value, problems) == ({"a": "x1z", "b": [{"c": "1d"}], "false": 1}, [])


def test_a_default_stands_in_for_unset_and_empty_variables() -> None:
    assert expanded("a: ${A:-x}${B:-}", A="")[0] == {"a": "x"}


def test_an_empty_variable_is_set() -> None:
    assert expanded("a: b${A}", A="") == ({"a": "b"}, [])


def test_unset_variables_are_problems_with_place_and_the_likely_name() -> None:
    _, (first, second) = expanded("a: ${HOEM}\nb: ${ZZZ}\n", HOME="/root")
    assert str(first.place) == "f.yaml:1:4"
    assert first.message == "the environment variable HOEM is not set"
    assert (first.hint or "").startswith('did you mean "HOME"?')
    assert second.hint == "set it, or give a default: ${ZZZ:-…}"


def test_what_is_no_variable_stays() -> None:
    assert expanded("a: $A ${a-b} $${ }")[0] == {"a": "$A ${a-b} $${ }"}
