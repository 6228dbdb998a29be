"""Shared kinds of fields."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from sbkube.apps.fields import parse_duration, text


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("90s", 90), ("1.5h", 5400), ("500ms", 0.5), (30, 30), ("45", 45), (0.5, 0.5)],
)
def test_durations_in_go_notation_or_seconds(written: Any, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["5 minutes", "", "5x", "m", "-5m", 0, -1, "0s", True, None, ["5m"]])
def test_what_is_no_duration(written: Any) -> None:
    with pytest.raises(PydanticCustomError):
        parse_duration(written)


def test_text_that_yaml_read_as_something_else_wants_quotes() -> None:
    with pytest.raises(PydanticCustomError) as caught:
        text(12)
    assert caught.value.context == {"message": "must be text, not a number", "hint": 'put it into quotes: "12"'}
    with pytest.raises(PydanticCustomError) as caught:
        text(True)
    assert "yes, no, on, off" in (caught.value.context or {})["hint"]
