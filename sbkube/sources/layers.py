"""One document laid over another: maps are merged deeply, everything else is replaced, null takes away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbkube.errors import Place
from sbkube.sources.yaml_reader import Document


@dataclass(frozen=True, slots=True)
class Layers(Document):
    """Two documents as one. A place is in the file that had the last word on it."""

    below: Document | None = None
    above: Document | None = None

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Where the value at `path` stands, or its key."""
        assert self.below is not None and self.above is not None
        nearer = _depth(self.above, path) >= _depth(self.below, path)
        return (self.above if nearer else self.below).place(*path, key=key)


def lay_over(below: Document, above: Document) -> Layers:
    """`above` over `below`; both must be maps. Problems with the file as a whole belong to `below`."""
    value = merged(below.value, above.value)
    return Layers(value, below.file, below.line, None, below, above)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Maps deeply; everything else is replaced; null takes away."""
    result = dict(below)
    for key, value in above.items():
        present = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(present, Mapping) and isinstance(value, Mapping):
            result[key] = merged(present, value)
        else:
            result[key] = value
    return result


def _depth(document: Document, path: tuple[str | int, ...]) -> int:
    """How many steps of the path the document has."""
    node: Any = document.value
    for depth, step in enumerate(path):
        known = step in node if isinstance(node, Mapping) else isinstance(node, list) and step in range(len(node))
        if not known:
            return depth
        node = node[step]
    return len(path)
