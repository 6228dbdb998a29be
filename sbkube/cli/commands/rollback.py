"""`rollback`: undo a deployment, as a new deployment."""

from __future__ import annotations

from typing import Any

import click

from sbkube.cli.execution import Run, carry_out_all, out_file, wait_for_lock
from sbkube.cli.options import Command
from sbkube.cli.patience import patiently
from sbkube.cli.session import Session


@click.command("rollback", cls=Command)
@click.argument("reference", metavar="[ID]", required=False, default="")
@click.option("--to", "--target", "to", metavar="ID", default="", help="Go to the state that this one left.")
@click.option(
    "--scope",
    type=click.Choice(("app", "phase", "all")),
    default="all",
    help="`app`: only apps that failed; `phase`: their phases.",
)
@click.option("--force", is_flag=True, help="Also where others have changed objects since.")
@click.option("--delete-data", is_flag=True, help="Consent to deleting objects that hold data.")
@click.option("--list", "only_list", is_flag=True, help="List what can be rolled back.")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="Length of that list.")
@out_file
@wait_for_lock
def rollback(session: Session, reference: str, to: str, only_list: bool, limit: int, **how: Any) -> int:
    """Go back to the state before deployment ID; without ID, undo the newest one that changed something."""
    from sbkube.api.family import rollback_plans

    with session.project() as project:
        if only_list:
            return _list(session, project.history(limit=limit))
        consent = {name: how[name] for name in ("force", "delete_data")}

        def go() -> int:
            scope = "" if how["scope"] == "all" else how["scope"]
            run = Run("rollback", always_ask=True, out=how["out"], scope=scope)
            limits = {"to": to, "apps": session.apps(project), "scope": how["scope"]}
            return carry_out_all(session, rollback_plans(project, reference, **limits, **consent), run)

        return patiently(session, project, how["wait_for_lock"], go)


def _list(session: Session, records: tuple[object, ...]) -> int:
    from sbkube.models.deployment_state import DeploymentRecord
    from sbkube.report import history as report
    from sbkube.report import machine

    known = [record for record in records if isinstance(record, DeploymentRecord) and record.status.ended]
    session.emit(
        "rollback-list",
        lambda: {"deployments": [machine.deployment(record) for record in known]},
        lambda: report.table(known, ink=session.ink, width=session.terminal.table_width),
    )
    return 0
