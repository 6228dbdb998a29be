"""`validate`: is the project file right? Needs no cluster."""

from __future__ import annotations

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session
from sbkube.report.layout import plural


@click.command("validate", cls=Command)
@click.argument("target", required=False)
def validate(session: Session, target: str | None) -> int:
    """Check the project file and everything it names; every problem is told with its line."""
    with session.project(target) as project:
        warnings = project.validate()
        config = project.config
    ink = session.ink

    def text() -> str:
        head = f"{ink.green('✓')} {config.path} is valid: project {config.name}, {plural(len(config.apps), 'app')}"
        return "\n".join([head, *(ink.yellow(f"! {warning}") for warning in warnings)])

    session.emit(
        "validate",
        lambda: {
            "valid": True,
            "file": str(config.path),
            "project": config.name,
            "apps": list(config.apps),
            "warnings": [str(warning) for warning in warnings],
        },
        text,
    )
    return 0
