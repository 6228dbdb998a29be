"""Undoing what commands did, by the commands that their tasks name for it; without such nothing can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sbkube.engine.commands import known_commands, operation_of, undo_command
from sbkube.engine.draft import Draft
from sbkube.engine.undo import undoes
from sbkube.models.command import Command
from sbkube.models.deployment_state import DeploymentDetail
from sbkube.plan.operations import Step

_FIRST = -2  # a wave before everything else: what was set up by commands may need the objects to be taken down


def plan_commands(draft: Draft, details: Sequence[DeploymentDetail], *, automatic: bool) -> None:
    """Add what undoes the commands of deployments, the newest first; `automatic`: a failed run undoes itself."""
    known = known_commands(draft.config)
    done: set[str] = set()
    for detail in reversed(details):
        for row in sorted(detail.resources, key=lambda r: -r.position):
            if not (undoes(row) and draft.wants(row.app_name)) or row.operation in done:
                continue
            done.add(row.operation)
            command = Command.from_json(row.intent or {})
            if automatic and command.undo_when != "always":
                draft.warnings.append(f"{row.app_name}: {command.name} is not undone by itself: `sbkube rollback`")
                continue
            _undo(draft, row.app_name, command, known)


def _undo(draft: Draft, app: str, command: Command, known: frozenset[str]) -> None:
    needs: tuple[str, ...] = ()
    for number, text in enumerate(command.undo, 1):
        one = undo_command(command, number, text)
        if one.digest not in known:
            draft.problem(
                f"{app}: the project does not hold the command any more that undoes {command.name}: {one.title}",
                "put it back into the file, or leave the app out: sbkube rollback --app …",
            )
            return
        operation = replace(operation_of(app, one), needs=needs)
        draft.put_back(app, Step(operation, _FIRST))
        needs = (operation.id,)
