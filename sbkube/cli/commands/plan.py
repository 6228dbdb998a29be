"""`diff` and `plan`: what apply would change, and nothing else."""

from __future__ import annotations

import click

from sbkube.cli.execution import show_plan
from sbkube.cli.options import Command
from sbkube.cli.session import Session

PENDING = 10

exit_status = click.option("--exit-status", is_flag=True, help="Exit 10 when changes are pending.")


def _run(session: Session, target: str | None, exit_status: bool, name: str) -> int:
    from sbkube.report import machine

    with session.project(target) as project:
        plan = project.plan(session.options.apps)
        session.stop_progress()
        masked = project.masked(plan)
        if session.human:
            show_plan(session, masked, bodies=True)
        else:
            session.emit(name, lambda: machine.plan(masked), str)
        return PENDING if exit_status and plan.writes else 0


@click.command("diff", cls=Command)
@click.argument("target", required=False)
@exit_status
def diff(session: Session, target: str | None, exit_status: bool) -> int:
    """Show what apply would change in the cluster, field by field. Reads only."""
    return _run(session, target, exit_status, "diff")


@click.command("plan", cls=Command)
@click.argument("target", required=False)
@exit_status
def plan(session: Session, target: str | None, exit_status: bool) -> int:
    """The same as diff."""
    return _run(session, target, exit_status, "plan")
