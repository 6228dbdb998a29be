"""The difference of two images of an object, as a unified diff of their YAML."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from sbkube.report.ink import Ink
from sbkube.report.printable import printable
from sbkube.report.yaml_text import dump

CONTEXT = 3
_MANY = 1000  # lines of both sides from which frequent ones are no anchors: the time would grow with their square
_MOST = 20_000  # lines of both sides that are compared
Code = tuple[str, int, int, int, int]
_SERVER_META = frozenset(
    {"managedFields", "creationTimestamp", "resourceVersion", "uid", "generation", "selfLink", "deletionTimestamp"}
)


def readable(body: Mapping[str, Any] | None) -> dict[str, Any]:
    """An object without what only the server writes."""
    if body is None:
        return {}
    clean = {name: value for name, value in body.items() if name != "status"}
    meta = clean.get("metadata")
    if isinstance(meta, Mapping):
        clean["metadata"] = {name: value for name, value in meta.items() if name not in _SERVER_META}
    return clean


def unified(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, ink: Ink) -> list[str]:
    """Coloured lines of the difference; every hunk is headed by the path of its first change."""
    old, new = (_lines(side) for side in (before, _in_order_of(before, after)))
    groups = _groups(old, new)
    if groups is None:
        return [f"{len(old):,} lines became {len(new):,}: too many to be compared here"]
    lines: list[str] = []
    for group in groups:
        if old and new:
            lines.append(ink.cyan(f"@@ {_heading(group, old, new)}"))
        for tag, a1, a2, b1, b2 in group:
            if tag == "equal":
                lines += [f"  {line}" for line in old[a1:a2]]
                continue
            lines += [ink.red(f"- {line}") for line in old[a1:a2]]
            lines += [ink.green(f"+ {line}") for line in new[b1:b2]]
    return lines


def _groups(old: list[str], new: list[str]) -> list[list[Code]] | None:
    """What differs, with a few equal lines around it; None where finding that would take too long."""
    many = len(old) + len(new)
    if many > _MOST:
        return None
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=many > _MANY)
    return list(matcher.get_grouped_opcodes(CONTEXT))


def _lines(body: Mapping[str, Any] | None) -> list[str]:
    clean = readable(body)
    return [printable(line) for line in dump(clean).split("\n")[:-1]] if clean else []


def _in_order_of(before: Any, after: Any) -> Any:
    """The later value with keys in the order of the earlier one, which says nothing but makes a difference."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [*(name for name in before if name in after), *(name for name in after if name not in before)]
        return {name: _in_order_of(before.get(name), after[name]) for name in names}
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return [_in_order_of(*pair) for pair in zip_longest(before[: len(after)], after)]
    return after


def _heading(group: Sequence[Code], old: list[str], new: list[str]) -> str:
    tag, a1, _, b1, _ = next(code for code in group if code[0] != "equal")
    return path_at(new, b1) if tag == "insert" else path_at(old, a1)


def path_at(lines: Sequence[str], at: int) -> str:
    """The keys above a line of block YAML, like `spec.template.spec.containers[0].image`."""
    if at >= len(lines):
        return ""
    parts: list[str] = []
    depth = _depth(lines[at]) + (2 if lines[at].strip().startswith("-") else 1)
    for index in range(at, -1, -1):
        line, here = lines[index], _depth(lines[index])
        if here >= depth or not line.strip():
            continue
        if line.strip().startswith("- "):
            inner = _dotted(line) if here + 1.5 < depth else ""  # the first key stands two columns further in
            parts.append(f"[{_position(lines, index)}]{inner}")
        else:
            parts.append(_dotted(line))
        depth = here
    return "".join(reversed(parts)).lstrip(".")


def _depth(line: str) -> float:
    """Indentation; an item of a list stands half a step below the key whose list it is in."""
    spaces = len(line) - len(line.lstrip(" "))
    return spaces + 0.5 if line.strip().startswith("-") else float(spaces)


def _dotted(line: str) -> str:
    key, colon, _ = line.strip().removeprefix("- ").partition(":")
    return f".{key}" if colon else ""


def _position(lines: Sequence[str], at: int) -> int:
    """Which item of its list the line begins."""
    depth, count = _depth(lines[at]), 0
    for index in range(at - 1, -1, -1):
        here = _depth(lines[index])
        if here < depth:
            break
        if here == depth:
            count += 1
    return count
