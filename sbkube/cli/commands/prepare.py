"""`prepare` and `build`: fetch what apps need, and make the charts that will be rendered. Need no cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sbkube.cli.execution import run_hooks
from sbkube.cli.options import Command
from sbkube.cli.session import Session

if TYPE_CHECKING:
    from sbkube.api.family import Member
    from sbkube.engine.fetching import Prepared


@click.command("prepare", cls=Command)
@click.argument("target", required=False)
def prepare(session: Session, target: str | None) -> int:
    """Fetch charts, repositories and files, and pin them in sbkube.lock; hooks of this stage are run."""
    found: list[tuple[str, Prepared]] = []
    with session.project(target) as project:
        for member in session.members(project, connected=False):
            if code := _hooks(session, member, "prepare"):
                return code
            found += [(member.prefix, one) for one in member.project.prepare(member.apps)]
    session.stop_progress()
    _emit(session, "prepare", found, ())
    return 0


@click.command("build", cls=Command)
@click.argument("target", required=False)
def build(session: Session, target: str | None) -> int:
    """Make the charts that will be rendered: with overrides, without what is removed, with dependencies."""
    found: list[tuple[str, Prepared]] = []
    warnings: list[str] = []
    with session.project(target) as project:
        for member in session.members(project, connected=False):
            if code := _hooks(session, member, "build"):
                return code
            built, said = member.project.build(member.apps)
            found += [(member.prefix, one) for one in built]
            warnings += said
    session.stop_progress()
    _emit(session, "build", found, warnings)
    return 0


def _hooks(session: Session, member: Member, stage: str) -> int:
    """The hooks of a stage, if there are any: only these need the cluster and the state database."""
    project = member.project
    return run_hooks(session, project, member.apps, stage, (stage,)) if project.has_hooks(stage) else 0


def _emit(session: Session, command: str, found: Sequence[tuple[str, Prepared]], warnings: Sequence[str]) -> None:
    ink = session.ink

    def text() -> str:
        lines = [
            f"{ink.green('✓')} {prefix}{p.app}: {p.what} {p.version}".rstrip() + ink.dim(f"  {p.path}")
            for prefix, p in found
        ]
        lines += [ink.yellow(f"! {warning}") for warning in warnings]
        return "\n".join(lines) or "Nothing comes from elsewhere."

    def document() -> dict[str, object]:
        items = [
            {"app": prefix + p.app, "what": p.what, "version": p.version, "path": str(p.path)}
            for prefix, p in found
        ]
        return {"items": items, "warnings": list(warnings)}

    session.emit(command, document, text)
