"""`apply` and `deploy`: bring the cluster to what the project says."""

from __future__ import annotations

import click

from sbkube.cli.execution import Run, carry_out, settle, wait_for_lock
from sbkube.cli.options import Command
from sbkube.cli.session import Session


def _run(session: Session, target: str | None, lock_wait: str | None, name: str) -> int:
    with session.project(target) as project:
        settle(session, project)
        plan = project.plan(session.options.apps)
        return carry_out(session, project, plan, Run(name, lock_wait=lock_wait))


@click.command("apply", cls=Command)
@click.argument("target", required=False)
@wait_for_lock
def apply(session: Session, target: str | None, wait_for_lock: str | None) -> int:
    """Bring the cluster to what the project in TARGET (default: the current folder) says.

    Asks only when something would be deleted or recreated.
    """
    return _run(session, target, wait_for_lock, "apply")


@click.command("deploy", cls=Command)
@click.argument("target", required=False)
@wait_for_lock
def deploy(session: Session, target: str | None, wait_for_lock: str | None) -> int:
    """The same as apply, recorded under this name."""
    return _run(session, target, wait_for_lock, "deploy")
