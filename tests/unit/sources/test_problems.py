"""Gathered problems and suggestions."""

from __future__ import annotations

import pytest

from sbkube.errors import ConfigError, Place, Problem, RenderError
from sbkube.sources.problems import did_you_mean, meant, refusal, refuse_config


def test_a_single_problem_speaks_for_itself() -> None:
    error = refusal([Problem("is wrong", Place("f", 2), "mend it")], RenderError, "app web")
    assert (str(error), error.hint, len(error.problems)) == ("f:2: is wrong", "mend it", 1)


def test_several_problems_are_counted_and_sorted_by_place() -> None:
    with pytest.raises(ConfigError, match="2 problems in f") as caught:
        refuse_config([Problem("b", Place("f", 10)), Problem("a", Place("f", 9))], "f")
    assert [p.message for p in caught.value.problems] == ["a", "b"]
    refuse_config([], "f")


def test_the_nearest_word_is_suggested_whatever_its_spelling() -> None:
    assert meant("dependsOn", ["depends_on", "enabled"]) == "depends_on"
    assert meant("zzz", ["depends_on"]) is None
    assert did_you_mean("helmm", ["helm", "yaml"], noun="types") == 'did you mean "helm"?'
    assert did_you_mean("zzz", ["yaml", "helm"], noun="types") == "types: helm, yaml"
    assert did_you_mean("zzz", [], noun="apps") == "there are no apps"
