"""`schema`: the JSON Schema of the project file, for editors."""

from __future__ import annotations

import json

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session


@click.command("schema", cls=Command)
def schema(session: Session) -> int:
    """Print the JSON Schema of sbkube.yaml; it is its own document in every format."""
    found = session.api.schema()
    if session.options.output in ("human", "json"):
        session.terminal.out(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    from sbkube.report import machine

    session.terminal.out(machine.encode(found, session.options.output))
    return 0
