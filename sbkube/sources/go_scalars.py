"""What a plain YAML scalar means to `kubectl` and `helm`.

Both read YAML through sigs.k8s.io/yaml: the Go resolver of go.yaml.in/yaml/v2 and then JSON. It knows YAML 1.1's
booleans, octal with and without `o`, binary, underscores, and neither base 60 nor dates. Because the value goes
through JSON, `1.0` arrives as the integer 1.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from decimal import Decimal
from functools import lru_cache

Scalar = str | int | float | bool | None

PLAIN = "?"
STR = "tag:yaml.org,2002:str"
_TAG = "tag:yaml.org,2002:"

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"], False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{sign + word: math.inf for word in (".inf", ".Inf", ".INF") for sign in ("", "+")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SIGNED_BINARY = re.compile(r"(?P<minus>-?)0b(?P<digits>[-+]?[01]+)")
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?.*)?"
)


class ScalarError(ValueError):
    """A scalar cannot be what its tag says, or JSON has no word for it."""


@lru_cache(maxsize=8192)
def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar; infinities and NaN are returned as floats."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if text[0] == ".":
        return _float(text, text)
    digits = text.replace("_", "")
    whole = _integer(digits)
    if whole is not None:
        return whole
    number = _float(digits, text)
    return number if number is not text else _signed_binary(digits, text)


def _integer(digits: str) -> int | None:
    match = _INTEGER.fullmatch(digits)
    if match is None:
        return None
    base = match.lastgroup or "dec"
    value = int(match[base], _BASES[base])
    if match["sign"]:
        value = -value if match["sign"] == "-" else value
        return value if -(2**63) <= value < 2**63 else None
    return value if value < 2**64 else None


def _float(digits: str, text: str) -> Scalar:
    if _FLOAT.fullmatch(digits) is None:
        return text
    value = float(digits)
    return text if math.isinf(value) else value


def _signed_binary(digits: str, text: str) -> Scalar:
    match = _SIGNED_BINARY.fullmatch(digits)
    if match is None or (match["minus"] and match["digits"][0] in "+-"):
        return text
    value = int(match["minus"] + match["digits"], 2)
    return value if -(2**63) <= value < 2**63 else text


def as_json(value: Scalar, text: str) -> Scalar:
    """A value as it looks after Go wrote it as JSON: whole floats below 1e21 become integers.

    Raises ScalarError for infinities and NaN.
    """
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise ScalarError(f"{text} is a number that Kubernetes cannot store")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag, quoted or not; raises ScalarError where Go refuses it."""
    short = tag.removeprefix(_TAG)
    if short == tag or short in ("str", "map", "seq", "set", "omap"):
        return text
    if short == "binary":
        return _decoded(text)
    if short == "timestamp":
        if _DATE.fullmatch(text):
            return text
        raise ScalarError(f'"{text}" is not a timestamp')
    value = resolve(text)
    wanted: dict[str, bool] = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "null": value is None,
    }
    if not wanted.get(short, True):
        raise ScalarError(f'"{text}" is not of type !!{short}')
    return value if short in wanted else text


def _decoded(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except binascii.Error:
        raise ScalarError("!!binary wants base64") from None


def key_text(value: Scalar) -> str:
    """A mapping key as the string that JSON wants; raises ScalarError for keys that Go refuses."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        raise ScalarError("null cannot be a key")
    if isinstance(value, int):
        if value >= 2**63:
            raise ScalarError(f"{value} is too large for a key")
        return str(value)
    return _float_key(value)


def _float_key(value: float) -> str:
    """As Go's FormatFloat(value, 'g', -1, 32) does: the fewest digits that give the same 32-bit number."""
    single = _single(value)
    if not math.isfinite(single):
        return ".nan" if math.isnan(single) else ".inf" if single > 0 else "-.inf"
    shortest = next(text for n in range(1, 18) if _single(float(text := f"{single:.{n}g}")) == single)
    sign, digits, exponent = Decimal(shortest).normalize().as_tuple()
    power = int(exponent) + len(digits) - 1
    if single and (power < -4 or power >= 6):
        head, tail = str(digits[0]), "".join(map(str, digits[1:]))
        return f"{'-' * sign}{head}{'.' + tail if tail else ''}e{power:+03d}"
    return f"{Decimal(shortest).normalize():f}"


def _single(value: float) -> float:
    try:
        narrowed: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return narrowed
