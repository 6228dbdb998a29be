"""Steps around the objects of an app: commands, and objects that come before or after the others.

An app whose objects are as they should be needs none of its hooks; apps that are made of commands run each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sbkube.apps.steps import Setting, project_commands
from sbkube.config.model import ProjectConfig
from sbkube.engine.commands import in_phase, operation_of
from sbkube.engine.compare import Compared, Comparer, Live, Terms
from sbkube.engine.desired import Desired, DesiredApp, DesiredTask
from sbkube.errors import Problem
from sbkube.models.plan import HOOKS_AFTER, HOOKS_BEFORE, AppPlan, Change, Effect, Operation, Verb
from sbkube.models.resource import ResourceKey
from sbkube.plan import labels, order
from sbkube.plan.operations import Step, assemble, object_step

Steps = Callable[[str, Compared], list[Step]]
Awaits = Callable[[Sequence[Change], bool], list[ResourceKey]]


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A task after comparison: its steps in the cluster, or its command."""

    task: DesiredTask
    compared: tuple[Compared, ...] = ()
    steps: tuple[Step, ...] = ()


def compare_tasks(app: DesiredApp, comparer: Comparer, live: Live, terms: Terms, make: Steps) -> list[TaskPlan]:
    """What becomes of the objects of each task, before and after in order."""
    found = []
    for task in (*app.before, *app.after):
        if task.mode == "delete":
            live.observe(d.key for d in task.objects)
            refused = tuple(c for d in task.objects if (c := _holding_data(d, live)) is not None)
            steps = [] if refused else [_deletion(d, live) for d in task.objects]
            found.append(TaskPlan(task, refused, tuple(s for s in steps if s is not None)))
            continue
        compared = [_compare(d, task, comparer, live, terms) for d in task.objects]
        steps_of = [step for c in compared for step in make(app.spec.name, c)]
        if task.mode == "patch":
            steps_of = [_patching(step) for step in steps_of]
        found.append(TaskPlan(task, tuple(compared), tuple(steps_of)))
    return found


def _compare(item: Desired, task: DesiredTask, comparer: Comparer, live: Live, terms: Terms) -> Compared:
    live.observe([item.key])
    if task.mode == "create" and not live.absent(item.key):
        change = Change(item.key, Effect.UNCHANGED, live.seen(item.key), None, note="is there already")
        return Compared(change, item.body)
    if task.mode == "patch" and live.absent(item.key):
        problem = Problem(f"{item.app}: {item.key} is to be patched and is not there", item.source)
        return Compared(Change(item.key, Effect.UNKNOWN), item.body, problems=(problem,))
    partly = task.mode == "patch"
    taking = partly or task.mode == "replace" or terms.force
    (compared,) = comparer.compare_all([item], replace(terms, force=taking, steal=partly, partly=partly))
    return compared


def _holding_data(item: Desired, live: Live) -> Compared | None:
    """An action deletes nothing that may hold data: there is nobody who consents to that each time."""
    if item.key.kind not in order.DATA_BEARING or live.absent(item.key):
        return None
    hint = f"delete it by hand: kubectl delete {item.key.kind.lower()} {item.key.name}"
    problem = Problem(f"{item.app}: {item.key} may hold data, so an action does not delete it", item.source, hint)
    return Compared(Change(item.key, Effect.UNKNOWN), item.body, problems=(problem,))


def _deletion(item: Desired, live: Live) -> Step | None:
    """Delete what the project says must not be there; what asks to be kept stays."""
    body = live.seen(item.key)
    if body is None or labels.kept(body):
        return None
    change = Change(item.key, Effect.DELETE, body, None, note="named by an action", source=item.source)
    step = object_step(item.app, Verb.DELETE, change, None)
    return replace(step, wave=0)


def _patching(step: Step) -> Step:
    """The same apply, of an object that is not ours to delete."""
    operation = step.operation
    if operation.verb is not Verb.APPLY:
        return step
    name = operation.id.replace(f"/{Verb.APPLY}/", f"/{Verb.PATCH}/", 1)
    return replace(step, operation=replace(operation, id=name, verb=Verb.PATCH))


@dataclass(frozen=True, slots=True)
class Surrounded:
    """An app with what is around its own operations: `first` (namespaces), then tasks; `timeout` is in seconds."""

    app: DesiredApp
    tasks: Sequence[TaskPlan]
    first: tuple[Operation, ...]
    timeout: float


