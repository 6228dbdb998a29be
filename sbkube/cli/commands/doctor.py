"""`doctor`: is everything there that a deployment needs?"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from sbkube.cli.options import Command
from sbkube.cli.session import PROJECT_FILES, Session
from sbkube.errors import SurroundingsError


@click.command("doctor", cls=Command)
@click.argument("target", required=False)
def doctor(session: Session, target: str | None) -> int:
    """Check cluster, Helm, tools and state database, each with the way out. Writes nothing."""
    from sbkube.report import machine, status

    place = Path(session.target(target))
    named = target is not None or session.options.file is not None
    with ExitStack() as stack:
        known = named or any((place / name).is_file() for name in PROJECT_FILES)
        project = stack.enter_context(session.project(target)) if known else None
        found = session.api.doctor(project, session.where())
    session.emit("doctor", lambda: machine.checks(found), lambda: status.checks(found, ink=session.ink))
    return 0 if all(check.ok for check in found) else SurroundingsError.exit_code
