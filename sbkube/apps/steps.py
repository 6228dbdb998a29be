"""What an app does around its objects: hooks, tasks, commands and actions as a list of steps in order.

The list comes from the project file alone, so that the same commands can be found again when a recorded plan is
gone on with; only `around` reads the manifests that steps name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sbkube.apps.action import ActionSpec
from sbkube.apps.base import AppSpec, Around, RenderContext, RenderedTask
from sbkube.apps.exec import ExecSpec
from sbkube.apps.hook import HookSpec
from sbkube.apps.hooks import BEFORE_PLANNING, AppHooks, ProjectHooks, StageHooks
from sbkube.apps.manifest_files import Named, read_manifests
from sbkube.apps.objects import at, objects
from sbkube.apps.tasks import (
    CommandTask,
    Dependency,
    HttpTask,
    InlineTask,
    ManifestsTask,
    TaskRollback,
    ValidateTask,
    Validation,
    WaitTask,
)
from sbkube.errors import Place, Problem, RenderError
from sbkube.models.command import Command, CommandKind, OnFailure
from sbkube.models.resource import Manifest
from sbkube.sources.problems import refusal
from sbkube.sources.yaml_reader import Document

POLL = 1.0  # seconds between two attempts where nothing else is said
_NOTHING_ELSE = frozenset({"exec", "hook", "noop", "git", "http"})  # no object of theirs says whether to run them
_STATUS = {"pre": "pending", "post": "success", "on": "failed"}


@dataclass(frozen=True, slots=True)
class Setting:
    """Where an app's commands run: folder of its file, namespace, and seconds for one command."""

    folder: str
    namespace: str
    timeout: float


@dataclass(frozen=True, slots=True)
class AppSteps:
    """Steps of one app: before its own objects, after them, and after a failure.

    `planning` are commands that come before it is rendered (`pre_prepare` …); `always`: the steps are done even if
    nothing else is to be done.
    """

    before: tuple[_Step, ...] = ()
    after: tuple[_Step, ...] = ()
    failed: tuple[_Step, ...] = ()
    planning: tuple[Command, ...] = ()
    always: bool = False

    def commands(self) -> Iterator[Command]:
        """Every command of the app."""
        yield from self.planning
        yield from (s.command for s in (*self.before, *self.after, *self.failed) if s.command is not None)


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    command: Command | None = None
    files: tuple[Named, ...] = ()
    content: Mapping[str, Any] | None = None
    place: Place | None = None
    mode: str = ""
    namespace: str = ""


def steps_of(spec: AppSpec, setting: Setting) -> AppSteps:
    """All steps of an app, in order."""
    return _Steps(spec, setting).all()


def around(spec: AppSpec, context: RenderContext) -> tuple[Around, dict[str, str]]:
    """The steps of an app with their objects read, and the digests of the files; raises RenderError."""
    steps = steps_of(spec, Setting(str(context.folder), context.namespace, context.timeout))
    sources: dict[str, str] = {}

    def rendered(step: _Step) -> RenderedTask:
        manifests: tuple[Manifest, ...] = ()
        if step.files:
            subject = f"{step.name} of app {spec.name}"
            manifests, found = read_manifests(step.files, context, subject)
            sources.update(found)
        elif step.content is not None:
            manifests = _inline(step, context)
        if step.namespace:
            manifests = tuple(_within(m, step.namespace) for m in manifests)
        return RenderedTask(step.name, step.command, manifests, step.mode)

    before, after = (tuple(map(rendered, group)) for group in (steps.before, steps.after))
    failed = tuple(step.command for step in steps.failed if step.command is not None)
    return Around(before, after, failed, always=steps.always), sources


def project_commands(hooks: ProjectHooks, stage: str, when: str, setting: Setting) -> tuple[Command, ...]:
    """Commands of one stage of the whole project; `when` is `pre`, `post` or `on_failure`."""
    found: StageHooks = getattr(hooks, stage)
    name = f"on_{stage}_failure" if when == "on_failure" else f"{when}_{stage}"
    return tuple(_shell(f"project.{name}.{i}", t, name, setting) for i, t in enumerate(getattr(found, when), 1))


def _shell(name: str, text: str, hook: str, setting: Setting, env: Mapping[str, str] | None = None) -> Command:
    first = hook.partition("_")[0]
    return Command(
        name,
        CommandKind.SHELL,
        text,
        hook=hook,
        folder=setting.folder,
        timeout=setting.timeout,
        on_failure=OnFailure.FAIL if first not in ("post", "on") else OnFailure.WARN,
        env=dict(env or {}),
        namespace=setting.namespace,
    )


