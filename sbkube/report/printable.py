"""Text from a cluster or a command as it may be shown: it must not act on a terminal, nor look like other text.

Messages of pods, output of commands and values of objects may hold anything: escape sequences that rename a window
or write to the clipboard, and marks that turn the direction of text, so that a plan reads as another one.
"""

from __future__ import annotations

import re

_CONTROL = "\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_TURNING = "\u202a-\u202e\u2066-\u2069"
_ANY = re.compile(f"[\x1b{_CONTROL}{_TURNING}]")
_BUT_COLOURS = re.compile(f"\x1b(?!\\[[0-9;]*m)|[{_CONTROL}{_TURNING}]")


def printable(text: str) -> str:
    """Lines and tabs stay; anything else that is no character becomes `\ufffd`."""
    return _ANY.sub("\ufffd", text)


def coloured(text: str) -> str:
    """The same for a text with colours of ours in it, which stay."""
    return _BUT_COLOURS.sub("\ufffd", text)
