"""`check-updates`: newer versions of charts, and writing them into the project file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session

if TYPE_CHECKING:
    from sbkube.engine.updates import Update

_STYLES = {"major": "red", "minor": "yellow", "patch": "green"}


@click.command("check-updates", cls=Command)
@click.argument("target", required=False)
@click.option("--update-config", is_flag=True, help="Write newer versions into the file; everything else stays.")
@click.option("--major", is_flag=True, help="With --update-config: also over a major version.")
@click.option("--exit-status", is_flag=True, help="Exit 10 when there is something newer.")
def check_updates(
    session: Session, target: str | None, update_config: bool, major: bool, exit_status: bool
) -> int:
    """Look for newer versions of the charts of Helm apps. Pre-releases count only for who uses one."""
    with session.project(target) as project:
        found, written = [], []
        for member in session.members(project, connected=False):
            own = member.project.updates(member.apps)
            changed = member.project.write_updates(own, major=major) if update_config else []
            found += [replace(update, app=member.prefix + update.app) for update in own]
            written += [replace(update, app=member.prefix + update.app) for update in changed]
    session.stop_progress()
    session.emit("check-updates", lambda: _document(found, written), lambda: _text(session, found, written))
    return 10 if exit_status and any(update.available for update in found) else 0


def _document(found: Sequence[Update], written: Sequence[Update]) -> dict[str, Any]:
    return {
        "updates": [
            {
                "app": u.app,
                "chart": u.chart,
                "version": u.version,
                "newest": u.newest or None,
                "newest_same_major": u.same_major or None,
                "step": u.step or None,
                "pinned": u.pinned,
                "written": u in written,
            }
            for u in found
        ]
    }


def _text(session: Session, found: Sequence[Update], written: Sequence[Update]) -> str:
    from sbkube.report.layout import columns

    newer = [u for u in found if u.available]
    if not newer:
        return (
            f"{session.ink.green('✓')} all charts are at their newest version"
            if found
            else "No charts to look for."
        )
    rows = [
        (
            u.app,
            u.chart,
            u.version,
            u.same_major or "-",
            session.ink.paint(u.newest, _STYLES[u.step]),
            "written" if u in written else "" if u.pinned else "follows by itself",
        )
        for u in newer
    ]
    head = ("APP", "CHART", "VERSION", "SAME MAJOR", "NEWEST", "")
    lines = columns(head, rows, ink=session.ink, width=session.terminal.table_width, flexible=("CHART", "APP"))
    if not written:
        lines += ["", session.ink.dim("write them into the file: sbkube check-updates --update-config")]
    return "\n".join(lines)
