"""`migrate`: `config.yaml` and `sources.yaml` of the earlier format as one project file.

Nothing is guessed: what cannot be carried over, or means something else now, is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sbkube.config.model import API_VERSION
from sbkube.errors import ConfigError, Place
from sbkube.sources.yaml_reader import Document, read_file, read_one, shown

CONFIG, SOURCES = "config.yaml", "sources.yaml"
_TYPES = {
    "install-helm": "helm",
    "install-yaml": "yaml",
    "install-kubectl": "yaml",
    "install-kustomize": "kustomize",
    "install-action": "action",
    "pull-git": "git",
}
_REPOSITORIES = ("helm_repos", "oci_registries", "git_repos")
_CLUSTER = ("cluster", "kubeconfig", "kubeconfig_context", "http_proxy", "https_proxy", "no_proxy")
_CHARTS = (
    "cluster_values_file",
    "global_values",
    "incompatible_charts",
    "force_label_injection",
    "cleanup_metadata",
)
_SETTINGS = (*_CLUSTER, *_REPOSITORIES, *_CHARTS)
_TOP = ("deps", "hooks", "global_labels", "global_annotations")
_PULLS = ("pull-helm", "pull-helm-oci")


@dataclass(slots=True)
class Migrated:
    """The new file's content, and remarks: what was left out, and what a person should look at."""

    content: dict[str, Any]
    remarks: list[str] = field(default_factory=list)


def migrate(folder: Path, name: str = "") -> Migrated:
    """What the older files of a folder mean; raises ConfigError when there are none or they cannot be read."""
    config, sources = (_read(folder / file) for file in (CONFIG, SOURCES))
    if config is None:
        raise ConfigError(f"there is no {CONFIG} in {shown(folder)}", hint="name the folder that holds it")
    return _Migration(folder, config, sources, name).run()


def _read(path: Path) -> Document | None:
    if not path.is_file():
        return None
    document = read_one(read_file(path)[0], shown(path))
    if not isinstance(document.value, dict):
        raise ConfigError("is no map", place=Place(shown(path), 1))
    return document


class _Migration:
    def __init__(self, folder: Path, config: Document, sources: Document | None, name: str) -> None:
        self._folder = folder
        self._config = config
        self._sources = sources
        self._name = name or folder.resolve().name
        self._remarks: list[str] = []
        self._charts: dict[str, dict[str, Any]] = {}  # what older apps had pulled, by name and destination

    def run(self) -> Migrated:
        given = dict(self._config.value)
        settings = self._settings()
        if namespace := given.pop("namespace", None):
            settings["namespace"] = namespace
        content: dict[str, Any] = {"apiVersion": API_VERSION, "metadata": {"name": self._name}}
        if settings:
            content["settings"] = settings
        content |= {key: given.pop(key) for key in _TOP if key in given}
        content["apps"] = self._apps(given.pop("apps", None) or {})
        for key in given:
            self._left_out(self._config, key)
        return Migrated(content, self._remarks)

    def _left_out(self, document: Document, *path: str | int) -> None:
        place = document.place(*path, key=True)
        self._remarks.append(f'{place}: "{path[-1]}" was not carried over: the project file has nothing like it')

    def _settings(self) -> dict[str, Any]:
        if self._sources is None:
            return {}
        given = dict(self._sources.value)
        found = {key: given.pop(key) for key in _SETTINGS if key in given}
        for key in given:
            self._left_out(self._sources, key)
        return found

    # ---- apps

    def _apps(self, given: Any) -> dict[str, Any]:
        entries = self._entries(given)
        for name, content, _ in entries:
            if content.get("type") in _PULLS:
                self._pulled(name, content)
        apps: dict[str, Any] = {}
        for name, content, where in entries:
            app = self._app(name, content, where)
            if app is not None:
                apps[name] = app
        return apps

    def _entries(self, given: Any) -> list[tuple[str, dict[str, Any], Callable[..., Place]]]:
        found = []
        items = given.items() if isinstance(given, dict) else enumerate(given) if isinstance(given, list) else ()
        for step, content in items:
            if not isinstance(content, dict):
                continue
            name = str(content.get("name", step))
            specs = content.get("specs")
            flat = {
                **(specs if isinstance(specs, dict) else {}),
                **{k: v for k, v in content.items() if k != "specs"},
            }
            flat.pop("name", None)
            place = self._config.place
            found.append((name, flat, lambda *path, step=step, place=place: place("apps", step, *path)))
        return found

    def _pulled(self, name: str, content: Mapping[str, Any]) -> None:
        """A chart that an app of its own fetched: the app that installs it now names it itself."""
        repo, chart = content.get("repo"), content.get("chart", name)
        reference = f"{repo}/{chart}" if repo else str(chart)
        known = {
            "chart": reference,
            **{k: content[k] for k in ("version", "overrides", "removes") if k in content},
        }
        if "chart_version" in content:
            known["version"] = content["chart_version"]
        for key in (name, str(content.get("dest", "")), str(chart)):
            self._charts.setdefault(key, known)

    def _app(self, name: str, content: dict[str, Any], where: Callable[..., Place]) -> dict[str, Any] | None:
        kind = str(content.pop("type", ""))
        if kind in _PULLS:
            self._remarks.append(
                f"{where()}: {name}: pulling is no app any more; the app that installs it names it"
            )
            return None
        if kind == "copy-app":
            self._remarks.append(
                f"{where()}: {name}: copy-app was not carried over: name the files in the app that uses them, or "
                "copy them in a pre_build hook"
            )
            return None
        convert = {"helm": self._helm, "yaml": self._yaml, "action": self._action, "git": self._git}
        new = _TYPES.get(kind, kind)
        fields = convert[new](name, content, where) if new in convert else content
        return {"type": new, **fields}

    def _helm(self, name: str, content: dict[str, Any], where: Callable[..., Place]) -> dict[str, Any]:
        path = str(content.pop("path", "") or content.get("chart", "") or name)
        known = self._charts.get(path) or self._charts.get(path.rpartition("/")[2])
        fields: dict[str, Any] = dict(known) if known else {"chart": content.get("chart", path)}
        content.pop("chart", None)
        release = content.pop("release_name", content.pop("release", None))
        if release:
            fields["release_name"] = release
        if known is None and "/" not in str(fields["chart"]):
            remark = f'{name}: no app pulls the chart "{fields["chart"]}"; it is looked up in this folder'
            self._remarks.append(f"{where()}: {remark}")
        return {**fields, **content}

    def _yaml(self, name: str, content: dict[str, Any], where: Callable[..., Place]) -> dict[str, Any]:
        """A list of files, or of actions that all apply."""
        actions = content.pop("actions", None)
        if actions is None:
            files = content.pop("paths", content.pop("files", content.pop("manifests", None)))
            return {"manifests": files, **content} if files is not None else content
        kinds = {str(action.get("type", "apply")) for action in actions if isinstance(action, dict)}
        if kinds - {"apply", "create"}:
            self._remarks.append(f"{where()}: {name}: it does more than apply; see type action")
        return {"manifests": [a["path"] for a in actions if isinstance(a, dict) and "path" in a], **content}

    def _action(self, name: str, content: dict[str, Any], where: Callable[..., Place]) -> dict[str, Any]:
        return content

    def _git(self, name: str, content: dict[str, Any], where: Callable[..., Place]) -> dict[str, Any]:
        paths = content.pop("paths", None)
        if paths:
            used = f"${{repos.{content.get('repo', name)}}}/"
            self._remarks.append(
                f"{where('paths')}: {name}: nothing is copied any more: use {used}… in other apps"
            )
        return content
