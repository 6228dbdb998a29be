"""Errors name the place and the way out."""

from __future__ import annotations

from sbkube.errors import ClusterError, ConfigError, Place, Problem, StateLocked
from sbkube.report import failure


def test_hint() -> None:
    assert failure.render(StateLocked("ann is deploying", subject="shop", hint="wait")) == (
        "error: shop: ann is deploying\n→ wait"
    )


def test_all_problems() -> None:
    problems = [Problem("unknown key", Place("a.yaml", 3, 1), "did you mean b?"), Problem("missing", None)]
    assert failure.render(ConfigError("2 problems", problems=problems)) == (
        "error: 2 problems\n  a.yaml:3:1: unknown key\n    → did you mean b?\n  missing"
    )


def test_one_problem_that_is_the_message_is_told_once() -> None:
    place = Place("a.yaml", 3)
    error = ConfigError("unknown key", problems=[Problem("unknown key", place)], place=place)
    assert failure.render(error) == "error: a.yaml:3: unknown key"


def test_the_servers_causes() -> None:
    error = ClusterError("refused", code=422, causes=[("spec.x", "must be a number")])
    assert failure.render(error) == "error: refused\n  spec.x: must be a number"
