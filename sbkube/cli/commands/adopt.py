"""`adopt`: take over what exists already."""

from __future__ import annotations

import click

from sbkube.cli.execution import Run, carry_out_all, wait_for_lock
from sbkube.cli.options import Command
from sbkube.cli.patience import patiently
from sbkube.cli.session import Session


@click.command("adopt", cls=Command)
@click.argument("names", metavar="[KIND/NAME|RELEASE]...", nargs=-1)
@click.option("--force", is_flag=True, help="Also what differs (it is changed) or belongs to another project.")
@wait_for_lock
def adopt(session: Session, names: tuple[str, ...], force: bool, wait_for_lock: str | None) -> int:
    """Take over objects and Helm releases that exist already and that the project describes.

    Without names: all that exist. Writes our labels and field ownership and nothing else, and shows that first;
    what differs from the project is refused.
    """
    with session.project() as project:

        def go() -> int:
            # By name only what the main project describes, unless others are chosen.
            family = [m for m in session.members(project) if m.main or session.options.apps or not names]
            plans = [(m, m.project.plan_adopt(names, m.apps, force=force)) for m in family]
            return carry_out_all(session, plans, Run("adopt", always_ask=True))

        return patiently(session, project, wait_for_lock, go)
