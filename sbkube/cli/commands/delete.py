"""`delete` and `destroy`: remove what the project deployed."""

from __future__ import annotations

import click

from sbkube.cli.execution import Run, carry_out_all, out_file, wait_for_lock
from sbkube.cli.options import Command
from sbkube.cli.patience import patiently
from sbkube.cli.session import Session

delete_data = click.option("--delete-data", is_flag=True, help="Consent to deleting objects that hold data.")


def _run(session: Session, target: str | None, delete_data: bool, out: str | None, lock_wait: str | None) -> int:
    from sbkube.api.family import delete_plans

    with session.project(target) as project:

        def go() -> int:
            plans = delete_plans(session.members(project), delete_data=delete_data)
            return carry_out_all(session, plans, Run("delete", always_ask=True, out=out))

        return patiently(session, project, lock_wait, go)


@click.command("delete", cls=Command)
@click.argument("target", required=False)
@delete_data
@out_file
@wait_for_lock
def delete(
    session: Session, target: str | None, delete_data: bool, out: str | None, wait_for_lock: str | None
) -> int:
    """Delete what the project deployed, in reverse order. Asks first. Volumes and the like stay unless
    --delete-data is given."""
    return _run(session, target, delete_data, out, wait_for_lock)


@click.command("destroy", cls=Command)
@click.argument("target", required=False)
@delete_data
@out_file
@wait_for_lock
def destroy(
    session: Session, target: str | None, delete_data: bool, out: str | None, wait_for_lock: str | None
) -> int:
    """The same as delete."""
    return _run(session, target, delete_data, out, wait_for_lock)
