"""From the text of a project file to a `ProjectConfig`, step by step, gathering problems on the way.

A project is a tree of levels: the file itself, its phases, and the files that these name. Each level hands its
settings down; the apps of all of them are the apps of the project.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from sbkube.apps.base import AppSpec
from sbkube.apps.hooks import ProjectHooks
from sbkube.config import family, older
from sbkube.config.app_reading import AppsReading
from sbkube.config.check import Path as Path_
from sbkube.config.check import build, dotted, unknown_keys
from sbkube.config.environment import expand
from sbkube.config.environments import read_layers_if_any
from sbkube.config.graph import Node, check_graph, collisions
from sbkube.config.inheritance import inherited, moved
from sbkube.config.load import FILE_NAME
from sbkube.config.model import Child, PhaseKeys, ProjectConfig, Scope, Settings, StateSettings, TopLevel
from sbkube.config.naming import fits_a_label
from sbkube.errors import ConfigError, Place, Problem
from sbkube.sources.problems import refuse_config
from sbkube.sources.yaml_reader import Document, shown

_PHASE_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_DEEPEST = 8
# What one project has one of.
_OF_THE_PROJECT = ("kubeconfig", "kubeconfig_context", "cluster", "state", "environment")


@dataclass(frozen=True, slots=True)
class Level:
    """One file or phase: where its keys are, and what it inherits."""

    document: Document
    file: Path
    path: Path_ = ()
    phase: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True
    files: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """What its paths are relative to."""
        return self.file.parent

    def inner(self, name: str) -> str:
        """The full name of a phase of this level."""
        return f"{self.phase}/{name}" if self.phase else name


class Reading:
    """One project being read."""

    def __init__(
        self,
        path: Path,
        document: Document,
        environ: Mapping[str, str],
        namespace: str | None,
        environment: str | None = None,
    ) -> None:
        self._root = Level(document, path, files=(path.resolve(),))
        self._environ = environ
        self._namespace = namespace
        self._environment = environment
        self._problems: list[Problem] = []
        self._warnings: list[str] = []
        self._apps: dict[str, AppSpec] = {}
        self._scopes: dict[str, Scope] = {}
        self._deps: list[str] = []
        self._hooks: dict[str, ProjectHooks] = {}
        self._children: dict[str, Child] = {}
        self._repositories: dict[tuple[str, str], str] = {}

    def project(self) -> ProjectConfig:
        """The checked project; raises ConfigError with all problems."""
        root = self._root
        raw = _map(root.document)
        top = self._file(root, raw)
        name = self._name(raw)
        self._problems += collisions(self._apps)
        refuse_config(self._problems, root.document.file)
        if top is None:
            raise AssertionError("a file that does not fit its model has problems")
        settings = self._scopes[""].settings
        own = (name or self._folder_name(), settings.namespace)
        refuse_config(family.namesakes(own, self._children.values()), root.document.file)
        return ProjectConfig(
            path=root.file,
            folder=root.folder,
            name=name or self._folder_name(),
            name_given=name is not None,
            metadata=top.metadata,
            settings=settings.model_copy(update={"sensitive": self._sensitive()}),
            apps=self._apps,
            scopes=self._scopes,
            deps=tuple(dict.fromkeys(self._deps)),
            hooks=self._hooks,
            children=tuple(self._children.values()),
            warnings=tuple(self._warnings),
            document=root.document,
        )

    def _refuse(self, message: str, place: Place, hint: str | None = None) -> None:
        self._problems.append(Problem(message, place, hint))

    def _name(self, raw: Mapping[str, Any]) -> str | None:
        metadata = raw.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if name is None:
            return None
        place = self._root.document.place("metadata", "name")
        if not isinstance(name, str):
            hint = f'put it into quotes: "{name}"'
            if isinstance(name, bool):
                hint = "put it into quotes: YAML reads y, n, yes, no, on, off, true and false as booleans"
            self._refuse("metadata.name must be text", place, hint)
        elif not fits_a_label(name):
            self._refuse("metadata.name has no letter (a-z) or digit", place, "it becomes a label of every object")
        return str(name)

    def _folder_name(self) -> str:
        name = self._root.file.resolve().parent.name
        return name if fits_a_label(name) else "project"

    def _sensitive(self) -> tuple[str, ...]:
        """What an app or phase calls sensitive is masked everywhere: too much hidden is better than too little."""
        everywhere = [glob for scope in self._scopes.values() for glob in scope.settings.sensitive]
        everywhere += [glob for app in self._apps.values() for glob in app.sensitive]
        return tuple(dict.fromkeys(everywhere))

    # ---- levels

    def _file(self, level: Level, raw: Mapping[str, Any]) -> TopLevel | None:
        """A whole file: the project's, or one that a phase names."""
        raw = older.modern(raw, level.document, self._problems, self._warnings)
        top = build(TopLevel, raw, level.document, (), self._problems)
        level = self._with_settings(level, raw.get("settings"))
        if top is not None:
            level = replace(
                level,
                labels={**level.labels, **top.global_labels},
                annotations={**level.annotations, **top.global_annotations},
            )
            self._deps += top.deps
            self._hooks[level.phase] = top.hooks
        settings = self._scope(level)
        phases_first = settings.execution_order == "phases_first"
        if phases_first:
            self._phases(level, raw, top)
        self._own_apps(level, raw.get("apps"))
        if not phases_first:
            self._phases(level, raw, top)
        return top

    def _with_settings(self, level: Level, given: Any) -> Level:
        """A level with its own settings on top of those that it inherits."""
        path = (*level.path, "settings")
        given = given if isinstance(given, dict) else {}
        own = expand(given, self._environ, level.document, path, self._problems)
        own = {key: value for key, value in own.items() if value not in ("", None)}
        if isinstance(own.get("state"), dict):
            found, bad = unknown_keys(own["state"], StateSettings, level.document, (*path, "state"))
            self._problems += found
            own["state"] = {k: v for k, v in own["state"].items() if k not in bad and v not in (None, "")}
        if build(Settings, own, level.document, path, self._problems) is None:
            own = {}
        for key in _OF_THE_PROJECT if level.phase else ():
            if key in own and own[key] != level.settings.get(key):
                message = f"{dotted((*path, key))} is a matter of the whole project"
                hint = "set it in the project's own file, or deploy this file by itself"
                self._refuse(message, level.document.place(*path, key, key=True), hint)
        self._check_repositories(own, level, path)
        if not level.phase and self._namespace is not None:
            own["namespace"] = self._namespace
        own.setdefault("cluster_values_file", [])
        if isinstance(own["cluster_values_file"], str):
            own["cluster_values_file"] = [own["cluster_values_file"]]
        return replace(level, settings=inherited(level.settings, own))

    def _check_repositories(self, own: Mapping[str, Any], level: Level, path: Path_) -> None:
        """A name means one repository in the whole project."""
        for kind in ("helm_repos", "oci_registries", "git_repos"):
            for name, content in (own.get(kind) or {}).items():
                url = content.get("url", content.get("registry", "")) if isinstance(content, dict) else content
                if self._repositories.setdefault((kind, name), str(url)) != str(url):
                    message = f"{dotted((*path, kind, name))} is another repository elsewhere in the project"
                    place = level.document.place(*path, kind, name, key=True)
                    self._refuse(message, place, "give one of them another name")

    def _scope(self, level: Level) -> Settings:
        """Take note of what the apps of a level share."""
        known = {key: value for key, value in level.settings.items() if key in Settings.model_fields}
        settings = Settings.model_validate(known)
        if settings.kubeconfig is not None:
            file = self._root.folder / os.path.expanduser(settings.kubeconfig)  # noqa: PTH111
            settings = settings.model_copy(update={"kubeconfig": file})
        path = (*level.path, "settings")
        place, values = level.document.place, self._values_files(level, path, settings.cluster_values_file)
        self._scopes[level.phase] = Scope(
            phase=level.phase,
            folder=level.folder,
            settings=settings,
            labels={**settings.global_labels, **level.labels},
            annotations={**settings.global_annotations, **level.annotations},
            values=(*values, (settings.global_values, place(*path, "global_values"))),
        )
        return settings

    @staticmethod
    def _values_files(level: Level, path: Path_, names: Sequence[str]) -> list[tuple[str, Place]]:
        """With the places where they are named; for inherited ones that is the settings as a whole."""
        given = level.document.at(*path, "cluster_values_file")
        own = given if isinstance(given, list) else [given]
        step = [own.index(name) if name in own else None for name in names]
        key = (*path, "cluster_values_file")
        place = level.document.place
        return [(n, place(*path) if i is None else place(*key, i)) for n, i in zip(names, step, strict=True)]

    def _own_apps(self, level: Level, given: Any) -> None:
        reading = AppsReading(level.document, level.path, level.phase, self._problems, self._warnings)
        apps = reading.read(given, self._scopes[level.phase].settings.namespace)
        check_graph(reading.nodes, self._problems, self._warnings)
        if not level.enabled:
            apps = {name: app.model_copy(update={"enabled": False}) for name, app in apps.items()}
        self._apps |= apps

    # ---- phases

    def _phases(self, level: Level, raw: Mapping[str, Any], top: TopLevel | None) -> None:
        given = raw.get("phases")
        nodes: dict[str, Node] = {}
        for name, content in given.items() if isinstance(given, dict) else ():
            keys = self._phase_keys(level, str(name), content)
            nodes[str(name)] = _node(content, level.document, str(name))
            if keys is not None:
                self._phase(level, str(name), keys)
        for index, folder in enumerate(top.app_dirs if top else ()):
            name, place = Path(folder).name, level.document.place("app_dirs", index)
            if name in nodes:
                self._refuse(f'there is a phase "{name}" already', place, "rename the folder or the phase")
            elif self._may_be_called(name, place):
                nodes[name] = Node((), True, partial(level.document.place, "app_dirs"))
                inner = replace(level, phase=level.inner(name), path=())
                self._source(inner, folder, place)
        before = len(self._problems)
        check_graph(nodes, self._problems, self._warnings, noun="phase")
        if len(self._problems) == before:
            self._link(level, nodes)

    def _may_be_called(self, name: str, place: Place) -> bool:
        if _PHASE_NAME.fullmatch(name) is None or name in ("true", "false"):
            hint = "lower-case letters, digits, - and _, at most 63, with a letter or digit at both ends"
            self._refuse(f'"{name}" is no name for a phase', place, hint)
            return False
        return True

    def _phase_keys(self, level: Level, name: str, content: Any) -> PhaseKeys | None:
        path: Path_ = ("phases", name)
        place = level.document.place(*path, key=True)
        if not self._may_be_called(name, place):
            return None
        if not isinstance(content, dict):
            self._refuse(f"{dotted(path)} must be a map", place, "with apps, or with source")
            return None
        keys = build(PhaseKeys, content, level.document, path, self._problems)
        if keys is not None and (keys.source is None) is (keys.apps is None):
            problem = "has neither source nor apps" if keys.apps is None else "has both source and apps"
            self._refuse(f"{dotted(path)} {problem}", place, "give it one of the two")
            return None
        return keys

    def _phase(self, level: Level, name: str, keys: PhaseKeys) -> None:
        inner = replace(
            level, path=("phases", name), phase=level.inner(name), enabled=level.enabled and keys.enabled
        )
        settings = dict(keys.settings)
        if keys.on_failure:
            settings["on_failure"] = keys.on_failure
        inner = self._with_settings(inner, settings)
        if keys.source is None:
            self._scope(inner)
            self._own_apps(inner, keys.apps)
        else:
            self._source(inner, keys.source, level.document.place("phases", name, "source"))

    def _source(self, level: Level, source: str, place: Place) -> None:
        """Another project file, which becomes part of this project."""
        file = level.folder / os.path.expanduser(source)  # noqa: PTH111
        file = file / FILE_NAME if file.is_dir() else file
        if not file.is_file():
            self._refuse(f"{shown(file)} does not exist", place, "paths are relative to the file that names them")
        elif file.resolve() in level.files:
            names = " → ".join(
                shown(f) for f in (*level.files[level.files.index(file.resolve()) :], file.resolve())
            )
            self._refuse(f"project files name each other in a circle: {names}", place, "remove one source")
        elif len(level.files) > _DEEPEST:
            self._refuse(f"files are nested more than {_DEEPEST} deep", place, "name this one further up")
        else:
            self._read_source(level, file, place)

    def _read_source(self, level: Level, file: Path, place: Place) -> None:
        try:
            document = read_layers_if_any(file, self._environment)
            raw = _map(document)
        except ConfigError as error:
            self._problems += error.problems or (Problem(error.message, error.place, error.hint),)
            return
        name = raw["metadata"].get("name") if isinstance(raw.get("metadata"), dict) else None
        inner = replace(
            level,
            document=document,
            file=file,
            path=(),
            settings=moved(level.settings, level.folder, file.parent),
            files=(*level.files, file.resolve()),
        )
        if name is None:
            self._file(inner, raw)
        elif level.enabled:
            self._child(inner)

    def _child(self, level: Level) -> None:
        """A file with a name is a project of its own: it inherits settings, and has its own record and lock."""
        reading = Reading(level.file, level.document, self._environ, None, self._environment)
        reading._root = replace(level, phase="")
        try:
            self._children[level.phase] = Child(level.phase, reading.project())
        except ConfigError as error:
            self._problems += error.problems or (Problem(error.message, error.place, error.hint),)

    def _link(self, level: Level, nodes: Mapping[str, Node]) -> None:
        """Apps of a phase depend on the last ones of the phases that it depends on."""
        self._problems += family.place(self._children, level.phase, nodes, level.document)
        for name, node in nodes.items():
            full = level.inner(name)
            if full in self._scopes:
                self._scopes[full] = replace(self._scopes[full], depends_on=node.depends_on)
            if full in self._children:
                self._children[full] = replace(self._children[full], depends_on=node.depends_on)
            before = tuple(
                dict.fromkeys(app for other in node.depends_on for app in self._ends(level, other, nodes))
            )
            mine = f"{level.inner(name)}/"
            for full, app in list(self._apps.items()):
                if before and full.startswith(mine) and not any(d.startswith(mine) for d in app.depends_on):
                    self._apps[full] = app.model_copy(update={"depends_on": (*app.depends_on, *before)})

    def _ends(self, level: Level, name: str, nodes: Mapping[str, Node]) -> Iterator[str]:
        """Enabled apps of a phase on which no other of it depends; of one without apps, those it comes after."""
        mine = f"{level.inner(name)}/"
        apps = {full: app for full, app in self._apps.items() if full.startswith(mine) and app.enabled}
        needed = {other for app in apps.values() for other in app.depends_on}
        yield from (full for full in apps if full not in needed)
        if not apps:
            for other in nodes[name].depends_on:
                yield from self._ends(level, other, nodes)


def _map(document: Document) -> dict[str, Any]:
    value = document.value
    if isinstance(value, dict):
        return value
    what = "is empty" if value is None else "is not a map"
    hint = 'begin with "apiVersion: sbkube/v1" and "apps:"; `sbkube init` in an empty folder shows the form'
    raise ConfigError(f"the project file {what}", place=document.place(), hint=hint)


def _node(content: Any, document: Document, name: str) -> Node:
    """What a phase depends on, however wrong the rest of it may be."""
    fields = content if isinstance(content, dict) else {}
    others = fields.get("depends_on")
    names = tuple(map(str, others)) if isinstance(others, list) else ()
    enabled = fields.get("enabled") is not False
    return Node(names, enabled, lambda index: document.place("phases", name, "depends_on", index))
