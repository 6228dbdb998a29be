"""Zstandard, from the standard library where it has it (PEP 784), else from its backport.

Contents are small and alike, so they are compressed with a dictionary of what they have in common (made by
scripts/make_dictionary.py): it halves them. A frame carries the number of its dictionary; one without a number is
read as well.
"""

from __future__ import annotations

import sys
import threading
from functools import cache
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

LEVEL = 3
_DICTIONARY = Path(__file__).parent.parent / "data" / "objects-1.zdict"
_threads = threading.local()


@cache
def _dictionary() -> zstd.ZstdDict:
    return zstd.ZstdDict(_DICTIONARY.read_bytes())


def compress(data: bytes) -> bytes:
    """One frame. A compressor is kept for each thread, for making one takes longer than using it."""
    compressor = getattr(_threads, "compressor", None)
    if compressor is None:
        compressor = _threads.compressor = zstd.ZstdCompressor(LEVEL, zstd_dict=_dictionary().as_digested_dict)
    packed: bytes = compressor.compress(data, compressor.FLUSH_FRAME)
    return packed


def decompress(packed: bytes) -> bytes:
    """The content of a frame; raises `zstd.ZstdError` for anything else."""
    return zstd.decompress(packed, zstd_dict=_dictionary())
