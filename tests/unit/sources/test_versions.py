"""Versions and ranges: the examples of Helm's and semver.org's documentation, and what they must refuse."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbkube.sources.versions import Range, Version, VersionSyntaxError, newest

ORDERED = [
    "0.0.4", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
    "1.0.0-rc.1", "1.0.0", "v1.0.1", "1.1", "1.10.0", "2", "10.0.0",
]  # fmt: skip


def test_versions_are_ordered_as_semver_says() -> None:
    parsed = [Version.parse(text) for text in ORDERED]
    assert all(one < next_ for one, next_ in pairwise(parsed))
    assert Version.parse("1.2.3+a") == Version.parse("v1.2.3+b")
    assert hash(Version.parse("1.2")) == hash(Version.parse("1.2.0"))


@pytest.mark.parametrize("text", ["", "x", "1.2.3.4", "01.2.3", "1.2.3-", "1..2", "latest", "1.2.3-ä"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(VersionSyntaxError):
        Version.parse(text)


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        ("1.2.3", ["1.2.3", "v1.2.3"], ["1.2.4", "1.2.3-rc.1"]),
        ("=1.2", ["1.2.0", "1.2.9"], ["1.3.0", "1.1.9"]),
        ("!=1.2.x", ["1.1.0", "1.3.0"], ["1.2.7"]),
        (">=1.2, <3", ["1.2.0", "2.9.9"], ["1.1.9", "3.0.0", "3.0.0-beta"]),
        (">= 1.2 < 3.0.0 || >= 4.2.3", ["1.2.0", "4.2.3", "9.0.0"], ["3.5.0", "4.2.2"]),
        ("1.2 - 1.4.5", ["1.2.0", "1.4.5"], ["1.4.6", "1.1.9"]),
        ("1.2 - 1.4", ["1.4.9"], ["1.5.0"]),
        ("*", ["0.0.1", "9.9.9"], ["1.0.0-rc.1"]),
        ("", ["0.0.1"], ["1.0.0-rc.1"]),
        ("1.x", ["1.0.0", "1.99.0"], ["2.0.0", "0.9.0"]),
        (">=1.x", ["1.0.0", "2.0.0"], ["0.9.9"]),
        (">1.x", ["2.0.0"], ["1.5.0"]),
        ("<=2.x", ["2.9.0"], ["3.0.0"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.3.0", "1.2.2"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        ("~> 1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("^1.2.3", ["1.2.3", "1.9.0"], ["2.0.0", "1.2.2"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]),
        ("^0", ["0.0.0", "0.9.9"], ["1.0.0"]),
        ("^2.x", ["2.0.0", "2.9.0"], ["3.0.0"]),
        (">=1.0.0-0", ["1.0.0-alpha", "1.0.0", "2.0.0-rc.1"], ["0.9.0"]),
        ("~1.0.0-beta", ["1.0.0-beta", "1.0.0-rc.1", "1.0.5"], ["1.0.0-alpha", "1.1.0"]),
    ],
)
def test_ranges(wanted: str, inside: list[str], outside: list[str]) -> None:
    wish = Range.parse(wanted)
    assert [t for t in inside if not wish.fits(Version.parse(t))] == []
    assert [t for t in outside if wish.fits(Version.parse(t))] == []


@pytest.mark.parametrize("text", ["one", ">", "1.2.3.4", ">=1.2 foo", "||", "1 ||", "^", "1.2;2.3"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(VersionSyntaxError):
        Range.parse(text)


def test_only_a_full_version_is_exact() -> None:
    assert str(Range.parse("v1.2.3").exact) == "1.2.3"
    assert all(Range.parse(text).exact is None for text in ("1.2", "^1.2.3", ">=1.2.3", "1.2.3 || 1.2.4"))


def test_the_newest_that_fits_is_given_as_it_was_written() -> None:
    found = ["1.9.0", "v1.10.0", "2.0.0-rc.1", "nightly", "1.2.0"]
    assert newest(found) == "v1.10.0"
    assert newest(found, "~1.9") == "1.9.0"
    assert newest(found, ">=2.0.0-0") == "2.0.0-rc.1"
    assert newest(found, "^3") is None


numbers = st.integers(0, 30)


@given(numbers, numbers, numbers)
def test_a_version_fits_what_is_made_of_it(major: int, minor: int, patch: int) -> None:
    text = f"{major}.{minor}.{patch}"
    version = Version.parse(text)
    assert all(Range.parse(f"{operator}{text}").fits(version) for operator in ("", "=", ">=", "<=", "~", "^"))
    assert not any(Range.parse(f"{operator}{text}").fits(version) for operator in ("!=", ">", "<"))
