"""`status`: how everything deployed is now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from sbkube.cli.options import Command
from sbkube.cli.session import Session

if TYPE_CHECKING:
    from sbkube.api import Project

EVERY = 2.0  # seconds between two looks with --watch
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"


@click.command("status", cls=Command)
@click.argument("target", required=False)
@click.option("--exit-status", "--health-check", is_flag=True, help="Exit 1 when an app is not healthy.")
@click.option("--unhealthy", is_flag=True, help="Only apps that are not healthy.")
@click.option("--managed", is_flag=True, help="Only apps that have been deployed.")
@click.option("--by-group", is_flag=True, help="Apps under their phases.")
@click.option("--deps", is_flag=True, help="Apps as a tree of what depends on what.")
@click.option("--show-notes", is_flag=True, help="What the authors of apps noted.")
@click.option("--check-updates", is_flag=True, help="Newer versions of charts, too.")
@click.option("--watch", is_flag=True, help="Look again every 2 seconds, until Ctrl-C.")
def status(session: Session, target: str | None, watch: bool, **how: Any) -> int:
    """Show the health of every app of the project, and the objects that are not well (-v: all objects)."""
    from sbkube.errors import UsageError

    if watch and not session.human:
        raise UsageError("--watch is for people", hint="ask again for another document")
    with session.project(target) as project:
        if not watch:
            return _once(session, project, **how)
        return _watched(session, project, **how)


def _watched(session: Session, project: Project, **how: Any) -> int:
    terminal, told, code = session.terminal, "", 0
    try:
        while not terminal.left:
            code, text = _look(session, project, **how)
            if text != told:
                drawn = terminal.stdout.isatty()
                terminal.out(f"{_CLEAR}{text}" if drawn else text)
                told = text
            time.sleep(EVERY)
    except KeyboardInterrupt:
        pass
    return code


def _once(session: Session, project: Project, **how: Any) -> int:
    from sbkube.report import machine

    if session.human:
        code, text = _look(session, project, **how)
        session.terminal.out(text)
        return code
    if project.children:
        return _family(session, project, **how)
    found = _chosen(project.status(session.apps(project)), **how)
    document = machine.status(found)
    if how["deps"]:
        document["depends_on"] = _depends(project)
    if how["check_updates"]:
        document["updates"] = [
            {"app": u.app, "version": u.version, "newest": u.newest or None}
            for u in project.updates(session.apps(project))
        ]
    session.emit("status", lambda: document, str)
    return _code(found, how)


def _family(session: Session, project: Project, **how: Any) -> int:
    """The document of a project and of those that are part of it."""
    from sbkube.report import machine

    found = [_chosen(m.project.status(m.apps), **how) for m in session.members(project)]
    session.emit("status", lambda: {"projects": [machine.status(one) for one in found]}, str)
    return max(_code(one, how) for one in found)


def _look(session: Session, project: Project, **how: Any) -> tuple[int, str]:
    """The exit code, and the report for people."""
    looks = [_looked(session, m.project, m.apps, **how) for m in session.members(project)]
    return max(code for code, _ in looks), "\n\n".join(text for _, text in looks)


def _looked(session: Session, project: Project, apps: Sequence[str], **how: Any) -> tuple[int, str]:
    from sbkube.report import status as report

    found = _chosen(project.status(apps), **how)
    if how["deps"]:
        text = report.graph(found, _depends(project), ink=session.ink)
    else:
        view = report.StatusView(session.options.verbose, how["by_group"], how["show_notes"])
        text = report.render(found, ink=session.ink, width=session.terminal.width, view=view)
    if how["check_updates"]:
        newer = [u for u in project.updates(apps) if u.available]
        text += "\n\n" + (
            "\n".join(f"{u.app}: {u.chart} {u.version} → {u.newest}" for u in newer) or "No updates."
        )
    return _code(found, how), text


def _chosen(found: Any, **how: Any) -> Any:
    """The report without the apps that nobody asked for."""
    from dataclasses import replace

    apps = found.apps
    if how["unhealthy"]:
        apps = tuple(app for app in apps if not app.health.ready)
    if how["managed"]:
        apps = tuple(app for app in apps if app.objects or app.release)
    return found if apps == found.apps else replace(found, apps=apps)


def _depends(project: Project) -> dict[str, list[str]]:
    return {name: list(app.depends_on) for name, app in project.config.apps.items()}


def _code(found: Any, how: dict[str, Any]) -> int:
    return 1 if how["exit_status"] and not all(app.health.ready for app in found.apps) else 0
