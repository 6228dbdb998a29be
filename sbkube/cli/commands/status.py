"""`status`: how everything deployed is now."""

from __future__ import annotations

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session


@click.command("status", cls=Command)
@click.argument("target", required=False)
@click.option("--exit-status", is_flag=True, help="Exit 1 when an app is not healthy.")
def status(session: Session, target: str | None, exit_status: bool) -> int:
    """Show the health of every app of the project, and the objects that are not well (-v: all objects)."""
    from sbkube.report import machine
    from sbkube.report import status as report

    with session.project(target) as project:
        found = project.status(session.apps(project))
    session.emit(
        "status",
        lambda: machine.status(found),
        lambda: report.render(found, ink=session.ink, width=session.terminal.width, every=session.options.verbose),
    )
    return 1 if exit_status and not all(app.health.ready for app in found.apps) else 0
