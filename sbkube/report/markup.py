"""HTML and SVG out of values that nobody vouches for.

Names of objects, messages of pods and output of commands come from clusters and may hold anything. So there is one
rule: whatever is not `Html` already is escaped when it is put into an element, and only `element` and `joined`
make `Html`. A page that is written with these two cannot be broken out of; a web page may use them as well.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from sbkube.report.printable import printable

_VOID = frozenset({"meta", "rect", "path", "line", "circle"})


class Html(str):
    """Text that is HTML already, and safe to put into a page."""

    __slots__ = ()

    def __html__(self) -> str:
        """What template engines take as it is."""
        return self


def escaped(value: object) -> Html:
    """The value as text in an element or in a quoted attribute; what cannot be printed becomes `\ufffd`."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(printable(str(value)), quote=True))


def joined(parts: Iterable[object], between: str = "") -> Html:
    """Parts one after the other, each escaped; empty ones are left out."""
    return Html(escaped(between).join(escaped(part) for part in parts if part not in ("", None)))


def element(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. A trailing `_` of an attribute is dropped and others become `-` (`class_`, `stroke_width`); one
    that is None or False is left out, one that is True has no value."""
    given = "".join(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))
    if name in _VOID:
        return Html(f"<{name}{given}/>")
    return Html(f"<{name}{given}>{joined(children)}</{name}>")


def drawing(width: int, height: int, title: str, *parts: object, **attributes: object) -> Html:
    """An SVG picture of that size; `title` says to those who cannot see it what it is."""
    size = {"role": "img", "width": width, "height": height, "viewBox": f"0 0 {width} {height}"}
    return element("svg", element("title", title), *parts, **size, **attributes)


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-") if key not in ("viewBox",) else key
    return f" {name}" if value is True else f' {name}="{escaped(value)}"'
