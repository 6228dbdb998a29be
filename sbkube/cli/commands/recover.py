"""`recover`: settle what an interrupted run left open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session
from sbkube.models.deployment_state import DeploymentRecord

if TYPE_CHECKING:
    from sbkube.api import Project


@contextmanager
def _opened(session: Session, target: str | None) -> Iterator[list[Project]]:
    """The project and those that are part of it; where its file is broken, what its record tells of it."""
    from sbkube.errors import ConfigError

    with ExitStack() as stack:
        try:
            whole = stack.enter_context(session.project(target))
            found = [member.project for member in whole.family()]
        except ConfigError as invalid:
            found = [stack.enter_context(project) for project in session.recorded(target)]
            if not found:
                raise
            session.terminal.err(f"{invalid.message}; going by what was recorded")
        yield found


@click.command("recover", cls=Command)
@click.argument("target", required=False)
@click.option("--break-lock", is_flag=True, help="Take the lock from a run that is known to be dead. Asks first.")
def recover(session: Session, target: str | None, break_lock: bool) -> int:
    """Find out what an interrupted run had done, and record it. Changes nothing in the cluster."""
    from sbkube.errors import SurroundingsError
    from sbkube.report import history, machine

    unreached: list[tuple[str, SurroundingsError]] = []

    with _opened(session, target) as projects:
        if break_lock:
            session.confirm("Take the lock from whoever holds it?")
        records: list[DeploymentRecord] = []
        for project in projects:
            try:
                if break_lock:
                    project.break_lock()
                records += project.recover()
            except SurroundingsError as error:
                if len(projects) == 1:
                    raise
                unreached.append((project.config.name, error))

    def text() -> str:
        lines = [f"{name}: {error}; run `sbkube recover` again when it is back" for name, error in unreached]
        if records:
            table = history.table(records, ink=session.ink, width=session.terminal.table_width)
            lines.insert(0, f"settled:\n{table}")
        return "\n".join(lines) or "No deployment was left open."

    def document() -> dict[str, Any]:
        found = {"deployments": [machine.deployment(record) for record in records]}
        return found | ({"unreached": [machine.left_out(*one) for one in unreached]} if unreached else {})

    session.emit("recover", document, text)
    return max((error.exit_code for _, error in unreached), default=0)
