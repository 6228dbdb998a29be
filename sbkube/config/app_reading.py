"""The apps of one file or phase: from either form, with aliases and older spellings, to checked specs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sbkube.apps import APP_TYPES
from sbkube.apps.base import AppSpec
from sbkube.config.check import Path as Path_
from sbkube.config.check import build, dotted
from sbkube.config.graph import Node
from sbkube.errors import Place, Problem
from sbkube.sources.problems import did_you_mean
from sbkube.sources.yaml_reader import Document

_APP_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")


class AppsReading:
    """Apps below `path` of a document, in a phase ("" for the project's own). `nodes` are all of them by their
    names in the file, however wrong."""

    def __init__(
        self, document: Document, path: Path_, phase: str, problems: list[Problem], warnings: list[str]
    ) -> None:
        self._document = document
        self._path = path
        self._phase = phase
        self._problems = problems
        self._warnings = warnings
        self.nodes: dict[str, Node] = {}

    def _refuse(self, message: str, place: Place, hint: str | None = None) -> None:
        self._problems.append(Problem(message, place, hint))

    def read(self, given: Any, namespace: str) -> dict[str, AppSpec]:
        """The apps by their names in the project, with the namespace of those that name none."""
        apps: dict[str, AppSpec] = {}
        for name, path, content in self._entries(given):
            if name in self.nodes:
                place = self._document.place(*path, "name")
                self._refuse(f'the app "{name}" is there twice', place, "names of apps must be unique")
                continue
            spec = self._app(name, path, content)
            if spec is not None:
                apps[spec.name] = spec if spec.namespace else spec.resolved(namespace)
        return apps

    def _entries(self, given: Any) -> Iterator[tuple[str, Path_, Any]]:
        """Name, path in the file and content of every app, from either form."""
        if isinstance(given, dict):
            for name, content in given.items():
                yield name, (*self._path, "apps", name), content
        elif isinstance(given, list):
            for index, content in enumerate(given):
                path: Path_ = (*self._path, "apps", index)
                name = content.get("name") if isinstance(content, dict) else None
                if isinstance(name, str):
                    yield name, path, {k: v for k, v in content.items() if k != "name"}
                else:
                    hint = 'apps in a list want "name: …" and "type: …"'
                    self._refuse(f"{dotted(path)} has no name", self._document.place(*path), hint)

    def _app(self, name: str, path: Path_, content: Any) -> AppSpec | None:
        source = AppSource(self._document, path)
        self.nodes[name] = _node(content, source)
        if name in ("true", "false"):
            hint = "YAML reads y, n, yes, no, on and off as booleans: put the name into quotes"
            self._refuse(f'"{name}" is no name for an app', source.place(*path, key=True), hint)
            return None
        if _APP_NAME.fullmatch(name) is None:
            hint = "lower-case letters, digits, - and _, at most 63, with a letter or digit at both ends"
            self._refuse(f'"{name}" is no name for an app', source.place(*path, key=True), hint)
            return None
        if not isinstance(content, dict):
            what = "is empty" if content is None else "must be a map"
            self._refuse(f"{dotted(path)} {what}", source.place(*path), f"type: {', '.join(sorted(APP_TYPES))}")
            return None
        content = self._unwrapped(name, path, content)
        app_type = self._type(content, path, source)
        if app_type is None:
            return None
        problems: list[Problem] = []
        spec = build(APP_TYPES[app_type].spec, content, source, path, problems)
        self._problems += problems
        if spec is None or problems:
            return None
        others = tuple(self._full(other) for other in spec.depends_on)
        return spec.model_copy(update={"depends_on": others}).located(self._full(name), source.below)

    def _full(self, name: str) -> str:
        return f"{self._phase}/{name}" if self._phase else name

    def _unwrapped(self, name: str, path: Path_, content: dict[str, Any]) -> dict[str, Any]:
        inner = content.get("specs")
        if not isinstance(inner, dict):
            return content
        place = self._document.place(*path, "specs", key=True)
        self._warnings.append(f'{place}: "specs" around the fields of app {name} is an older spelling: remove it')
        outer = {k: v for k, v in content.items() if k != "specs"}
        for key in inner.keys() & outer.keys():
            message = f"{dotted((*path, key))} is given twice, inside and outside of specs"
            self._refuse(message, self._document.place(*path, "specs", key, key=True), "remove one of the two")
        return {**inner, **outer}

    def _type(self, content: Mapping[str, Any], path: Path_, source: AppSource) -> str | None:
        given = content.get("type")
        known = ", ".join(sorted(APP_TYPES))
        if isinstance(given, str) and given in APP_TYPES:
            return given
        if given is None:
            self._refuse(f"{dotted(path)}.type is missing", source.place(*path, key=True), f"types: {known}")
        else:
            hint = did_you_mean(str(given), [*APP_TYPES], noun="types")
            self._refuse(f'{dotted(path)}: there is no type "{given}"', source.place(*path, "type"), hint)
        return None


def _node(content: Any, source: AppSource) -> Node:
    """What an app depends on, however wrong the rest of it may be."""
    fields = content if isinstance(content, dict) else {}
    inner = fields.get("specs")
    fields = {**inner, **fields} if isinstance(inner, dict) else fields
    others = fields.get("depends_on")
    names = tuple(map(str, others)) if isinstance(others, list) else ()
    return Node(names, fields.get("enabled") is not False, lambda index: source.below("depends_on", index))


class AppSource:
    """Places of one app; fields inside of an older `specs` are found there."""

    def __init__(self, document: Document, path: Path_) -> None:
        self._document = document
        self._path = path
        content = document.at(*path)
        inner = content.get("specs") if isinstance(content, dict) else None
        self._inner = frozenset(inner) if isinstance(inner, dict) else frozenset[str]()

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Place of a path of the file."""
        depth = len(self._path)
        if len(path) > depth and path[depth] in self._inner:
            path = (*path[:depth], "specs", *path[depth:])
        return self._document.place(*path, key=key)

    def below(self, *path: str | int, key: bool = False) -> Place:
        """Place of a path of the app."""
        return self.place(*self._path, *path, key=key)
