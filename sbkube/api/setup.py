"""What needs no project: histories of a database, the sandbox, a new project, and `doctor`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbkube.api.project import Project
from sbkube.api.where import HERE, Where, sandbox, state_url
from sbkube.errors import ClusterForbidden, ConfigError, Problem, StateError, UsageError
from sbkube.models.deployment_state import DeploymentDetail, DeploymentRecord
from sbkube.models.resource import ResourceKey
from sbkube.ports import ClusterReader

if TYPE_CHECKING:
    from sbkube.state.tracker import DeploymentTracker


def history(url: str | None = None, **filters: Any) -> tuple[DeploymentRecord, ...]:
    """Deployments of all projects in a state database, newest first; needs neither project nor cluster."""
    ledger = _ledger(url)
    try:
        return tuple(ledger.list_deployments(**filters))
    finally:
        ledger.close()


def show(reference: str, url: str | None = None) -> DeploymentDetail:
    """One deployment by id or unambiguous prefix; needs neither project nor cluster."""
    ledger = _ledger(url)
    try:
        return ledger.detail(reference)
    finally:
        ledger.close()


def hidden_paths(records: Iterable[DeploymentRecord], url: str | None = None) -> tuple[str, ...]:
    """Globs of paths that these deployments, or the newest ones of their projects, call sensitive: what must not
    be shown of the objects that `show` gives."""
    from sbkube.api import hiding

    ledger = _ledger(url)
    try:
        return hiding.hidden_paths(ledger, records)
    finally:
        ledger.close()


def _ledger(url: str | None) -> DeploymentTracker:
    from sbkube.state.tracker import DeploymentTracker

    return DeploymentTracker(state_url(url, os.environ, None))


def schema(name: str = "") -> dict[str, Any]:
    """JSON Schema of the project file, or of the document `name` of `-o json`, such as `plan` or `error`.

    Raises UsageError for a name that there is not.
    """
    if not name:
        from sbkube.config.schema import json_schema

        return json_schema()
    folder = files("sbkube") / "data" / "schemas"
    known = sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))
    if name not in known:
        raise UsageError(f"there is no schema {name!r}", hint=f"one of {', '.join(known)}")
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return found


def init_project(folder: str | Path, name: str | None = None, template: str = "minimal") -> list[Path]:
    """Write a small project to start from; raises UsageError rather than overwrite anything."""
    from sbkube.config.starter import starter_files

    root = Path(folder)
    return _write_new(root, starter_files(name or root.resolve().name, template))


def inherit_project(
    folder: str | Path, namespace: str, name: str | None = None, where: Where = HERE
) -> tuple[list[Path], list[str]]:
    """Write a project for what a namespace of a cluster holds, and give remarks.

    Raises UsageError rather than overwrite anything, and where there is no such namespace, or nothing in it that
    a project could take over; SurroundingsError when the cluster cannot be read.
    """
    from sbkube.api.opening import before_any_write
    from sbkube.config.starter import named
    from sbkube.edges import cluster, helm, kubeconfig
    from sbkube.edges.access import minimal
    from sbkube.engine.inherit import inherit
    from sbkube.report.yaml_text import dump, dump_all

    root = Path(folder)
    path = str(sandbox(root).up()) if where.sandbox else where.kubeconfig
    access = kubeconfig.load(path, where.context, os.environ)
    http = cluster.connect(access)
    try:
        with before_any_write():
            port = helm.choose(minimal(access), prefer=None, environ=os.environ, cluster=http)
            there = _is_there(http, namespace)
            found = inherit(http, port, namespace, named(name or namespace)[0]) if there else None
    finally:
        http.close()
    if found is None:
        raise UsageError(f"there is no namespace {namespace} on this cluster", hint="kubectl get namespaces")
    if not found.project["apps"]:
        text = f"namespace {namespace} holds nothing that could be taken over"
        raise UsageError(text, hint="objects of a project of sbkube belong to that one")
    contents = {"sbkube.yaml": dump(found.project)}
    contents |= {file: dump_all(c) if isinstance(c, list) else dump(c) for file, c in found.files.items()}
    return _write_new(root, contents), found.remarks


def _is_there(cluster: ClusterReader, namespace: str) -> bool:
    try:
        return cluster.get(ResourceKey("", "v1", "Namespace", "", namespace)) is not None
    except ClusterForbidden:  # who may not look at the namespace may still look into it
        return True


def _write_new(root: Path, contents: Mapping[str, str]) -> list[Path]:
    if existing := [f for f in contents if (root / f).exists()]:
        raise UsageError(f"{root / existing[0]} exists already", hint="choose an empty folder")
    for relative, text in contents.items():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [root / f for f in contents]


def migrate_project(folder: str | Path, name: str | None = None, *, write: bool = True) -> tuple[str, list[str]]:
    """The project file that the older `config.yaml` and `sources.yaml` of a folder mean, and remarks about it.

    It is written beside them unless `write` is False. Raises UsageError rather than overwrite one.
    """
    from sbkube.config.load import FILE_NAME
    from sbkube.config.migrate import migrate
    from sbkube.config.reading import Reading
    from sbkube.report.yaml_text import dump
    from sbkube.sources.yaml_reader import read_one

    target = Path(folder) / FILE_NAME
    if write and target.exists():
        raise UsageError(f"{target} exists already", hint="move it away, or look with --dry-run")
    found = migrate(Path(folder), name or "")
    text = dump(found.content)
    try:
        Reading(target, read_one(text, FILE_NAME), os.environ, None).project()
    except ConfigError as error:
        problems = error.problems or (Problem(error.message, error.place, error.hint),)
        found.remarks += [f"to be put right in {FILE_NAME}: {problem}" for problem in problems]
    if write:
        target.write_text(text, "utf-8")
    return text, found.remarks


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that `doctor` looked at."""

    name: str
    ok: bool
    text: str
    hint: str = ""


def doctor(project: Project | None = None, where: Where = HERE) -> tuple[Check, ...]:
    """Look at everything that a deployment needs, one check each; nothing is raised and nothing written."""
    from sbkube.edges.doctor import examine

    settings = project.config.settings if project else None
    kubeconfig = where.kubeconfig or (str(settings.kubeconfig) if settings and settings.kubeconfig else None)
    if where.sandbox:
        kubeconfig = str(sandbox(project.config.folder if project else ".").up())
    context = where.context or (settings.kubeconfig_context if settings else None)
    checks = [Check(*found) for found in examine(kubeconfig, context, os.environ)]
    return (*checks, _state_check(where, settings.state_url if settings else None))


def _state_check(where: Where, setting: str | None) -> Check:
    from sbkube.state.tracker import DeploymentTracker

    try:
        ledger = DeploymentTracker(state_url(where.state_url, os.environ, setting))
        text = ledger.describe()
        ledger.close()
    except StateError as error:
        return Check("state", False, str(error), error.hint or "")
    return Check("state", True, text)
