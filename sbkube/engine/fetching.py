"""`prepare` and `build`: what apps need from elsewhere, put where people can look at it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbkube.apps import APP_TYPES
from sbkube.apps.base import AppSpec, RenderContext
from sbkube.apps.charts import Chart, find_chart
from sbkube.apps.git import GitSpec
from sbkube.apps.helm import HelmSpec, build_chart
from sbkube.config.model import ProjectConfig
from sbkube.sources.archive import unpack
from sbkube.sources.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Prepared:
    """Something that an app needs and that is here now: `what` it is, `version` and `path`."""

    app: str
    what: str
    version: str
    path: Path


def prepare(config: ProjectConfig, catalogue: Catalogue, apps: Sequence[AppSpec]) -> list[Prepared]:
    """Fetch everything that apps take from elsewhere: charts and repositories below `.sbkube/`, files where the
    project wants them. Raises SourceUnavailable, RenderError."""
    found: list[Prepared] = []
    for app in apps:
        context = _context(config, catalogue, app)
        found += _one(app, context)
    return found


def build(
    config: ProjectConfig, catalogue: Catalogue, apps: Sequence[AppSpec]
) -> tuple[list[Prepared], list[str]]:
    """Charts as they will be rendered, with `overrides`, `removes` and dependencies; and warnings."""
    found: list[Prepared] = []
    warnings: list[str] = []
    for app in apps:
        if isinstance(app, HelmSpec):
            chart = build_chart(app, _context(config, catalogue, app), warnings)
            found.append(Prepared(app.name, f"chart {chart.name}", chart.version, chart.path))
    return found, warnings


def _one(app: AppSpec, context: RenderContext) -> list[Prepared]:
    home = context.folder / ".sbkube"
    match app:
        case HelmSpec():
            chart = find_chart(app.chart, app.version or "", context, app.where("chart"))
            return [Prepared(app.name, f"chart {chart.name}", chart.version, _placed(chart, app.chart, home))]
        case GitSpec():
            tree = context.catalogue.tree(app.checkout, app.where("repo"))
            place = _fresh(home / "repos" / app.checkout)
            shutil.copytree(tree.path, place, symlinks=True)
            return [Prepared(app.name, tree.name, tree.version[:12], place)]
    fetch: Any = APP_TYPES[app.type].fetch
    if fetch is None:
        return []
    fetch(app, context)
    return [Prepared(app.name, str(getattr(app, "url", "")).partition("?")[0], "", context.folder / str(app.dest))]  # type: ignore[attr-defined]


def _placed(chart: Chart, reference: str, home: Path) -> Path:
    """A chart from elsewhere, unpacked where people can read it; one of the project stays where it is."""
    if chart.path.is_dir():
        return chart.path
    origin = reference.rpartition("/")[0].rpartition("/")[2] or "archives"
    folder = home / "charts" / origin / f"{chart.name}-{chart.version}"
    unpack(chart.path, _fresh(folder), subject=chart.source or str(chart.path))
    return folder / chart.name


def _fresh(folder: Path) -> Path:
    """The place for a folder, without what was there before."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _context(config: ProjectConfig, catalogue: Catalogue, app: AppSpec) -> RenderContext:
    scope = config.of(app.name)

    def no_cluster(spec: Any) -> Any:
        raise AssertionError(f"{spec} is not rendered here")

    return RenderContext(
        folder=scope.folder,
        namespace=app.namespace or scope.settings.namespace,
        cleanup_metadata=scope.settings.cleanup_metadata,
        shared_values=scope.values,
        catalogue=catalogue,
        render_chart=no_cluster,
    )
