"""Kubernetes quantities as numbers (`apimachinery/pkg/api/resource`)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def quantity_of(value: Any) -> Decimal | None:
    """The number that a quantity means; None when it is not one."""
    if isinstance(value, bool) or value is None:
        return None
    found = _FORM.fullmatch(str(value))
    if not found:
        return None
    number, suffix, exponent = Decimal(found[1]), found[2], found[3]
    if exponent:
        return number.scaleb(int(exponent))
    if suffix in _BINARY:
        return number * (1 << _BINARY[suffix])
    return number.scaleb(_DECIMAL[suffix]) if suffix else number
