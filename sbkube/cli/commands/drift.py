"""`drift`: what others changed since we last wrote."""

from __future__ import annotations

from typing import Any

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session

DRIFTED = 10


@click.command("drift", cls=Command)
@click.argument("target", required=False)
def drift(session: Session, target: str | None) -> int:
    """Compare what was recorded as left with what is in the cluster. Reads only; exits 10 when there is drift."""
    from sbkube.report import drift as report

    with session.project(target) as project:
        whole = project.drift(session.options.apps)
    found, drifted = whole.each, whole.drifted

    def document() -> dict[str, Any]:
        parts = [report.document(one) for one in found]
        return parts[0] if len(parts) == 1 else {"drifted": drifted, "projects": parts}

    def text() -> str:
        return "\n\n".join(report.render(one, ink=session.ink) for one in found)

    session.emit("drift", document, text)
    return DRIFTED if drifted else 0
