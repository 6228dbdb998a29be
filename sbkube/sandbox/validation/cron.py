"""Cron schedules and time zones (the rules of `robfig/cron`, which Kubernetes uses)."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sbkube.sandbox.cron import BOUNDS, MACROS, NAMES
from sbkube.sandbox.status import Cause
from sbkube.sandbox.validation.causes import invalid

Json = dict[str, Any]


def schedule(path: str, text: str) -> list[Cause]:
    """A schedule of five fields or one of the `@` words."""
    if "TZ" in text:
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        return [invalid(path, text, why)]
    if text.startswith("@"):
        good = text in MACROS or re.fullmatch(r"@every \S+", text)
        return [] if good else [invalid(path, text, f"unrecognized descriptor: {text}")]
    fields = text.split()
    if len(fields) != 5:
        why = f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
        return [invalid(path, text, why)]
    for field, bounds in zip(fields, BOUNDS, strict=True):
        why = _problem(field, bounds)
        if why:
            return [invalid(path, text, why)]
    return []


def _problem(field: str, bounds: tuple[int, int]) -> str:
    for part in field.split(","):
        span, slash, step = part.partition("/")
        if slash and not step.isdigit():
            return f'failed to parse int from {step}: strconv.Atoi: parsing "{step}": invalid syntax'
        if slash and int(step) == 0:
            return f"step of range should be a positive number: {part}"
        if span in ("*", "?"):
            continue
        numbers = []
        for word in span.split("-"):
            number = int(word) if word.isdigit() else NAMES.get(word.lower(), -1)
            if number < 0:
                return f'failed to parse int from {word}: strconv.Atoi: parsing "{word}": invalid syntax'
            numbers.append(number)
        low, high = bounds
        if numbers[0] < low:
            return f"beginning of range ({numbers[0]}) below minimum ({low}): {part}"
        if numbers[-1] > high:
            return f"end of range ({numbers[-1]}) above maximum ({high}): {part}"
        if numbers[0] > numbers[-1]:
            return f"beginning of range ({numbers[0]}) beyond end of range ({numbers[-1]}): {part}"
    return ""


def time_zone(path: str, name: str) -> list[Cause]:
    """An IANA time zone; `Local` would mean the server's own."""
    if name.lower() == "local":
        return [invalid(path, name, "timeZone must be an explicit time zone as defined in the IANA database")]
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [invalid(path, name, f"unknown time zone {name}")]
    return []
