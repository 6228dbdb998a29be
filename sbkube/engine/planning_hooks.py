"""Hooks that come before planning: what they write is what is rendered, so they are a plan of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sbkube.apps.hooks import BEFORE_PLANNING
from sbkube.apps.steps import Setting, project_commands, steps_of
from sbkube.config.model import ProjectConfig
from sbkube.engine.commands import in_phase, operation_of, setting_of
from sbkube.engine.prepare import Selection, selected_apps, target_of
from sbkube.engine.surroundings import Surroundings
from sbkube.models.command import Command
from sbkube.models.plan import HOOKS_BEFORE, AppPlan, Operation, Plan

PURPOSE = "hooks"


def plan_hooks(
    config: ProjectConfig, world: Surroundings, selection: Selection, stages: Sequence[str] = BEFORE_PLANNING
) -> Plan | None:
    """All hooks of the stages in order, one after the other; None where there are none."""
    chain = _Chain()
    for stage in stages:
        for app, command in _of_stage(config, selection, stage):
            chain.add(app, command)
    if not chain.operations:
        return None
    for stage in stages:
        for app, command in _of_project(config, stage, "on_failure"):
            chain.rescue(app, command)
    target = target_of(config, world)
    apps = tuple(
        AppPlan(name, config.apps[name].type if name in config.apps else "hooks", namespace, operations=tuple(own))
        for name, namespace, own in chain.by_app(config)
    )
    return Plan(
        project=config.name,
        namespace=config.settings.namespace,
        purpose=PURPOSE,
        cluster=world.cluster.info().name,
        cluster_uid=target.cluster_uid,
        apps=apps,
        max_workers=max(len(apps), 1),
    )


def left_out(config: ProjectConfig, selection: Selection) -> list[str]:
    """Warnings for a plan that is only looked at: which apps may come out otherwise once their hooks have run."""
    names = dict.fromkeys(app for stage in BEFORE_PLANNING for app, _ in _of_stage(config, selection, stage))
    return [f"{name}: may differ: hooks not run" for name in names]


def _of_stage(config: ProjectConfig, selection: Selection, stage: str) -> Iterator[tuple[str, Command]]:
    yield from _of_project(config, stage, "pre")
    for app in selected_apps(config, selection):
        for command in steps_of(app, setting_of(config, app.name)).planning:
            if command.hook.endswith(f"_{stage}"):
                yield app.name, command
    yield from _of_project(config, stage, "post")


def _of_project(config: ProjectConfig, stage: str, when: str) -> Iterator[tuple[str, Command]]:
    for phase, hooks in config.hooks.items():
        scope = config.scopes[phase]
        setting = Setting(str(scope.folder), scope.settings.namespace, scope.settings.timeout)
        name = f"{phase}/{HOOKS_BEFORE}" if phase else HOOKS_BEFORE
        for command in project_commands(hooks, stage, when, setting):
            yield name, in_phase(phase, command)


@dataclass(slots=True)
class _Chain:
    operations: list[Operation] = field(default_factory=list)

    def add(self, app: str, command: Command) -> None:
        needs = (self.operations[-1].id,) if self.operations else ()
        self.operations.append(replace(operation_of(app, command), needs=needs))

    def rescue(self, app: str, command: Command) -> None:
        after = tuple(op.id for op in self.operations if not op.on_failure)
        self.operations.append(replace(operation_of(app, command, on_failure=True), after=after))

    def by_app(self, config: ProjectConfig) -> Iterator[tuple[str, str, list[Operation]]]:
        for name in dict.fromkeys(op.app for op in self.operations):
            own = [op for op in self.operations if op.app == name]
            yield name, config.of(name).settings.namespace, own
