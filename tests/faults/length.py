"""How long the suites are: the short form of the ordinary test run, or the long one of `make faults`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
# Read when this module is imported: later every test has an environment of its own.
LONG = os.environ.get("SBKUBE_FAULTS") == "long"
SEED = os.environ.get("SBKUBE_FAULTS_SEED", "")
LOG = os.environ.get("SBKUBE_FAULTS_LOG", "")


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
    if LOG:
        with Path(LOG).open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {text}\n\n")