def surround(given: Surrounded, own: tuple[Operation, ...], awaits: Awaits) -> tuple[Operation, ...]:
    """The operations of an app with everything around them in order, or `own` where nothing is to be done."""
    app, around = given.app, given.app.rendered.around
    busy = bool(given.first) or any(op.verb.writes for op in own) or any(plan.steps for plan in given.tasks)
    if not (busy or around.always):
        return own
    name, split = app.spec.name, len(app.before)
    groups = [_group(name, plan, awaits, given.timeout) for plan in given.tasks]
    chain = _chained([given.first, *groups[:split], own, *groups[split:]])
    tail: list[Operation] = []
    for command in around.failed:
        after = tuple(op.id for op in (*chain, *tail))
        tail.append(replace(operation_of(name, command, on_failure=True), after=after))
    return (*chain, *tail)


def _group(app: str, plan: TaskPlan, awaits: Awaits, timeout: float) -> tuple[Operation, ...]:
    if plan.task.command is not None:
        return (operation_of(app, plan.task.command),)
    if not plan.steps:
        return ()
    wanted = awaits([c.change for c in plan.compared], True)
    operations = assemble(app, plan.steps, wanted, timeout)
    mine = f"{app}/wait/"
    names = {
        op.id: f"{mine}{plan.task.name}-{op.id.removeprefix(mine)}" for op in operations if op.id.startswith(mine)
    }
    return tuple(_renamed(op, names) for op in operations)


def _renamed(operation: Operation, names: Mapping[str, str]) -> Operation:
    needs = tuple(names.get(n, n) for n in operation.needs)
    return replace(operation, id=names.get(operation.id, operation.id), needs=needs)


def _chained(groups: Iterable[Sequence[Operation]]) -> tuple[Operation, ...]:
    """One group after the other: the first operations of each need the last ones of the one before."""
    result: list[Operation] = []
    previous: tuple[str, ...] = ()
    for group in groups:
        inside = {op.id for op in group}
        for op in group:
            if not inside & set(op.needs):
                op = replace(op, needs=tuple(dict.fromkeys((*previous, *op.needs))))
            result.append(op)
        needed = {need for op in group for need in op.needs}
        previous = tuple(op.id for op in group if op.id not in needed) or previous
    return tuple(result)


def project_hooks(config: ProjectConfig, apps: Sequence[AppPlan], names: Sequence[str]) -> list[AppPlan]:
    """The plans of apps with the hooks of the project and its phases before and after them.

    `names` are the stages whose hooks count. Nothing is added where no app has anything to do.
    """
    found = list(apps)
    for phase in config.hooks:
        inside = [app for app in found if app.name.startswith(f"{phase}/" if phase else "") and app.operations]
        if not any(op.verb.writes for app in inside for op in app.operations):
            continue
        before = _hook_app(config, phase, "pre", HOOKS_BEFORE, names)
        after = _hook_app(config, phase, "post", HOOKS_AFTER, names)
        members = {app.name for app in inside}
        if before is not None:
            at = min(found.index(app) for app in inside)
            found = [
                replace(app, depends_on=(*app.depends_on, before.name)) if app.name in members else app
                for app in found
            ]
            found.insert(at, before)
        if after is not None:
            every = tuple(op.id for app in inside for op in app.operations)
            operations = tuple(replace(op, after=every) if op.on_failure else op for op in after.operations)
            at = max(i for i, app in enumerate(found) if app.name in members) + 1
            found.insert(at, replace(after, depends_on=tuple(sorted(members)), operations=operations))
    return found


def _hook_app(config: ProjectConfig, phase: str, when: str, name: str, stages: Sequence[str]) -> AppPlan | None:
    scope = config.scopes[phase]
    setting = Setting(str(scope.folder), scope.settings.namespace, scope.settings.timeout)
    hooks = config.hooks[phase]
    name = f"{phase}/{name}" if phase else name
    ordered = stages if when == "pre" else tuple(reversed(stages))
    operations: list[Operation] = []
    for stage in ordered:
        for command in project_commands(hooks, stage, when, setting):
            needs = (operations[-1].id,) if operations else ()
            operations.append(replace(operation_of(name, in_phase(phase, command)), needs=needs))
    if when == "post":
        for stage in ordered:
            for command in project_commands(hooks, stage, "on_failure", setting):
                operations.append(operation_of(name, in_phase(phase, command), on_failure=True))
    if not operations:
        return None
    return AppPlan(name, "hooks", scope.settings.namespace, operations=tuple(operations))
