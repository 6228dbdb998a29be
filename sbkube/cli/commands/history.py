"""`history`: deployments, newest first. Needs no cluster."""

from __future__ import annotations

from typing import Any

import click

from sbkube.cli.commands.show import show_deployment
from sbkube.cli.durations import since as moment_of
from sbkube.cli.options import HistoryCommand
from sbkube.cli.places import place
from sbkube.cli.session import Session
from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus


@click.command("history", cls=HistoryCommand)
@click.option("--show", "reference", metavar="ID", help="Show one deployment (as the command show).")
@click.option("--cluster", metavar="NAME", help="Only this cluster.")
@click.option("--status", type=click.Choice([s.value for s in DeploymentStatus]), help="Only this status.")
@click.option("--since", metavar="7d|DATE", help="Only newer ones.")
@click.option("--until", metavar="7d|DATE", help="Only older ones.")
@click.option("--all-projects", is_flag=True, help="Of all projects, also inside of one.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most.")
def history(session: Session, reference: str | None, all_projects: bool, limit: int, **filters: str | None) -> int:
    """List deployments, newest first: those of the project in the current folder, else all.

    Filters combine, --app and --namespace too. ID is a deployment's id or the beginning of it, latest, or
    latest~N. -o csv is possible here.
    """
    if reference:
        return show_deployment(session, reference)
    chosen: dict[str, Any] = {name: value for name, value in filters.items() if value}
    if session.options.apps:
        chosen["app_name"] = session.options.apps[0]
    if session.options.namespace:
        chosen["namespace"] = session.options.namespace
    chosen |= {name: moment_of(text) for name, text in chosen.items() if name in ("since", "until")}
    _emit(session, listed(session, all_projects=all_projects, limit=limit, **chosen))
    return 0


def listed(session: Session, *, all_projects: bool = False, **filters: Any) -> tuple[DeploymentRecord, ...]:
    """Deployments of the project at hand, or of all projects where there is none."""
    if all_projects or not session.has_project():
        found: tuple[DeploymentRecord, ...] = session.api.history(place(session), **filters)
        return found
    with session.project() as project:
        return project.history(**filters)


def _emit(session: Session, records: tuple[DeploymentRecord, ...]) -> None:
    from sbkube.report import history as report
    from sbkube.report import machine

    if session.options.output == "csv":
        session.terminal.out(machine.history_csv(records))
        return
    session.emit(
        "history",
        lambda: {"deployments": [machine.deployment(record) for record in records]},
        lambda: report.table(records, ink=session.ink, width=session.terminal.width),
    )
