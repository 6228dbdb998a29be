"""Commands of a project as operations: planned, journaled before they run, and never run twice by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sbkube.apps.hooks import STAGES
from sbkube.apps.steps import Setting, project_commands, steps_of
from sbkube.config.model import ProjectConfig
from sbkube.engine.hands import Done, Hands
from sbkube.engine.naming import kind_named
from sbkube.errors import CommandFailed, PlanRefused, Problem
from sbkube.health import assess
from sbkube.models.command import Command, CommandKind, OnFailure, Ran
from sbkube.models.plan import Operation, Plan, Verb
from sbkube.plan.operations import operation_id
from sbkube.ports import Json

POLL = 0.5  # seconds between two looks at an object


def operation_of(app: str, command: Command, *, on_failure: bool = False) -> Operation:
    """The operation that runs a command of an app."""
    key = command.key(command.namespace)
    return Operation(
        id=operation_id(app, Verb.RUN, key.kind, key.namespace, key.name),
        app=app,
        verb=Verb.RUN,
        key=key,
        desired=command.to_json(),
        timeout=command.timeout,
        sensitive=any(not name.startswith("SBKUBE_") for name in command.env),
        on_failure=on_failure,
    )


def command_of(operation: Operation) -> Command:
    """The command that an operation runs."""
    return Command.from_json(operation.desired or {})


def commands_in(plan: Plan) -> list[tuple[Operation, Command]]:
    """All commands of a plan."""
    return [(op, command_of(op)) for op in plan.operations if op.verb is Verb.RUN and op.desired]


def refuse_commands(plan: Plan, allowed: bool) -> None:
    """Raise PlanRefused if the plan runs programs and SBKUBE_ALLOW_EXEC forbids that."""
    local = [(op, command) for op, command in commands_in(plan) if command.local]
    if local and not allowed:
        raise PlanRefused(
            "the plan runs commands, and SBKUBE_ALLOW_EXEC forbids that; nothing was changed",
            problems=[Problem(f"{op.app}: {command.name}: {command.title}", op.source) for op, command in local],
            hint="take them out, or allow commands for this project",
        )


def known_commands(config: ProjectConfig) -> Mapping[str, Command]:
    """All commands that the project on disk holds, and those that undo them, by their digests.

    What is run is taken from here, never from a record: a folder in a record could be anybody's.
    """
    steps = [steps_of(app, setting_of(config, app.name)) for app in config.apps.values()]
    found = [command for one in steps for command in one.commands()]
    found += [undo_command(command, n, text) for command in found for n, text in enumerate(command.undo, 1)]
    for phase, hooks in config.hooks.items():
        scope = config.scopes[phase]
        setting = Setting(str(scope.folder), scope.settings.namespace, scope.settings.timeout)
        for stage in (*STAGES, "apply"):
            for when in ("pre", "post", "on_failure"):
                found += [in_phase(phase, c) for c in project_commands(hooks, stage, when, setting)]
    return {command.digest: command for command in found}


def in_phase(phase: str, command: Command) -> Command:
    """The hook of a phase has the phase in its name."""
    return replace(command, name=f"{phase.replace('/', '.')}.{command.name}") if phase else command


def setting_of(config: ProjectConfig, app: str) -> Setting:
    """Where the commands of an app run."""
    scope, spec = config.of(app), config.apps[app]
    timeout = spec.timeout or scope.settings.timeout
    return Setting(str(scope.folder), spec.namespace or scope.settings.namespace, timeout)


def run_command(operation: Operation, hands: Hands) -> Done:
    """Run one command, again where it may be; raises CommandFailed."""
    command = command_of(operation)
    ran = Ran(0, error="it was not begun")
    for attempt in range(command.attempts):
        if attempt:
            hands.cancel.wait(command.delay)
            hands.lock.check()
        ran = _once(command, hands)
        if not ran.error or hands.cancel.is_set():
            break
    if not ran.error:
        return Done(note=_note(command, ran), output=ran.output)
    message = f"{command.name}: {ran.error}"
    if command.on_failure is OnFailure.FAIL:
        raise CommandFailed(message, output=ran.output, hint=f"it is: {command.title}")
    tolerated = CommandFailed.slug if command.on_failure is OnFailure.WARN else ""
    return Done(note=message, reason=tolerated, output=ran.output)


def _note(command: Command, ran: Ran) -> str:
    return {CommandKind.SHELL: f"exit code {ran.code}", CommandKind.HTTP: f"status {ran.code}"}.get(
        command.kind, ""
    )


def _once(command: Command, hands: Hands) -> Ran:
    if command.kind is CommandKind.MARK:
        return Ran(0)
    if command.kind is CommandKind.SHELL:
        return hands.world.commands.run(command, _facts(hands), hands.cancel)
    if command.kind is CommandKind.HTTP:
        return hands.world.commands.ask(command, hands.cancel)
    return _wait(command, hands)


def _facts(hands: Hands) -> dict[str, str]:
    return {
        "SBKUBE_DEPLOYMENT_ID": hands.deployment,
        "SBKUBE_COMMAND": hands.command,
        "SBKUBE_DRY_RUN": "false",
    }


def _wait(command: Command, hands: Hands) -> Ran:
    """Until the object is as it should be."""
    kind, _, name = command.text.partition("/")
    clock = hands.world.clock
    deadline = clock.monotonic() + command.timeout
    while True:
        missing = _missing(command, kind, name, hands)
        if not missing:
            return Ran(0)
        if clock.monotonic() > deadline:
            return Ran(1, error=f"{missing} after {command.timeout:g} s")
        if hands.cancel.wait(POLL):
            return Ran(1, error=f"it was stopped while {missing}")


def _missing(command: Command, kind: str, name: str, hands: Hands) -> str:
    """What is not yet as it should be, in words."""
    cluster, found = hands.world.cluster, kind_named(hands.world.cluster, kind)
    if found is None:
        return f"the cluster does not know the kind {kind}"
    namespace = command.namespace if found.namespaced else ""
    objects = cluster.list(found, namespace, labels=command.selector)
    if name:
        objects = [body for body in objects if body["metadata"].get("name") == name]
    what = f"{kind}/{name}" if name else f"{kind} with {command.selector or 'any labels'}"
    if command.condition.lower() in ("deleted", "delete"):
        return f"{what} is still there" if objects else ""
    if not objects:
        return f"{what} is not there"
    wanted = command.condition.split(",")
    return next((f"{what} is not {w}" for body in objects for w in wanted if not _has(body, w)), "")


def _has(body: Json, condition: str) -> bool:
    name, _, status = condition.removeprefix("condition=").partition("=")
    if name.lower() == "exists":
        return True
    conditions: Sequence[Mapping[str, Any]] = (body.get("status") or {}).get("conditions") or ()
    given = [str(c.get("status")) for c in conditions if str(c.get("type", "")).lower() == name.lower()]
    if given:
        return given[0].lower() == (status or "True").lower()
    return name.lower() in ("ready", "available") and assess(body).ready


def undo_command(command: Command, number: int, text: str) -> Command:
    """The command that undoes another one."""
    name = f"{command.name}.rollback.{number}"
    return replace(
        command,
        name=name,
        kind=CommandKind.SHELL,
        text=text,
        hook="rollback",
        attempts=1,
        expected=(),
        undo=(),
        undo_manifests=(),
    )
