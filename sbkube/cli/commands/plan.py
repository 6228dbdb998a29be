"""`diff` and `plan`: what apply would change, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from sbkube.cli.execution import no_prune, out_file, say_saved, show_plan
from sbkube.cli.options import Command
from sbkube.cli.session import Session

if TYPE_CHECKING:
    from sbkube.api.family import Member

PENDING = 10

exit_status = click.option("--exit-status", is_flag=True, help="Exit 10 when changes are pending.")


def _run(session: Session, target: str | None, name: str, **how: Any) -> int:
    from sbkube.report import machine

    out = how["out"]
    with session.project(target) as project:
        members = session.members(project)
        if len(members) > 1:
            return _all(session, members, name, **how)
        project = members[0].project
        plan = project.plan(members[0].apps, prune=not how["no_prune"], look=True)
        session.stop_progress()
        masked = project.masked(plan)
        saved = {"saved": out, "digest": project.save(plan, out)} if out else {}
        if session.human:
            show_plan(session, masked, bodies=True)
            say_saved(session, out)
        else:
            session.emit(name, lambda: machine.plan(masked) | saved, str)
        return PENDING if how["exit_status"] and plan.pending else 0


def _all(session: Session, members: Sequence[Member], name: str, **how: Any) -> int:
    """The plans of a project and of those that are part of it."""
    from sbkube.errors import UsageError
    from sbkube.report import machine

    if how["out"]:
        raise UsageError("a plan of several projects cannot be saved", hint="plan each of them by itself")
    plans = [(m.project, m.project.plan(m.apps, prune=not how["no_prune"], look=True)) for m in members]
    session.stop_progress()
    masked = [project.masked(plan) for project, plan in plans]
    if session.human:
        for plan in masked:
            show_plan(session, plan, bodies=True)
    else:
        session.emit(name, lambda: {"projects": [machine.plan(plan) for plan in masked]}, str)
    return PENDING if how["exit_status"] and any(plan.pending for plan in masked) else 0


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
