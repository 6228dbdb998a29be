"""`recover`: settle what an interrupted run left open."""

from __future__ import annotations

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
    from sbkube.report import history, machine

    with session.project(target) as project:
        if break_lock:
            session.confirm("Take the lock from whoever holds it?")
        records: list[DeploymentRecord] = []
        for member in members(project):
            if break_lock:
                member.project.break_lock()
            records += member.project.recover()

    def text() -> str:
        if not records:
            return "No deployment was left open."
        return "settled:\n" + history.table(records, ink=session.ink, width=session.terminal.width)

    session.emit("recover", lambda: {"deployments": [machine.deployment(record) for record in records]}, text)
    return 0
