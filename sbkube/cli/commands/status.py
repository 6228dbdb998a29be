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
    from sbkube.api.family import Member

EVERY = 2.0  # seconds between two looks with --watch


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
    drawn = terminal.draws and terminal.stdout.isatty()
    try:
        while not terminal.left:
            code, text = _look(session, project, watched=drawn, **how)
            if drawn:
                end = f"looked at {time.strftime('%H:%M:%S')}, again every {EVERY:g} s; Ctrl-C ends"
                session.progress.show(f"{text}\n\n{session.ink.dim(end)}")
            elif text != told:
                terminal.out(text)
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
    """The document of a project and of those that are part of it, whether or not each can be reached."""
    from sbkube.errors import SurroundingsError
    from sbkube.report import machine

    documents, codes = [], []
    for member in session.members(project):
        try:
            found = _chosen(member.project.status(member.apps, alone=True), **how)
        except SurroundingsError as error:
            documents.append(machine.left_out(_name(member), error))
            codes.append(error.exit_code)
        else:
            documents.append(machine.status(found))
            codes.append(_code(found, how))
    session.emit("status", lambda: {"projects": documents}, str)
    return max(codes)


def _look(session: Session, project: Project, *, watched: bool = False, **how: Any) -> tuple[int, str]:
    """The exit code, and the report for people; one that is `watched` fits the screen."""
    family = session.members(project)
    several = len(family) > 1
    looks = [_looked(session, member, alone=not several, watched=watched, **how) for member in family]
    if several and how["deps"]:
        heads = _heads(session, family)
        looks = [(code, f"{head}\n{text}") for head, (code, text) in zip(heads, looks, strict=True)]
    return max(code for code, _ in looks), "\n\n".join(text for _, text in looks)


def _heads(session: Session, family: Sequence[Member]) -> list[str]:
    """The name of each project, and which ones come before it."""
    from sbkube.config.family import before

    configs = [member.project.config for member in family]
    befores = [", ".join(before(config.name, configs)) for config in configs]
    names = [session.ink.bold(_name(member)) for member in family]
    return [
        f"{name}{session.ink.dim(f'  after {others}') if others else ''}"
        for name, others in zip(names, befores, strict=True)
    ]


def _name(member: Member) -> str:
    where = member.project.context
    return member.project.config.name + (f" (context {where})" if where else "")


def _looked(session: Session, member: Member, *, alone: bool, watched: bool, **how: Any) -> tuple[int, str]:
    """One project; if it is not `alone`, one that cannot be reached does not hide the others."""
    from sbkube.errors import SurroundingsError
    from sbkube.report import status as report

    project, apps = member.project, member.apps
    try:
        found = _chosen(project.status(apps, alone=True), **how)
    except SurroundingsError as error:
        if alone:
            raise
        return error.exit_code, "\n→ ".join(filter(None, (f"{_name(member)}: {error}", error.hint)))
    if how["deps"]:
        text = report.graph(found, _depends(project), ink=session.ink)
    else:
        rows = session.terminal.rows if watched else 0
        view = report.StatusView(session.options.verbose, how["by_group"], how["show_notes"], rows)
        text = report.render(found, ink=session.ink, width=session.terminal.table_width, view=view)
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
