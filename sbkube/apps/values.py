"""Values of Helm apps: files, inline maps and single settings, merged as Helm does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any

from sbkube.apps.base import MASKED, RenderContext
from sbkube.apps.bases import base_of
from sbkube.apps.encrypted import plain, read_text
from sbkube.apps.set_values import SetSyntaxError, put, set_into
from sbkube.errors import ConfigError, Place, Problem
from sbkube.sources.problems import did_you_mean
from sbkube.sources.yaml_reader import read_one, shown


class Values:
    """Values as they come together; `problems` gathers files that are missing or broken."""

    def __init__(self, context: RenderContext, sources: dict[str, str]) -> None:
        """`sources` receives each file's digest."""
        self._context = context
        self._sources = sources
        self.merged: dict[str, Any] = {}
        self.problems: list[Problem] = []

    def add(self, item: str | Mapping[str, Any], place: Place | None) -> None:
        """A file or an inline map on top of what is there."""
        self.merged = merge(self.merged, self._file(item, place) if isinstance(item, str) else item)

    def set(self, given: Mapping[str, Any] | tuple[str, ...], where: Callable[[str | int], Place | None]) -> None:
        """Single settings: paths with values, or texts in the syntax of Helm's --set."""
        self.merged = deepcopy(self.merged)
        steps: Iterable[tuple[str | int, Any]] = given.items() if isinstance(given, Mapping) else enumerate(given)
        for step, value in steps:
            try:
                if isinstance(step, str):
                    put(self.merged, step, value)
                else:
                    set_into(self.merged, value)
            except SetSyntaxError as error:
                self.problems.append(Problem(f"set_values: {error}", where(step)))

    def _file(self, name: str, place: Place | None) -> dict[str, Any]:
        base = base_of(name, self._context, place)
        path = base.target
        if not path.is_file():
            names = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
            looked_up = f"it is looked up in {base.folder}"
            hint = did_you_mean(path.name, names, noun="files there") if names else looked_up
            self.problems.append(Problem(f'the values file "{name}" does not exist', place, hint))
            return {}
        try:
            text, self._sources[base.name(path)] = read_text(path, self._context)
            document = plain(read_one(text, shown(path)), path, self._context)
        except ConfigError as error:
            self.problems += error.problems or (Problem(error.message, error.place, error.hint),)
            return {}
        if document.value is None or isinstance(document.value, dict):
            return document.value or {}
        self.problems.append(Problem("values must be a map", document.place()))
        return {}


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Helm's merge of values: maps deeply, everything else (null too) is replaced."""
    result = dict(below)
    for key, value in above.items():
        present = result.get(key)
        both = isinstance(present, Mapping) and isinstance(value, Mapping)
        result[key] = merge(present, value) if both else value  # type: ignore[arg-type]
    return result


def masked(value: Any) -> Any:
    """The shape of values, with nothing of what they are."""
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return MASKED
