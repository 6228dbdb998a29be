"""`drift`: what others changed since we last wrote."""

from __future__ import annotations

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session

DRIFTED = 10


@click.command("drift", cls=Command)
@click.argument("target", required=False)
def drift(session: Session, target: str | None) -> int:
    """Compare what was recorded as left with what is in the cluster. Reads only; exits 10 when there is drift."""
    from sbkube.report import drift as report

    with session.project(target) as project:
        found = project.drift(session.apps(project))
    session.emit("drift", lambda: report.document(found), lambda: report.render(found, ink=session.ink))
    return DRIFTED if found.drifted else 0
