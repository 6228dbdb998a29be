"""Charts: which folder or archive a reference means, what is in its Chart.yaml, and its digest."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sbkube.apps.base import RenderContext
from sbkube.apps.bases import base_of
from sbkube.errors import ConfigError, Place, RenderError
from sbkube.sources.catalogue import Fetched
from sbkube.sources.problems import did_you_mean
from sbkube.sources.trees import tree_digest
from sbkube.sources.yaml_reader import decode, digest, read_file, read_one, shown

ARCHIVES = (".tgz", ".tar.gz")


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that is here: `path` is a folder or an archive; `source` names it in records."""

    path: Path
    name: str
    version: str
    app_version: str
    digest: str
    source: str = ""


def find_chart(reference: str, wanted: str, context: RenderContext, place: Place | None) -> Chart:
    """The chart that an app names: a folder or archive of the project, else one from a repository or registry.

    Raises RenderError or SourceUnavailable at `place`.
    """
    if _is_remote(reference, context):
        return fetched_chart(context.catalogue.chart(reference, wanted, place), place)
    base = base_of(reference, context, place)
    chart = load_chart(base.path, base.folder, place)
    return replace(chart, source=base.name(chart.path))


def _is_remote(reference: str, context: RenderContext) -> bool:
    if reference.startswith(("oci://", "https://", "http://")):
        return True
    if reference.startswith((".", "/", "${")) or "/" not in reference:
        return False
    return context.catalogue.knows(reference.partition("/")[0]) or not (context.folder / reference).exists()


def fetched_chart(fetched: Fetched, place: Place | None) -> Chart:
    """A chart that was downloaded."""
    try:
        return _described(_from_archive(fetched.path, place), fetched.path, fetched.digest, fetched.name)
    except OSError as error:
        raise RenderError(f"{fetched.name} cannot be read: {error}", place=place) from error


def load_chart(reference: str, folder: Path, place: Place | None) -> Chart:
    """The chart that `reference` names, relative to `folder`; raises RenderError at `place` if there is none."""
    path = folder / reference
    try:
        if not path.exists():
            raise _missing(reference, path, folder, place)
        return _loaded(reference, path, place)
    except OSError as error:
        raise RenderError(f'the chart "{reference}" cannot be read: {error}', place=place) from error


def _loaded(reference: str, path: Path, place: Place | None) -> Chart:
    if path.is_dir():
        content, found = _from_folder(reference, path, place), tree_digest(path)
    elif path.name.endswith(ARCHIVES):
        content, found = _from_archive(path, place), digest(path.read_bytes())
    else:
        raise RenderError(f'"{reference}" is neither a chart folder nor a .tgz', place=place)
    return _described(content, path, found, "")


def _described(content: dict[str, Any], path: Path, found: str, source: str) -> Chart:
    name, version = content.get("name"), content.get("version")
    if not isinstance(name, str) or not isinstance(version, str | int | float):
        raise RenderError("Chart.yaml has no name or no version", place=Place(shown(path / "Chart.yaml")))
    app_version = content.get("appVersion")
    return Chart(path, name, str(version), "" if app_version is None else str(app_version), found, source)


def _missing(reference: str, path: Path, folder: Path, place: Place | None) -> RenderError:
    near = [p.name for p in path.parent.iterdir() if _is_chart(p)] if path.parent.is_dir() else []
    if near:
        return RenderError(
            f'there is no chart at "{reference}"',
            place=place,
            hint=did_you_mean(path.name, near, noun="charts there"),
        )
    return RenderError(f'there is no chart at "{reference}"', place=place, hint=f"it is looked up in {folder}")


def _is_chart(path: Path) -> bool:
    return (path / "Chart.yaml").is_file() or path.name.endswith(ARCHIVES)


def _from_folder(reference: str, path: Path, place: Place | None) -> dict[str, Any]:
    file = path / "Chart.yaml"
    if not file.is_file():
        raise RenderError(f'"{reference}" holds no Chart.yaml, so it is no chart', place=place)
    text, _ = read_file(file)
    return _metadata(text, shown(file))


def _from_archive(path: Path, place: Place | None) -> dict[str, Any]:
    try:
        with tarfile.open(path) as archive:
            names = [n for n in archive.getnames() if n.count("/") == 1 and n.endswith("/Chart.yaml")]
            member = archive.extractfile(names[0]) if names else None
            content = member.read() if member else b""
    except (OSError, tarfile.TarError, EOFError) as error:
        raise RenderError(f"the chart archive cannot be read: {error}", place=place) from error
    if not content:
        raise RenderError(f'"{path.name}" holds no Chart.yaml, so it is no chart', place=place)
    file = f"{shown(path)}!{names[0]}"
    return _metadata(decode(content, file), file)


def _metadata(text: str, file: str) -> dict[str, Any]:
    try:
        value = read_one(text, file).value
    except ConfigError as error:
        raise RenderError(error.message, problems=error.problems, place=error.place, hint=error.hint) from None
    if not isinstance(value, dict):
        raise RenderError("is no map", place=Place(file))
    return value
