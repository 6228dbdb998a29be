"""Colours as plain escape sequences, so that a coloured line costs no import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


class Ink:
    """Wraps text in colours, or leaves it alone when `enabled` is false."""

    def __init__(self, enabled: bool = False) -> None:
        self.enabled = enabled

    def paint(self, text: str, *styles: str) -> str:
        """The text in the named styles: bold, dim, red, green, yellow, blue, cyan."""
        if not self.enabled or not text or not styles:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def bold(self, text: str) -> str:
        """Emphasis."""
        return self.paint(text, "bold")

    def dim(self, text: str) -> str:
        """Of second rank."""
        return self.paint(text, "dim")

    def red(self, text: str) -> str:
        """Wrong, or going away."""
        return self.paint(text, "red")

    def green(self, text: str) -> str:
        """Right, or new."""
        return self.paint(text, "green")

    def yellow(self, text: str) -> str:
        """Changing, or worth a look."""
        return self.paint(text, "yellow")

    def cyan(self, text: str) -> str:
        """A place in a diff."""
        return self.paint(text, "cyan")


def wants_colour(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Colour for this stream? `NO_COLOR` (no-color.org) and `TERM=dumb` say no, `FORCE_COLOR` says yes."""
    env = os.environ if environ is None else environ
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR") not in (None, "", "0"):
        return True
    return env.get("TERM") != "dumb" and stream.isatty()
