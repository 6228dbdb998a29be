"""When schedules are due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sbkube.sandbox.cron import Schedule


def at(text: str) -> float:
    """A time as seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def told(moment: float | None) -> str:
    """The other way round."""
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        ("* * * * *", "2026-03-01T12:00", "2026-03-01T12:01"),
        ("*/15 * * * *", "2026-03-01T12:00", "2026-03-01T12:15"),
        ("5 4 * * *", "2026-03-01T12:00", "2026-03-02T04:05"),
        ("0 0 1 jan *", "2026-03-01T12:00", "2027-01-01T00:00"),
        ("0 0 31 * *", "2026-04-01T00:00", "2026-05-31T00:00"),
        ("0 0 29 2 *", "2026-03-01T00:00", "2028-02-29T00:00"),
        ("0 0 30 2 *", "2026-03-01T00:00", ""),
        ("0 9 * * mon-fri", "2026-03-06T10:00", "2026-03-09T09:00"),
        # Day and weekday: one is enough when both are restricted.
        ("0 0 13 * 5", "2026-03-01T00:00", "2026-03-06T00:00"),
        ("0 0 */2 * 5", "2026-03-01T00:00", "2026-03-03T00:00"),
        ("0 0 ? * 5", "2026-03-01T00:00", "2026-03-06T00:00"),
        ("30/10 * * * *", "2026-03-01T12:41", "2026-03-01T12:50"),
        ("1,2-4 3 * * *", "2026-03-01T03:01", "2026-03-01T03:02"),
        ("@hourly", "2026-03-01T12:30", "2026-03-01T13:00"),
        ("@weekly", "2026-03-02T00:00", "2026-03-08T00:00"),
        ("@every 1h30m", "2026-03-01T12:00", "2026-03-01T13:30"),
    ],
)
def test_the_next_time(schedule: str, after: str, due: str) -> None:
    assert told(Schedule.of(schedule).after(at(after))) == due


def test_time_zones_and_daylight_saving() -> None:
    berlin = Schedule.of("30 2 * * *", "Europe/Berlin")
    assert told(berlin.after(at("2026-01-10T12:00"))) == "2026-01-11T01:30"
    # 02:30 is left out on 29 March, and comes twice on 25 October.
    assert told(berlin.after(at("2026-03-28T12:00"))) == "2026-03-30T00:30"
    assert told(berlin.after(at("2026-10-24T12:00"))) == "2026-10-25T00:30"
    assert told(berlin.after(at("2026-10-25T00:30"))) == "2026-10-26T01:30"


@pytest.mark.parametrize(
    ("schedule", "since", "now", "last"),
    [
        ("* * * * *", "2026-01-01T00:00", "2026-03-01T12:00", "2026-03-01T12:00"),
        ("0 3 * * *", "2026-01-01T00:00", "2026-03-01T02:00", "2026-02-28T03:00"),
        ("0 3 * * *", "2026-03-01T03:00", "2026-03-02T02:59", ""),
        ("0 3 1 1 *", "2020-06-01T00:00", "2026-03-01T00:00", "2026-01-01T03:00"),
        ("@every 1h", "2026-03-01T00:10", "2026-03-01T05:00", "2026-03-01T04:10"),
        ("@every 1h", "2026-03-01T00:10", "2026-03-01T01:00", ""),
    ],
)
def test_the_last_time_that_is_due(schedule: str, since: str, now: str, last: str) -> None:
    assert told(Schedule.of(schedule).latest(at(since), at(now))) == last


@pytest.mark.parametrize("text", ["", "* * * *", "@every x", "@every 1", "@never"])
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match=r"field|duration"):
        Schedule.of(text)
