"""Quantities in the one form that the API server stores: no fraction, and the largest suffix that loses nothing.

The rules are those of the Kubernetes API reference, "Quantity": `1000m` becomes `1`, `1.5Gi` becomes `1536Mi`,
`2000` becomes `2k`; what is finer than a nano is rounded away from zero, a binary fraction to a whole number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

PATTERN = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(.*)")
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)")
_DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_MOST = 2**63 - 1


class NoQuantity(ValueError):
    """A text that is no quantity, in the server's words."""


def canonical(text: str) -> str:
    """The stored form of a quantity; raises NoQuantity."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise NoQuantity(f"quantities must match the regular expression '{PATTERN}'")
    number, suffix = Fraction(match[1].rstrip(".") or "0"), match[2]
    if suffix in _BINARY[1:]:
        return _binary(number * 1024 ** _BINARY.index(suffix))
    for exponent, name in _DECIMAL.items():
        if suffix == name:
            return _decimal(number * Fraction(10) ** exponent, _DECIMAL.get)
    if exponent_given := _EXPONENT.fullmatch(suffix):
        power = int(exponent_given[1])
        if abs(power) <= 64:
            return _decimal(number * Fraction(10) ** power, lambda e: f"e{e}" if e else "")
    raise NoQuantity("unable to parse quantity's suffix")


def parse(text: str) -> Fraction:
    """The number that a quantity stands for; raises NoQuantity."""
    match = _NUMBER.fullmatch(canonical(text))
    assert match is not None, text
    number, suffix = Fraction(match[1]), match[2]
    if suffix in _BINARY[1:]:
        return Fraction(number * (1 << 10 * _BINARY.index(suffix)))
    power = next((exponent for exponent, name in _DECIMAL.items() if name == suffix), None)
    return number * Fraction(f"1e{int(suffix[1:]) if power is None else power}")


def _decimal(value: Fraction, suffix_of: Callable[[int], str | None]) -> str:
    nanos = _away_from_zero(_bounded(value) * 10**9)
    exponent = -9
    while nanos and nanos % 1000 == 0 and exponent < 18:
        nanos //= 1000
        exponent += 3
    return f"{nanos}{suffix_of(exponent)}" if nanos else "0"


def _binary(value: Fraction) -> str:
    if -1024 < value < 1024:
        return _decimal(value, _DECIMAL.get)
    whole, power = _away_from_zero(_bounded(value)), 0
    while whole % 1024 == 0 and power < len(_BINARY) - 1:
        whole //= 1024
        power += 1
    return f"{whole}{_BINARY[power]}"


def _bounded(value: Fraction) -> Fraction:
    return max(min(value, Fraction(_MOST)), Fraction(-_MOST))


def _away_from_zero(value: Fraction) -> int:
    whole = abs(value)
    rounded = -(-whole.numerator // whole.denominator)
    return rounded if value >= 0 else -rounded
