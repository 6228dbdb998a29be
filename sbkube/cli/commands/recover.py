"""`recover`: settle what an interrupted run left open."""

from __future__ import annotations

from typing import Any

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session
from sbkube.models.deployment_state import DeploymentRecord


@click.command("recover", cls=Command)
@click.argument("target", required=False)
@click.option("--break-lock", is_flag=True, help="Take the lock from a run that is known to be dead. Asks first.")
def recover(session: Session, target: str | None, break_lock: bool) -> int:
    """Find out what an interrupted run had done, and record it. Changes nothing in the cluster."""
    from sbkube.api.family import members
    from sbkube.errors import SurroundingsError
    from sbkube.report import history, machine

    unreached: list[tuple[str, SurroundingsError]] = []

    with session.project(target) as project:
        if break_lock:
            session.confirm("Take the lock from whoever holds it?")
        records: list[DeploymentRecord] = []
        for member in members(project):
            try:
                if break_lock:
                    member.project.break_lock()
                records += member.project.recover()
            except SurroundingsError as error:
                if not project.children:
                    raise
                unreached.append((member.project.config.name, error))

    def text() -> str:
        lines = [f"{name}: {error}; run `sbkube recover` again when it is back" for name, error in unreached]
        if records:
            table = history.table(records, ink=session.ink, width=session.terminal.width)
            lines.insert(0, f"settled:\n{table}")
        return "\n".join(lines) or "No deployment was left open."

    def document() -> dict[str, Any]:
        found = {"deployments": [machine.deployment(record) for record in records]}
        return found | ({"unreached": [machine.left_out(*one) for one in unreached]} if unreached else {})

    session.emit("recover", document, text)
    return max((error.exit_code for _, error in unreached), default=0)
