"""Which apps a command is restricted to: names of apps, and `PHASE/` for all apps of a phase."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def selects(names: Collection[str], app: str) -> bool:
    """The app is one of those named; without names every app is."""
    return not names or named(names, app)


def named(names: Collection[str], app: str) -> bool:
    """The app or a phase around it is named."""
    return app in names or any(name.endswith("/") and app.startswith(name) for name in names)


def unknown(names: Iterable[str], known: Collection[str]) -> str | None:
    """The first name that stands for no known app."""
    return next((name for name in names if not any(named((name,), app) for app in known)), None)
