"""When a cron schedule is due (the rules of `robfig/cron` v3, which Kubernetes uses)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
NAMES = {
    n: i
    for i, n in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
NAMES |= {n: i for i, n in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_YEARS = 5  # how far ahead a time is looked for


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes, hours, days, months and weekdays that are due; `stars`: day and weekday are unrestricted.

    `every`: seconds between two times, in place of all that.
    """

    fields: tuple[frozenset[int], ...] = ()
    stars: tuple[bool, bool] = (True, True)
    every: float = 0.0
    zone: tzinfo = UTC

    @staticmethod
    def of(text: str, time_zone: str = "") -> Schedule:
        """Reads a valid schedule. Raises ValueError for others."""
        zone: tzinfo = ZoneInfo(time_zone) if time_zone else UTC
        if text.startswith("@every "):
            return Schedule(every=_duration(text[7:]), zone=zone)
        parts = MACROS.get(text, text).split()
        if len(parts) != len(BOUNDS):
            raise ValueError(f"expected exactly 5 fields: {text}")
        read = [_field(part, bounds) for part, bounds in zip(parts, BOUNDS, strict=True)]
        return Schedule(tuple(found for found, _ in read), (read[2][1], read[4][1]), zone=zone)

    def after(self, moment: float) -> float | None:
        """The first time after `moment` (both in seconds since 1970); None when there is none for years."""
        if self.every:
            return float(int(moment)) + self.every
        local = datetime.fromtimestamp(moment, self.zone).replace(tzinfo=None, fold=0)
        end = local + timedelta(days=366 * _YEARS)
        wall: datetime | None = local.replace(second=0, microsecond=0)
        while wall is not None:
            wall = self._next_wall(wall + timedelta(minutes=1), end)
            if wall is None:
                break
            found = wall.replace(tzinfo=self.zone).timestamp()
            real = datetime.fromtimestamp(found, self.zone).replace(tzinfo=None, fold=0) == wall
            # An hour that daylight saving leaves out has no times; one that it repeats counts once.
            if real and found > moment:
                return found
        return None

    def _next_wall(self, wall: datetime, end: datetime) -> datetime | None:
        minutes, hours, _, months, _ = self.fields
        while wall < end:
            if wall.month not in months:
                wall = (wall.replace(day=1, hour=0, minute=0) + timedelta(days=32)).replace(day=1)
            elif not self._is_day(wall):
                wall = wall.replace(hour=0, minute=0) + timedelta(days=1)
            elif wall.hour not in hours:
                wall = wall.replace(minute=0) + timedelta(hours=1)
            elif wall.minute not in minutes:
                wall += timedelta(minutes=1)
            else:
                return wall
        return None

    def _is_day(self, wall: datetime) -> bool:
        day = wall.day in self.fields[2]
        weekday = wall.isoweekday() % 7 in self.fields[4]
        return (day and weekday) if any(self.stars) else (day or weekday)

    def latest(self, since: float, now: float) -> float | None:
        """The last time after `since` that is not after `now`; None when there was none."""
        if self.every:
            count = int(max(0.0, now - int(since)) / self.every)
            return int(since) + count * self.every if count else None
        span, found = 60.0, self.after(max(since, now - 60.0))
        while (found is None or found > now) and now - span > since:
            span *= 4
            found = self.after(max(since, now - span))
        if found is None or found > now:
            return None
        while (later := self.after(found)) is not None and later <= now:
            found = later
        return found


def _field(text: str, bounds: tuple[int, int]) -> tuple[frozenset[int], bool]:
    """The values of one field, and whether it is a star."""
    found: set[int] = set()
    star = False
    for part in text.split(","):
        span, slash, step = part.partition("/")
        low, high = bounds
        if span in ("*", "?"):
            star = star or not slash or int(step) == 1
        else:
            ends = [_value(w) for w in span.split("-")]
            low, high = ends[0], ends[-1]
            if slash and len(ends) == 1:
                high = bounds[1]
        found.update(range(low, high + 1, int(step) if slash else 1))
    return frozenset(found), star


def _value(word: str) -> int:
    return int(word) if word.isdigit() else NAMES[word.lower()]


def _duration(text: str) -> float:
    """A Go duration like `1h30m`, in whole seconds, one at least. Raises ValueError."""
    parts = re.findall(r"(\d+(?:\.\d*)?)(h|ms|us|µs|ns|m|s)", text)
    if not parts or "".join(n + u for n, u in parts) != text.strip():
        raise ValueError(f"time: invalid duration {text!r}")
    return max(1.0, float(int(sum(float(n) * _UNITS[u] for n, u in parts))))
