"""`schema`: the JSON Schemas of the project file and of the documents that commands print."""

from __future__ import annotations

import json

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session


@click.command("schema", cls=Command)
@click.argument("name", required=False, default="")
def schema(session: Session, name: str) -> int:
    """Print the JSON Schema of sbkube.yaml, or of the document NAME of -o json, such as plan, show or error.

    It is its own document in every format.
    """
    found = session.api.schema(*([name] if name else []))
    if session.options.output in ("human", "json"):
        session.terminal.out(json.dumps(found, indent=2, ensure_ascii=False), raw=True)
        return 0
    from sbkube.report import machine

    session.terminal.out(machine.encode(found, session.options.output), raw=True)
    return 0
