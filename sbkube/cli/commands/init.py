"""`init`: a small project to start from."""

from __future__ import annotations

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session


@click.command("init", cls=Command)
@click.argument("folder", required=False)
@click.option("--name", metavar="NAME", help="Name of the project (default: the folder's).")
def init(session: Session, folder: str | None, name: str | None) -> int:
    """Write a small project into FOLDER (default: the current one). Overwrites nothing."""
    place = session.target(folder)
    files = [str(path) for path in session.api.init_project(place, name)]
    go = "" if place == "." else f" {place}"

    def text() -> str:
        lines = [f"{session.ink.green('+')} {path}" for path in files]
        return "\n".join([*lines, "", f"next: sbkube diff{go}, or sbkube --sandbox apply{go} to try it here"])

    session.emit("init", lambda: {"files": files}, text)
    return 0
