"""Which paths of objects hold values that are never shown and are kept encrypted.

Some are named by the project. Others are learned: where a value that was decrypted from a file stands in an object
that is sent, and where one stood in what was deployed before, as the record says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sbkube.plan.redact import is_secret
from sbkube.plan.scrub import SHORTEST

_IDENTITY = frozenset({"apiVersion", "kind", "metadata.name", "metadata.namespace"})
_SPECIAL = re.compile(r"([*?[])")


class SensitivePaths(Sequence[str]):
    """Path globs such as `spec.password`, in the order in which they were found; grows, never shrinks.

    Shared by all that masks or keeps objects of one project. Safe for use from several threads: what is read is
    replaced as a whole.
    """

    def __init__(self, globs: Iterable[str] = ()) -> None:
        self._globs: tuple[str, ...] = tuple(dict.fromkeys(globs))

    def __getitem__(self, index: Any) -> Any:
        return self._globs[index]

    def __len__(self) -> int:
        return len(self._globs)

    def add(self, globs: Iterable[str]) -> None:
        """Name more paths."""
        self._globs = tuple(dict.fromkeys((*self._globs, *globs)))

    def learn(self, bodies: Iterable[Mapping[str, Any]], known: Collection[str]) -> None:
        """Name the paths at which one of the secret values `known` stands, alone or within a longer text.

        Secrets need no path, and what an object is called is not hidden.
        """
        values = sorted({value.strip() for value in tuple(known) if len(value.strip()) >= SHORTEST})
        if values:
            pattern = re.compile("|".join(map(re.escape, values)))
            self.add(path for body in bodies if not is_secret(body) for path in _paths(body, pattern, ""))


def sensitive_paths(snapshot: Mapping[str, Any]) -> tuple[str, ...]:
    """The globs that a recorded project calls sensitive, its apps' included."""
    found = list((snapshot.get("settings") or {}).get("sensitive") or ())
    for app in (snapshot.get("apps") or {}).values():
        found += (app.get("sensitive") or ()) if isinstance(app, Mapping) else ()
    return tuple(str(glob) for glob in found)


def _paths(value: Any, pattern: re.Pattern[str], path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _paths(below, pattern, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _paths(below, pattern, f"{path}.{index}")
    elif value is not None and path not in _IDENTITY and pattern.search(str(value)):
        yield _SPECIAL.sub(r"[\1]", path)
