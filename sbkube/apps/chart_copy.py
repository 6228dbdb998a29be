"""A chart with files replaced, added or dropped, and with its dependencies: always a copy, never the chart itself.

Copies are kept by their digest below `.sbkube/build/`, because Helm reads them again when the plan is executed.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sbkube.apps.base import RenderContext
from sbkube.apps.charts import Chart
from sbkube.errors import Place, Problem, RenderError
from sbkube.sources.archive import unpack
from sbkube.sources.cache import put_in_place
from sbkube.sources.problems import refusal
from sbkube.sources.trees import tree_digest
from sbkube.sources.yaml_reader import read_file, read_one, shown

_DAY = 24 * 3600.0  # seconds that a copy nobody uses any more is kept


@dataclass(frozen=True, slots=True)
class Alterations:
    """What an app wants different in its chart: patterns relative to the chart, with their places."""

    app: str
    overrides: Sequence[tuple[str, Place | None]] = ()
    removes: Sequence[tuple[str, Place | None]] = ()


def altered(chart: Chart, wanted: Alterations, context: RenderContext, warnings: list[str]) -> Chart:
    """The chart as the app wants it; the chart itself if nothing has to change.

    A pattern that matches nothing is a warning. Raises RenderError for patterns that lead out of the chart and for
    dependencies that are wrong, SourceUnavailable for those that cannot be fetched.
    """
    missing = _missing(chart) if chart.path.is_dir() else []
    if not (wanted.overrides or wanted.removes or missing):
        return chart
    place = context.folder / ".sbkube" / "build" / wanted.app
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = Path(tempfile.mkdtemp(prefix=".part-", dir=place))
    try:
        copy = work / chart.name
        _copied(chart, copy)
        _remove(copy, wanted, warnings)
        _override(copy, wanted, context, warnings)
        for dependency in missing:
            _add(dependency, chart, copy, context)
        digest = tree_digest(copy)
        final = place / digest.removeprefix("sha256:")[:16]
        put_in_place(work, final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _forget_others(place, final)
    return replace(chart, path=final / chart.name, digest=digest)


def _copied(chart: Chart, copy: Path) -> None:
    if chart.path.is_dir():
        shutil.copytree(chart.path, copy, ignore=shutil.ignore_patterns(".git"))
        return
    whole = copy.with_name(".whole")
    unpack(chart.path, whole, subject=chart.source or str(chart.path))
    (whole / chart.name).replace(copy)
    shutil.rmtree(whole)


def _remove(copy: Path, wanted: Alterations, warnings: list[str]) -> None:
    for pattern, place in wanted.removes:
        found = _matches(copy, pattern, place)
        if not found:
            warnings.append(f'{wanted.app}: {place}: removes: "{pattern}" matches nothing in the chart')
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _override(copy: Path, wanted: Alterations, context: RenderContext, warnings: list[str]) -> None:
    ours = context.folder / "overrides" / wanted.app
    for pattern, place in wanted.overrides:
        found = [path for path in _matches(ours, pattern, place) if path.is_file()]
        if not found:
            warnings.append(
                f'{wanted.app}: {place}: overrides: there is no "{pattern}" in {shown(ours)}; '
                "the chart's own file stays"
            )
        for path in found:
            target = copy / path.relative_to(ours)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _matches(folder: Path, pattern: str, place: Place | None) -> list[Path]:
    """What a pattern means below a folder; raises RenderError when it leads out of it."""
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise RenderError(f'"{pattern}" leads out of the chart', place=place, hint="name a path inside of it")
    if not folder.is_dir():
        return []
    return sorted(folder.glob(pattern.rstrip("/")))


def _missing(chart: Chart) -> list[dict[str, Any]]:
    """Dependencies in Chart.yaml that `charts/` does not hold."""
    file = chart.path / "Chart.yaml"
    document = read_one(read_file(file)[0], shown(file))
    given = document.value.get("dependencies") if isinstance(document.value, dict) else None
    if not given:
        return []
    problems: list[Problem] = []
    wanted = [
        {**item, "place": document.place("dependencies", index)}
        for index, item in enumerate(given if isinstance(given, list) else [])
        if _is_dependency(item, document.place("dependencies", index), problems)
    ]
    if problems:
        raise refusal(problems, RenderError, f"the dependencies of chart {chart.name}")
    here = list(_present(chart.path / "charts"))
    return [item for item in wanted if item["name"] not in here]


def _is_dependency(item: Any, place: Place, problems: list[Problem]) -> bool:
    good = isinstance(item, dict) and isinstance(item.get("name"), str)
    if not good:
        problems.append(Problem("a dependency wants at least a name", place))
    return good


def _present(folder: Path) -> Iterator[str]:
    """Names of the charts in `charts/`: folders by their Chart.yaml, archives by their file name."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and (path / "Chart.yaml").is_file():
            meta = read_one(read_file(path / "Chart.yaml")[0], shown(path)).value
            yield str(meta.get("name") if isinstance(meta, dict) else path.name)
        elif path.name.endswith((".tgz", ".tar.gz")):
            yield path.name.rpartition("-")[0]


def _add(dependency: Mapping[str, Any], chart: Chart, copy: Path, context: RenderContext) -> None:
    """Put one dependency into the copy's `charts/`."""
    name, url = str(dependency["name"]), str(dependency.get("repository") or "")
    place: Place = dependency["place"]
    if not url:
        raise RenderError(
            f'chart {chart.name} depends on "{name}", which is not in its charts/ and has no repository',
            place=place,
            hint="add a repository, or put it there",
        )
    target = copy / "charts"
    target.mkdir(exist_ok=True)
    if url.startswith("file://"):
        source = chart.path / url.removeprefix("file://")
        if not (source / "Chart.yaml").is_file():
            raise RenderError(
                f'there is no chart at "{url}"', place=place, hint=f"it is looked up in {chart.path}"
            )
        shutil.copytree(source, target / name)
        return
    wanted = _locked(chart, name) or str(dependency.get("version") or "")
    fetched = context.catalogue.from_repository(url, name, wanted, place)
    shutil.copyfile(fetched.path, target / f"{name}-{fetched.version.replace('+', '_')}.tgz")


def _locked(chart: Chart, name: str) -> str:
    """The version that the chart's own Chart.lock pins, or an empty text."""
    file = chart.path / "Chart.lock"
    if not file.is_file():
        return ""
    content = read_one(read_file(file)[0], shown(file)).value
    lines = content.get("dependencies") if isinstance(content, dict) else None
    found = (
        str(item.get("version")) for item in lines or () if isinstance(item, dict) and item.get("name") == name
    )
    return next(found, "")


def _forget_others(place: Path, final: Path) -> None:
    """Copies of days ago: a younger one may be in use by another run."""
    for path in place.iterdir():
        if path != final and path.stat().st_mtime < time.time() - _DAY:
            shutil.rmtree(path, ignore_errors=True)
