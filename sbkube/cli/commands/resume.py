"""`resume`: go on with an interrupted deployment where it was cut off."""

from __future__ import annotations

import click

from sbkube.cli.execution import RESUME, Run, carry_out_all, wait_for_lock
from sbkube.cli.options import Command
from sbkube.cli.patience import patiently
from sbkube.cli.session import Session
from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus
from sbkube.report.ink import Ink


@click.command("resume", cls=Command)
@click.argument("reference", metavar="[ID]", required=False, default="")
@click.option(
    "--rerun", multiple=True, metavar="NAME", help="Run this command again, which was cut off or failed."
)
@click.option("--skip", multiple=True, metavar="NAME", help="Go on without this command.")
@wait_for_lock
def resume(
    session: Session, reference: str, rerun: tuple[str, ...], skip: tuple[str, ...], wait_for_lock: str | None
) -> int:
    """Go on with the newest interrupted deployment: the same plan, less what had taken effect.

    Commands, hooks and Helm actions that had finished are not run twice. A command that was cut off is not run
    again by itself: --rerun or --skip says what becomes of it. Where others have changed objects since, they are
    listed and nothing is done.
    """
    from sbkube.api.family import resume_plans
    from sbkube.errors import UsageError

    if session.options.apps:
        raise UsageError("a deployment is resumed as a whole", hint="leave --app away, or use apply --app")
    with session.project() as project:

        def go() -> int:
            plans = resume_plans(project, reference, rerun=rerun, skip=skip)
            if not plans:
                newest = project.show(reference or "latest").deployment if project.history(limit=1) else None
                session.emit("resume", lambda: {"deployment": None}, lambda: _nothing(newest, session.ink))
                return 0
            return carry_out_all(session, plans, Run(RESUME))

        return patiently(session, project, wait_for_lock, go)


def _nothing(record: DeploymentRecord | None, ink: Ink) -> str:
    from sbkube.report.history import word

    if record is None:
        return "Nothing to resume: nothing was deployed yet."
    said = (
        f"Nothing to resume: {record.deployment_id} was not interrupted, it ended as {word(record.status, ink)}."
    )
    failed = record.status in (DeploymentStatus.FAILED, DeploymentStatus.PARTIALLY_FAILED)
    return f"{said}\n`sbkube apply` tries again, `sbkube rollback` undoes it." if failed else said
