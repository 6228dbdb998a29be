"""`show`: one deployment with everything it did. Needs no cluster."""

from __future__ import annotations

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session


@click.command("show", cls=Command)
@click.argument("reference", metavar="ID", default="latest")
def show(session: Session, reference: str) -> int:
    """Show a deployment: apps, operations with durations, evidence of failures (-v: what changed).

    ID is a deployment's id or the beginning of it, latest (the default), or latest~N.
    """
    return show_deployment(session, reference)


def show_deployment(session: Session, reference: str) -> int:
    """Report on one deployment of the project at hand, or of any project where there is none."""
    from sbkube.report import detail as report
    from sbkube.report import machine

    if session.has_project():
        with session.project() as project:
            found = project.show(reference)
    else:
        found = session.api.show(reference, session.options.state_url)
    session.emit(
        "show",
        lambda: machine.detail(found),
        lambda: report.render(found, ink=session.ink, diffs=session.options.verbose),
    )
    return 0
