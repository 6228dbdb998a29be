"""Versions and ranges as Helm reads them.

Versions are Semantic Versioning 2.0.0 (semver.org), with Helm's leniency: a leading `v`, and missing minor and
patch numbers. Ranges follow the constraint language of Helm's documentation: comma or blank for *and*, `||` for
*or*, `=`, `!=`, `>`, `<`, `>=`, `<=`, `~`, `^`, hyphen ranges and the wildcards `x`, `X` and `*`. As there, a
pre-release only fits a range that names a pre-release itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import total_ordering

_NUMBER = r"(?:0|[1-9]\d*)"
_TAIL = r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
_VERSION = re.compile(rf"v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?(?:\.(?P<patch>{_NUMBER}))?{_TAIL}")
_PART = rf"(?:{_NUMBER}|[xX*])"
_BOUND = re.compile(
    rf"(?P<op>=|==|!=|>|<|>=|=>|<=|=<|~|~>|\^)?\s*"
    rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?{_TAIL}"
)
_HYPHEN = re.compile(r"\s*(\S+)\s+-\s+(\S+)\s*")
_OPERATORS = {None: "=", "==": "=", "=>": ">=", "=<": "<=", "~>": "~"}


class VersionSyntaxError(ValueError):
    """A version or range that cannot be read; the message says which part."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version. Build metadata does not count when versions are compared (semver.org, 10 and 11)."""

    numbers: tuple[int, int, int]
    pre: tuple[str, ...] = ()
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version; raises VersionSyntaxError."""
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise VersionSyntaxError(f'"{text}" is no version')
        numbers = (int(match["major"]), int(match["minor"] or 0), int(match["patch"] or 0))
        return cls(numbers, _pre(match), text.strip())

    @property
    def _rank(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        parts = tuple((not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in self.pre)
        return (self.numbers, not self.pre, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._rank == other._rank

    def __lt__(self, other: Version) -> bool:
        return self._rank < other._rank

    def __hash__(self) -> int:
        return hash(self._rank)

    def __str__(self) -> str:
        return self.text or ".".join(map(str, self.numbers))


def _pre(match: re.Match[str]) -> tuple[str, ...]:
    return tuple(match["pre"].split(".")) if match["pre"] else ()


@dataclass(frozen=True, slots=True)
class _Bound:
    """One comparison. `known` counts how many of the three numbers were given."""

    operator: str
    version: Version
    known: int

    def fits(self, found: Version) -> bool:
        if found.pre and not self.version.pre:
            return False
        return _FITS[self.operator](self, found)

    @property
    def above(self) -> Version:
        """The first version behind everything that the given numbers cover."""
        return _raised(self.version, self.known - 1)


def _raised(version: Version, position: int) -> Version:
    major, minor, patch = version.numbers
    if position < 0:
        return Version((2**63, 0, 0))
    return Version(((major + 1, 0, 0), (major, minor + 1, 0), (major, minor, patch + 1))[position])


def _same(bound: _Bound, found: Version) -> bool:
    return found == bound.version if bound.known == 3 else bound.version <= found < bound.above


def _tilde(bound: _Bound, found: Version) -> bool:
    return bound.version <= found < _raised(bound.version, min(bound.known - 1, 1))


def _caret(bound: _Bound, found: Version) -> bool:
    first = next((i for i in range(bound.known) if bound.version.numbers[i]), bound.known - 1)
    return bound.version <= found < _raised(bound.version, first)


_FITS: Mapping[str, Callable[[_Bound, Version], bool]] = {
    "=": _same,
    "!=": lambda bound, found: not _same(bound, found),
    ">": lambda bound, found: found > bound.version if bound.known == 3 else found >= bound.above,
    "<": lambda bound, found: found < bound.version,
    ">=": lambda bound, found: found >= bound.version,
    "<=": lambda bound, found: found <= bound.version if bound.known == 3 else found < bound.above,
    "~": _tilde,
    "^": _caret,
}


@dataclass(frozen=True, slots=True)
class Range:
    """Versions that fit: any of the alternatives, all of whose bounds hold."""

    alternatives: tuple[tuple[_Bound, ...], ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read a range; an empty one means any release. Raises VersionSyntaxError."""
        parts = [_alternative(part, text) for part in (text.strip() or "*").split("||")]
        return cls(tuple(parts), text.strip())

    @property
    def exact(self) -> Version | None:
        """The one version that is meant, if it is one."""
        bounds = self.alternatives[0]
        if len(self.alternatives) == len(bounds) == 1 and bounds[0].operator == "=" and bounds[0].known == 3:
            return bounds[0].version
        return None

    def fits(self, version: Version) -> bool:
        """Whether a version is in the range."""
        return any(all(bound.fits(version) for bound in bounds) for bounds in self.alternatives)


def _alternative(part: str, whole: str) -> tuple[_Bound, ...]:
    if match := _HYPHEN.fullmatch(part):
        part = f">={match[1]} <={match[2]}"
    bounds, at = [], 0
    text = part.replace(",", " ").strip()
    while at < len(text):
        match = _BOUND.match(text, at)
        if match is None or (match.end() < len(text) and not text[match.end()].isspace()):
            raise VersionSyntaxError(f'"{whole}" is no range of versions')
        bounds.append(_bound(match))
        at = match.end()
        while at < len(text) and text[at].isspace():
            at += 1
    if not bounds:
        raise VersionSyntaxError(f'"{whole}" is no range of versions')
    return tuple(bounds)


def _bound(match: re.Match[str]) -> _Bound:
    given = [match[name] for name in ("major", "minor", "patch")]
    known = next((i for i, number in enumerate(given) if number is None or number in "xX*"), 3)
    major, minor, patch = [int(number) for number in given[:known]] + [0] * (3 - known)
    operator = _OPERATORS.get(match["op"], match["op"] or "=")
    return _Bound(operator, Version((major, minor, patch), _pre(match)), known)


def newest(versions: Iterable[str], wanted: str = "") -> str | None:
    """The newest of `versions` in the range `wanted`, as it was written; what is no version is passed over.

    Raises VersionSyntaxError for a range that cannot be read.
    """
    wish = Range.parse(wanted)
    found = []
    for text in versions:
        try:
            version = Version.parse(text)
        except VersionSyntaxError:
            continue
        if wish.fits(version):
            found.append(version)
    return str(max(found)) if found else None
