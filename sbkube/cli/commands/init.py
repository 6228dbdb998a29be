"""`init`: a project to start from."""

from __future__ import annotations

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session

TEMPLATES = ("minimal", "helm", "phases")


@click.command("init", cls=Command)
@click.argument("folder", required=False)
@click.option("--name", metavar="NAME", help="Name of the project (default: the folder's).")
@click.option(
    "--template", type=click.Choice(TEMPLATES), default="minimal", show_default=True, help="What to begin with."
)
@click.option(
    "--from-namespace", metavar="NAMESPACE", help="Write down what runs there: objects and Helm releases."
)
def init(session: Session, folder: str | None, name: str | None, template: str, from_namespace: str | None) -> int:
    """Write a small project into FOLDER (default: the current one). Overwrites nothing.

    With --from-namespace: a project for what runs already; `sbkube adopt` then takes it over.
    """
    place = session.target(folder)
    if from_namespace:
        paths, remarks = session.api.inherit_project(place, from_namespace, name, session.where())
        following = "look through the files, then sbkube diff, and sbkube adopt to take it over"
    else:
        paths, remarks = session.api.init_project(place, name, template), []
        go = "" if place == "." else f" {place}"
        following = f"sbkube diff{go}, or sbkube --sandbox apply{go} to try it here"
    files = [str(path) for path in paths]

    def text() -> str:
        lines = [f"{session.ink.green('+')} {path}" for path in files]
        lines += [session.ink.yellow(f"! {remark}") for remark in remarks]
        return "\n".join([*lines, "", f"next: {following}"])

    session.emit("init", lambda: {"files": files, "remarks": remarks}, text)
    return 0
