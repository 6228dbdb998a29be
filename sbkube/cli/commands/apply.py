"""`apply` and `deploy`: bring the cluster to what the project says."""

from __future__ import annotations

from typing import Any

import click

from sbkube.cli.execution import Run, carry_out, no_prune, wait_for_lock
from sbkube.cli.options import Command
from sbkube.cli.patience import patiently
from sbkube.cli.session import Session

plan_file = click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Execute a saved plan, if everything still is as it was then.",
)


def _run(session: Session, target: str | None, name: str, plan_file: str | None, **how: Any) -> int:
    from sbkube.errors import UsageError

    lock_wait, prune = how["wait_for_lock"], not how["no_prune"]
    if plan_file and (session.options.apps or not prune):
        raise UsageError("a saved plan is executed as it is", hint="leave --app and --no-prune away")
    with session.project(target) as project:

        def go() -> int:
            if plan_file:
                saved = project.approved(plan_file)
                command = name if saved.command == "apply" else saved.command
                return carry_out(session, project, saved.plan, Run(command, approved=saved.digest))
            plan = project.plan(session.apps(project), prune=prune)
            return carry_out(session, project, plan, Run(name))

        return patiently(session, project, lock_wait, go)


@click.command("apply", cls=Command)
@click.argument("target", required=False)
@plan_file
@no_prune
@wait_for_lock
def apply(session: Session, target: str | None, **how: Any) -> int:
    """Bring the cluster to what the project in TARGET (default: the current folder) says.

    Asks only when something would be deleted or recreated.
    """
    return _run(session, target, "apply", **how)


@click.command("deploy", cls=Command)
@click.argument("target", required=False)
@plan_file
@no_prune
@wait_for_lock
def deploy(session: Session, target: str | None, **how: Any) -> int:
    """The same as apply, recorded under this name."""
    return _run(session, target, "deploy", **how)
