"""`migrate`: one project file from the older `config.yaml` and `sources.yaml`."""

from __future__ import annotations

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session


@click.command("migrate", cls=Command)
@click.argument("folder", required=False)
@click.option("--name", metavar="NAME", help="Name of the project (default: the folder's).")
def migrate(session: Session, folder: str | None, name: str | None) -> int:
    """Write sbkube.yaml from the older config.yaml and sources.yaml of FOLDER (default: the current one).

    The older files stay. What cannot be carried over is said; --dry-run only shows the new file.
    """
    place = session.target(folder)
    only_look = session.options.dry_run
    text, remarks = session.api.migrate_project(place, name, write=not only_look)
    ink = session.ink

    def shown() -> str:
        lines = [text] if only_look else [f"{ink.green('+')} {place}/sbkube.yaml"]
        lines += [ink.yellow(f"! {remark}") for remark in remarks]
        return "\n".join([*lines, "", "next: sbkube validate, then sbkube diff"])

    session.emit("migrate", lambda: {"file": text, "remarks": remarks, "written": not only_look}, shown)
    return 0
