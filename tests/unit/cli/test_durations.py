"""Durations and dates as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sbkube.cli.durations import seconds, since
from sbkube.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1w", 604800), ("0.5h", 1800)]
)
def test_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "x", "5 minutes", "-1m"])
def test_nonsense(text: str) -> None:
    with pytest.raises(UsageError):
        seconds(text)


def test_since() -> None:
    now = datetime(2026, 5, 8, tzinfo=UTC)
    assert since("7d", now) == datetime(2026, 5, 1, tzinfo=UTC)
    assert since("2026-05-01T10:00:00+00:00") == datetime(2026, 5, 1, 10, tzinfo=UTC)
    with pytest.raises(UsageError):
        since("2026-99-01")
