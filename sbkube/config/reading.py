"""From the text of a project file to a `ProjectConfig`, step by step, gathering problems on the way."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sbkube.apps import APP_TYPES, NOT_YET_TYPES
from sbkube.apps.base import AppSpec
from sbkube.config.check import Path as Path_
from sbkube.config.check import build, dotted, unknown_keys
from sbkube.config.environment import expand
from sbkube.config.graph import Node, check_graph, collisions
from sbkube.config.model import ProjectConfig, Settings, StateSettings, TopLevel
from sbkube.errors import ConfigError, Place, Problem
from sbkube.sources.problems import did_you_mean, refuse_config
from sbkube.sources.yaml_reader import Document

_APP_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")


class Reading:
    """One project file being read."""

    def __init__(self, path: Path, document: Document, environ: Mapping[str, str], namespace: str | None) -> None:
        self._path = path
        self._environ = environ
        self._namespace = namespace
        self._problems: list[Problem] = []
        self._warnings: list[str] = []
        self._nodes: dict[str, Node] = {}
        self._document = document

    def project(self) -> ProjectConfig:
        """The checked project; raises ConfigError with all problems."""
        raw = self._raw()
        top = build(TopLevel, raw, self._document, (), self._problems)
        settings = self._settings(raw)
        apps = self._apps(raw, settings.namespace)
        check_graph(self._nodes, self._problems, self._warnings)
        self._problems += collisions(apps)
        name = self._name(raw)
        refuse_config(self._problems, self._document.file)
        if top is None:
            raise AssertionError("a file that does not fit its model has problems")
        return ProjectConfig(
            path=self._path,
            folder=self._path.parent,
            name=name or self._folder_name(),
            name_given=name is not None,
            metadata=top.metadata,
            settings=settings.model_copy(update={"sensitive": _all_sensitive(settings, apps)}),
            apps=apps,
            labels={**settings.global_labels, **top.global_labels},
            annotations={**settings.global_annotations, **top.global_annotations},
            warnings=tuple(self._warnings),
            document=self._document,
        )

    def _refuse(self, message: str, place: Place, hint: str | None = None) -> None:
        self._problems.append(Problem(message, place, hint))

    def _raw(self) -> dict[str, Any]:
        value = self._document.value
        if isinstance(value, dict):
            return value
        what = "is empty" if value is None else "is not a map"
        hint = 'begin with "apiVersion: sbkube/v1" and "apps:"; `sbkube init` in an empty folder shows the form'
        raise ConfigError(f"the project file {what}", place=self._document.place(), hint=hint)

    def _name(self, raw: Mapping[str, Any]) -> str | None:
        metadata = raw.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if name is None:
            return None
        place = self._document.place("metadata", "name")
        if not isinstance(name, str):
            self._refuse("metadata.name must be text", place, f'put it into quotes: "{name}"')
        elif not _fits_a_label(name):
            self._refuse("metadata.name has no letter (a-z) or digit", place, "it becomes a label of every object")
        return str(name)

    def _folder_name(self) -> str:
        name = self._path.resolve().parent.name
        return name if _fits_a_label(name) else "project"

    def _settings(self, raw: Mapping[str, Any]) -> Settings:
        given = raw.get("settings")
        if not isinstance(given, dict):
            given = {}
        expanded = expand(given, self._environ, self._document, ("settings",), self._problems)
        expanded = {key: value for key, value in expanded.items() if value != ""}
        if isinstance(expanded.get("state"), dict):
            found, bad = unknown_keys(expanded["state"], StateSettings, self._document, ("settings", "state"))
            self._problems += found
            expanded["state"] = {k: v for k, v in expanded["state"].items() if k not in bad and v}
        settings = build(Settings, expanded, self._document, ("settings",), self._problems) or Settings()
        changes: dict[str, Any] = {}
        if settings.kubeconfig is not None:
            changes["kubeconfig"] = self._path.parent / os.path.expanduser(settings.kubeconfig)  # noqa: PTH111
        if self._namespace is not None:
            changes["namespace"] = self._namespace
        return settings.model_copy(update=changes)

    def _apps(self, raw: Mapping[str, Any], namespace: str) -> dict[str, AppSpec]:
        apps: dict[str, AppSpec] = {}
        for name, path, content in self._entries(raw.get("apps")):
            if name in self._nodes:
                place = self._document.place(*path, "name")
                self._refuse(f'the app "{name}" is there twice', place, "names of apps must be unique")
                continue
            spec = self._app(name, path, content)
            if spec is not None:
                apps[name] = spec if spec.namespace else spec.resolved(namespace)
        return apps

    def _entries(self, given: Any) -> Iterator[tuple[str, Path_, Any]]:
        """Name, path in the file and content of every app, from either form."""
        if isinstance(given, dict):
            for name, content in given.items():
                yield name, ("apps", name), content
        elif isinstance(given, list):
            for index, content in enumerate(given):
                path: Path_ = ("apps", index)
                name = content.get("name") if isinstance(content, dict) else None
                if isinstance(name, str):
                    yield name, path, {k: v for k, v in content.items() if k != "name"}
                else:
                    hint = 'apps in a list want "name: …" and "type: …"'
                    self._refuse(f"{dotted(path)} has no name", self._document.place(*path), hint)

    def _app(self, name: str, path: Path_, content: Any) -> AppSpec | None:
        source = AppSource(self._document, path)
        self._nodes[name] = _node(content, source)
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
        return None if spec is None or problems else spec.located(name, source.below)

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
        elif given in NOT_YET_TYPES:
            message = f'{dotted(path)}: the type "{given}" is not supported by this version of sbkube'
            self._refuse(message, source.place(*path, "type"), f"supported: {known}")
        else:
            hint = did_you_mean(str(given), [*APP_TYPES, *NOT_YET_TYPES], noun="types")
            self._refuse(f'{dotted(path)}: there is no type "{given}"', source.place(*path, "type"), hint)
        return None


def _all_sensitive(settings: Settings, apps: Mapping[str, AppSpec]) -> tuple[str, ...]:
    """What an app calls sensitive is masked everywhere: too much hidden is better than too little."""
    everywhere = [*settings.sensitive, *(glob for app in apps.values() for glob in app.sensitive)]
    return tuple(dict.fromkeys(everywhere))


def _fits_a_label(name: str) -> bool:
    return any(c.isascii() and c.isalnum() for c in name)


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
