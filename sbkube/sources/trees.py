"""Digest of a folder: the same on every machine that has the same files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sbkube.sources.yaml_reader import digest


def tree_digest(folder: Path) -> str:
    """Digest over the names and contents of all files below a folder, links followed as Helm does.

    It is the same on every machine. Raises OSError, also for links that lead back into themselves.
    """
    total = hashlib.sha256()
    for path in sorted(_tree(folder, frozenset())):
        name = path.relative_to(folder).as_posix()
        total.update(f"{name}\0{digest(path.read_bytes())}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _tree(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:
        raise OSError(f"{folder} is a link to a folder around it")
    for path in folder.iterdir():
        if path.is_dir():
            yield from _tree(path, above | {real})
        elif path.is_file():
            yield path
