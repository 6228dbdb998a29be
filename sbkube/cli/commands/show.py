"""`show`: one deployment with everything it did. Needs no cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session

if TYPE_CHECKING:
    from sbkube.models.deployment_state import DeploymentDetail


@click.command("show", cls=Command)
@click.argument("reference", metavar="ID", default="latest")
@click.option("--html", metavar="FILE", help="Write it as one HTML file, with what changed and without secrets.")
def show(session: Session, reference: str, html: str | None) -> int:
    """Show a deployment: apps, operations with durations, evidence of failures (-v: what changed).

    ID is a deployment's id or the beginning of it, latest (the default), or latest~N.
    """
    return show_deployment(session, reference, html)


def show_deployment(session: Session, reference: str, html: str | None = None) -> int:
    """Report on one deployment of the project at hand, or of any project where there is none; `html` is a file
    that the report is written to instead."""
    from sbkube.report import detail as report
    from sbkube.report import machine

    if session.has_project():
        with session.records() as records:
            found = records.show(reference)
            parts = story(found, records.show)
            hidden = records.hidden_paths(part.deployment for part in parts)
    else:
        url = session.options.state_url
        found = session.api.show(reference, url)
        parts = story(found, lambda name: session.api.show(name, url))
        hidden = session.api.hidden_paths([part.deployment for part in parts], url)

    names = [part.deployment.deployment_id for part in parts]
    parts = [found, *(part for part in parts if part is not found)]
    if html:
        from sbkube.api.private_files import write_private
        from sbkube.report import html as html_report

        write_private(Path(html), html_report.page(parts, hidden), "report")

    def text() -> str:
        if html:
            return f"written: {html}"
        width, diffs, ink = session.terminal.width, session.options.verbose, session.ink
        rendered = (report.render(part, ink=ink, diffs=diffs, width=width, hidden=hidden) for part in parts)
        return "\n\n".join(rendered)

    session.emit("show", lambda: {**machine.detail(found), "story": names}, text)
    return 0


def story(found: DeploymentDetail, fetch: Callable[[str], DeploymentDetail]) -> list[DeploymentDetail]:
    """An interrupted deployment with those that went on with it, oldest first; for any other just itself."""
    parts = [found]
    while parts[0].deployment.resumes:
        parts.insert(0, fetch(parts[0].deployment.resumes))
    while parts[-1].deployment.resumed_by:
        parts.append(fetch(parts[-1].deployment.resumed_by))
    return parts
