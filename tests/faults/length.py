"""How long the suites are: the short form of the ordinary test run, or the long one of `make faults`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
LONG = os.environ.get("SBKUBE_FAULTS") == "long"


def long_or_short(long: int, short: int) -> int:
    """A number of rounds, shards or examples."""
    return long if LONG else short


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many, evenly spread; all of them in the long form."""
    if LONG or len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


def note(text: str) -> None:
    """Write a failure down at once, where `SBKUBE_FAULTS_LOG` says: the long form takes long."""
    if log := os.environ.get("SBKUBE_FAULTS_LOG"):
        with Path(log).open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {text}\n\n")
