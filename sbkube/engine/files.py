"""Whether everything that apps name is there and can be read, as far as it is on this machine.

Nothing is fetched, no chart is rendered and no program is run: that is `validate --schema`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sbkube.apps import APP_TYPES
from sbkube.apps.base import AppSpec, RenderContext
from sbkube.apps.steps import around
from sbkube.config.model import ProjectConfig
from sbkube.errors import Problem, ProjectError, SurroundingsError
from sbkube.models.release import RenderedChart
from sbkube.ports import Decryptor
from sbkube.sources.catalogue import Catalogue


def check_files(
    config: ProjectConfig, catalogue: Catalogue, decryptor: Decryptor
) -> tuple[list[Problem], list[str]]:
    """Problems, and what was not looked at because it is not here. `catalogue` must be offline."""
    problems: list[Problem] = []
    unseen: list[str] = []
    for app in config.apps.values():
        if not app.enabled:
            continue
        try:
            context = _context(config, app, catalogue, decryptor)
            APP_TYPES[app.type].render(app, context)
            around(app, context)
        except SurroundingsError as error:
            unseen.append(f"{app.name} was not looked at: {error.message}")
        except ProjectError as error:
            if origin := _fetched(app, config.apps):
                unseen.append(f"{app.name} was not looked at: it may need what {origin} fetches")
                continue
            problems += error.problems or (Problem(f"{app.name}: {error.message}", error.place, error.hint),)
    return problems, unseen


def _context(config: ProjectConfig, app: AppSpec, catalogue: Catalogue, decryptor: Decryptor) -> RenderContext:
    scope = config.of(app.name)
    return RenderContext(
        folder=scope.folder,
        namespace=app.namespace or scope.settings.namespace,
        render_chart=lambda spec: RenderedChart(""),
        build_kustomization=lambda folder: "",
        shared_values=scope.values,
        catalogue=catalogue,
        decryptor=decryptor,
    )


def _fetched(app: AppSpec, apps: Mapping[str, AppSpec]) -> str:
    """The app that it depends on, in the end, and that puts files into the project's folder; "" for none."""
    for name in app.depends_on:
        other = apps.get(name)
        if other is None:
            continue
        found = name if APP_TYPES[other.type].fetch is not None else _fetched(other, apps)
        if found:
            return found
    return ""
