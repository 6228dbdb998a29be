"""The real clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sbkube.edges.clock import SystemClock


def test_now_is_aware_utc() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


def test_monotonic_goes_on() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    time.sleep(0.01)
    assert 0.005 < clock.monotonic() - before < 5