def _within(manifest: Manifest, namespace: str) -> Manifest:
    """The object in a namespace, if it names none itself."""
    if manifest.key.namespace:
        return manifest
    body = {**manifest.body, "metadata": {**manifest.body["metadata"], "namespace": namespace}}
    return Manifest(replace(manifest.key, namespace=namespace), body, manifest.source)


def _inline(step: _Step, context: RenderContext) -> tuple[Manifest, ...]:
    problems: list[Problem] = []
    place = step.place or Place(step.name)
    document = Document(dict(step.content or {}), place.file, place.line)
    found = tuple(at(m, place) for m in objects(document, problems, cleanup=context.cleanup_metadata))
    if problems:
        raise refusal([Problem(p.message, place, p.hint) for p in problems], RenderError, step.name)
    return found


class _Unique:
    """Gives steps names that no other step of the app has: lists of tasks may use the same ones."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def all(self, *steps: _Step) -> tuple[_Step, ...]:
        """The steps, renamed where that is needed."""
        return tuple(map(self._one, steps))

    def _one(self, step: _Step) -> _Step:
        name, number = step.name, 1
        while name in self._seen:
            number += 1
            name = f"{step.name}.{number}"
        self._seen.add(name)
        if name == step.name:
            return step
        command = step.command
        renamed = replace(command, name=f"{command.name}.{number}") if command else None
        return replace(step, name=name, command=renamed)


class _Steps:
    def __init__(self, spec: AppSpec, setting: Setting) -> None:
        self._spec = spec
        self._setting = setting
        self._hooks = spec.hooks or AppHooks()
        chart = {"CHART": getattr(spec, "chart", ""), "VERSION": getattr(spec, "version", "")}
        self._env = {f"SBKUBE_HELM_{name}": str(value) for name, value in chart.items() if value} | {
            "SBKUBE_APP_NAME": spec.short,
            "SBKUBE_APP_TYPE": spec.type,
            "SBKUBE_APP_NAMESPACE": setting.namespace,
        }

    def all(self) -> AppSteps:
        spec = self._spec
        own, last = self._own()
        unique = _Unique()
        return AppSteps(
            before=unique.all(
                *self._commands("pre_deploy"),
                *self._files("pre_deploy_manifests"),
                *self._tasks(self._hooks.pre_deploy_tasks, ("hooks", "pre_deploy_tasks"), "pre_deploy"),
                *own,
            ),
            after=unique.all(
                *last,
                *self._tasks(self._hooks.post_deploy_tasks, ("hooks", "post_deploy_tasks"), "post_deploy"),
                *self._files("post_deploy_manifests"),
                *self._commands("post_deploy"),
            ),
            failed=unique.all(*self._commands("on_deploy_failure")),
            planning=tuple(
                step.command
                for stage in BEFORE_PLANNING
                for when in ("pre", "post")
                for step in self._commands(f"{when}_{stage}")
                if step.command is not None
            ),
            always=spec.type in _NOTHING_ELSE,
        )

    def _own(self) -> tuple[list[_Step], list[_Step]]:
        """What the app itself is, if it is made of steps, and what comes after everything else of it."""
        spec = self._spec
        if isinstance(spec, ExecSpec):
            return [self._shell(str(i), text, "exec", spec.env) for i, text in enumerate(spec.commands, 1)], []
        if isinstance(spec, ActionSpec):
            return [
                _Step(
                    f"actions.{i + 1}",
                    files=((action.path, spec.where("actions", i, "path")),),
                    mode=action.type,
                    namespace=action.namespace or "",
                )
                for i, action in enumerate(spec.actions)
            ], []
        if isinstance(spec, HookSpec):
            shell = [self._shell(f"commands.{i}", text, "hook") for i, text in enumerate(spec.commands, 1)]
            first = list(self._needed(spec.dependency, "dependency"))
            last = [self._validated(spec.validation, "validation")] if spec.validation else []
            found = [*first, *shell, *self._tasks(spec.tasks, ("tasks",), "hook")]
            mark = [self._mark("app", "hook", spec.rollback)] if spec.rollback else []
            return [*mark, *found], last
        return [], []

    def _name(self, suffix: str) -> str:
        return f"{self._spec.name.replace('/', '.')}.{suffix}"

    def _shell(self, suffix: str, text: str, hook: str, env: Mapping[str, str] | None = None) -> _Step:
        status = {"SBKUBE_APP_STATUS": _STATUS.get(hook.partition("_")[0], "in_progress")}
        given = {**self._env, **status, **(env or {})}
        return _Step(suffix, _shell(self._name(suffix), text, hook, self._setting, given))

    def _commands(self, hook: str) -> Iterator[_Step]:
        for number, text in enumerate(self._hooks.commands(hook), 1):
            yield self._shell(f"{hook}.{number}", text, hook)

    def _files(self, hook: str) -> Iterator[_Step]:
        patterns = self._hooks.commands(hook)
        named = tuple((text, self._spec.where("hooks", hook, i)) for i, text in enumerate(patterns))
        if named:
            yield _Step(hook, files=named)

    def _tasks(self, tasks: Sequence[Any], path: tuple[str, ...], hook: str) -> Iterator[_Step]:
        for task in tasks:
            yield from self._needed(task.dependency, task.name)
            step = self._task(task, self._spec.where(*path), hook)
            yield step
            if step.command is None and task.rollback is not None:
                yield self._mark(task.name, hook, task.rollback)
            if task.validation is not None:
                yield self._validated(task.validation, f"{task.name}.validation")

    def _mark(self, name: str, hook: str, rollback: TaskRollback) -> _Step:
        """Behind objects: what undoes the step besides taking them back."""
        suffix = f"{name}.rollback"
        namespace = self._setting.namespace
        mark = Command(self._name(suffix), CommandKind.MARK, name, hook, self._setting.folder, namespace=namespace)
        return _Step(suffix, _undoable(mark, rollback))

    def _task(self, task: Any, place: Place | None, hook: str) -> _Step:
        match task:
            case ManifestsTask():
                return _Step(
                    task.name, files=tuple((f, place) for f in task.files), namespace=task.namespace or ""
                )
            case InlineTask():
                return _Step(task.name, content=task.content, place=place, namespace=task.namespace or "")
            case _:
                command = self._command(task, hook)
                return _Step(task.name, _undoable(command, task.rollback) if task.rollback else command)

    def _command(self, task: Any, hook: str) -> Command:
        command = self._shell(task.name, getattr(task, "command", ""), hook).command
        assert command is not None, task.name
        command = replace(command, on_failure=OnFailure.FAIL, timeout=task.timeout or command.timeout)
        match task:
            case CommandTask():
                failing = OnFailure(task.on_failure)
                return replace(
                    command, attempts=task.retry.max_attempts, delay=task.retry.delay, on_failure=failing
                )
            case ValidateTask():
                expected = (task.expected,) if task.expected else ()
                return replace(command, attempts=task.retry, delay=task.retry_delay, expected=expected)
            case HttpTask():
                return replace(
                    command,
                    kind=CommandKind.HTTP,
                    text=task.url,
                    method=task.method,
                    attempts=task.retry,
                    delay=task.retry_delay,
                    expected=tuple(map(str, task.expected_status)),
                )
            case WaitTask():
                return self._wait(
                    command.name, task.resource, task.condition, task.namespace, task.timeout, hook=hook
                )
        raise AssertionError(task)

    def _wait(
        self,
        name: str,
        what: str,
        condition: str,
        namespace: str | None,
        timeout: float | None,
        *,
        hook: str,
        selector: str = "",
    ) -> Command:
        return Command(
            name,
            CommandKind.WAIT,
            what,
            hook=hook,
            timeout=timeout or self._setting.timeout,
            delay=POLL,
            condition=condition,
            selector=selector,
            namespace=namespace or self._setting.namespace,
        )

    def _needed(self, dependency: Dependency, name: str) -> Iterator[_Step]:
        for number, one in enumerate(dependency.wait_for, 1):
            suffix = f"{name}.wait.{number}"
            command = self._wait(
                self._name(suffix),
                f"{one.kind}/{one.name}",
                one.condition,
                one.namespace,
                one.timeout,
                hook="dependency",
                selector=one.label_selector,
            )
            yield _Step(suffix, command)

    def _validated(self, validation: Validation, suffix: str) -> _Step:
        wanted = [f"{c.type}={c.status}" for c in validation.conditions]
        wanted += ["ready"] if validation.wait_for_ready else [] if wanted else ["exists"]
        what, timeout = f"{validation.kind}/{validation.name}", validation.timeout
        name = self._name(suffix)
        command = self._wait(name, what, ",".join(wanted), validation.namespace, timeout, hook="validation")
        return _Step(suffix, command)


def _undoable(command: Command, rollback: TaskRollback) -> Command:
    if not rollback.enabled or rollback.on_failure == "never":
        return command
    return replace(
        command,
        undo=rollback.commands,
        undo_manifests=rollback.manifests,
        undo_when=rollback.on_failure,
    )
