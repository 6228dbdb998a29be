"""`history`: deployments, newest first. Needs no cluster."""

from __future__ import annotations

from typing import Any

import click

from sbkube.cli.commands.show import show_deployment
from sbkube.cli.durations import since as moment_of
from sbkube.cli.options import HistoryCommand
from sbkube.cli.places import place
from sbkube.cli.session import Session
from sbkube.errors import UsageError
from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus


@click.command("history", cls=HistoryCommand)
@click.option("--show", "reference", metavar="ID", help="Show one deployment (as the command show).")
@click.option("--diff", "compared", metavar="A,B", help="What differs between what two deployments left.")
@click.option("--values-diff", "values", metavar="A,B", help="The same of the values of Helm releases.")
@click.option("--show-secrets", is_flag=True, help="Show values instead of masks in --values-diff.")
@click.option("--cluster", metavar="NAME", help="Only this cluster.")
@click.option("--status", type=click.Choice([s.value for s in DeploymentStatus]), help="Only this status.")
@click.option("--since", metavar="7d|DATE", help="Only newer ones.")
@click.option("--until", metavar="7d|DATE", help="Only older ones.")
@click.option("--all-projects", is_flag=True, help="Of all projects, also inside of one.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most.")
def history(session: Session, reference: str | None, all_projects: bool, limit: int, **filters: Any) -> int:
    """List deployments, newest first: those of the project in the current folder, else all.

    Filters combine, --app and --namespace too. ID is a deployment's id or the beginning of it, latest, or
    latest~N. -o csv is possible here.
    """
    if reference:
        return show_deployment(session, reference)
    pair, shown = [filters.pop(name) for name in ("compared", "values")], filters.pop("show_secrets")
    if any(pair):
        return _compare(session, *pair, show_secrets=shown)
    chosen: dict[str, Any] = {name: value for name, value in filters.items() if value}
    if session.options.apps:
        chosen["app_name"] = session.options.apps[0]
    if session.options.namespace:
        chosen["namespace"] = session.options.namespace
    chosen |= {name: moment_of(text) for name, text in chosen.items() if name in ("since", "until")}
    _emit(session, listed(session, all_projects=all_projects, limit=limit, **chosen))
    return 0


def _compare(session: Session, compared: str | None, values: str | None, *, show_secrets: bool) -> int:
    from sbkube.errors import UsageError
    from sbkube.report import comparison

    names = [name.strip() for name in (compared or values or "").split(",")]
    if len(names) != 2 or not all(names):
        raise UsageError("two deployments are compared", hint="write them as A,B: --diff latest~1,latest")
    with session.records() as records:
        left, right = records.compare(*names)
        hidden = records.hidden_paths(records.show(then.deployment_id).deployment for then in (left, right))
        mask = (lambda value: value) if show_secrets else records.masker()
    if compared:
        session.emit(
            "history-diff",
            lambda: comparison.document(left, right, hidden),
            lambda: comparison.render(left, right, hidden, session.ink),
        )
    else:
        session.emit(
            "history-values-diff",
            lambda: comparison.values_document(left, right, mask),
            lambda: comparison.render_values(left, right, mask, session.ink),
        )
    return 0


def listed(session: Session, *, all_projects: bool = False, **filters: Any) -> tuple[DeploymentRecord, ...]:
    """Deployments of the project at hand, or of all projects where there is none."""
    if all_projects or not session.has_project():
        found: tuple[DeploymentRecord, ...] = session.api.history(place(session), **filters)
        return found
    if not session.options.apps:
        with session.records() as records:
            return records.history(**filters)
    with session.project() as project:  # whose file tells which apps there are
        if project.children:
            (member, *others) = session.members(project, connected=False)
            if others:
                raise UsageError("these apps are of several projects", hint="ask for those of one")
            project, filters["app_name"] = member.project, member.apps[0]
        return project.history(**filters)


def _emit(session: Session, records: tuple[DeploymentRecord, ...]) -> None:
    from sbkube.report import history as report
    from sbkube.report import machine

    if session.options.output == "csv":
        session.terminal.out(machine.history_csv(records), raw=True)
        return
    session.emit(
        "history",
        lambda: {"deployments": [machine.deployment(record) for record in records]},
        lambda: report.table(records, ink=session.ink, width=session.terminal.table_width),
    )
