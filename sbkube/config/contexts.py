"""Apps with a kubeconfig context of their own: the same project on another cluster, deployed along with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sbkube.apps.base import AppSpec
from sbkube.apps.hooks import ProjectHooks
from sbkube.config.model import Child, ProjectConfig
from sbkube.errors import Problem
from sbkube.sources.problems import refuse_config


def split(config: ProjectConfig) -> ProjectConfig:
    """The project without apps of other contexts, and a child for each of these contexts.

    Warns of hooks of the project, or of phases, that apps of other contexts are not within.

    Raises ConfigError where the apps of one context come both before and behind those of the project.
    """
    names = dict.fromkeys(app.context for app in config.apps.values() if app.context)
    if not names:
        return config
    groups = {context: _of(config, context) for context in names}
    here = _of(config, "")
    problems: list[Problem] = []
    children = [_child(config, context, apps, here, problems) for context, apps in groups.items()]
    refuse_config(problems, str(config.path))
    warnings = (*config.warnings, *_unhooked(config, groups))
    return replace(config, apps=_alone(here), children=(*config.children, *children), warnings=warnings)


def _unhooked(config: ProjectConfig, groups: Mapping[str, Mapping[str, AppSpec]]) -> list[str]:
    """Hooks are around what is deployed in one go, on one cluster: said where somebody may count on more."""
    hooked = [scope for scope, hooks in config.hooks.items() if hooks != ProjectHooks()]
    whose = {scope: f"phase {scope}" if scope else "the project" for scope in hooked}
    return [
        f"hooks of {whose[scope]} are not run around its apps in the context {context}"
        for scope in hooked
        for context, apps in groups.items()
        if not scope or any(name.startswith(f"{scope}/") for name in apps)
    ]


def _of(config: ProjectConfig, context: str) -> dict[str, AppSpec]:
    return {name: app for name, app in config.apps.items() if (app.context or "") == context}


def _alone(apps: Mapping[str, AppSpec]) -> dict[str, AppSpec]:
    """Apps that depend on nothing that is elsewhere: the order of the groups takes care of that."""
    return {
        name: app.model_copy(update={"depends_on": tuple(other for other in app.depends_on if other in apps)})
        for name, app in apps.items()
    }


def _child(
    config: ProjectConfig,
    context: str,
    apps: Mapping[str, AppSpec],
    here: Mapping[str, AppSpec],
    problems: list[Problem],
) -> Child:
    first = any(other in apps for app in here.values() for other in app.depends_on)
    behind = [name for name, app in apps.items() if any(other in here for other in app.depends_on)]
    if first and behind:
        spec = apps[behind[0]]
        problems.append(
            Problem(
                f'apps of context "{context}" come before apps of this project, and {behind[0]} behind them',
                spec.place,
                "what is on one cluster is deployed in one go: remove one of these dependencies",
            )
        )
    return Child("", replace(config, apps=_alone(apps), children=(), hooks={}, deps=()), first, context)
