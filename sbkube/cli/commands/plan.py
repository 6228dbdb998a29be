"""`diff` and `plan`: what apply would change, and nothing else."""

from __future__ import annotations

from typing import Any

import click

from sbkube.cli.execution import no_prune, out_file, say_saved, show_plan
from sbkube.cli.options import Command
from sbkube.cli.session import Session

PENDING = 10

exit_status = click.option("--exit-status", is_flag=True, help="Exit 10 when changes are pending.")


def _run(session: Session, target: str | None, name: str, **how: Any) -> int:
    from sbkube.report import machine

    out = how["out"]
    with session.project(target) as project:
        plan = project.plan(session.apps(project), prune=not how["no_prune"], look=True)
        session.stop_progress()
        masked = project.masked(plan)
        saved = {"saved": out, "digest": project.save(plan, out)} if out else {}
        if session.human:
            show_plan(session, masked, bodies=True)
            say_saved(session, out)
        else:
            session.emit(name, lambda: machine.plan(masked) | saved, str)
        return PENDING if how["exit_status"] and plan.pending else 0


@click.command("diff", cls=Command)
@click.argument("target", required=False)
@exit_status
@no_prune
@out_file
def diff(session: Session, target: str | None, **how: Any) -> int:
    """Show what apply would change in the cluster, field by field. Reads only."""
    return _run(session, target, "diff", **how)


@click.command("plan", cls=Command)
@click.argument("target", required=False)
@exit_status
@no_prune
@out_file
def plan(session: Session, target: str | None, **how: Any) -> int:
    """The same as diff."""
    return _run(session, target, "plan", **how)
