"""How a project is now: one line per app, and below it only the objects that are not well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sbkube.models.health import Health, HealthStatus
from sbkube.models.resource import ClusterInfo
from sbkube.report.history import word
from sbkube.report.ink import Ink
from sbkube.report.layout import age, columns, indent
from sbkube.report.shapes import AppStatusLike, CheckLike, StatusLike

STYLES: Mapping[HealthStatus, tuple[str, str]] = {
    HealthStatus.READY: ("●", "green"),
    HealthStatus.IN_PROGRESS: ("◐", "yellow"),
    HealthStatus.FAILED: ("✗", "red"),
    HealthStatus.TERMINATING: ("◌", "yellow"),
    HealthStatus.MISSING: ("✗", "red"),
    HealthStatus.UNKNOWN: ("?", "dim"),
}
_HEAD = ("  APP", "TYPE", "NAMESPACE", "HEALTH", "READY", "RELEASE")


def cluster_line(info: ClusterInfo) -> str:
    """The cluster in a few words; a sandbox is always called one."""
    facts = [f"context {info.context}"] if info.context else []
    facts += [info.version] if info.version else []
    facts += ["sandbox (simulated Kubernetes API)"] if info.sandbox else []
    return info.name + (f" ({', '.join(facts)})" if facts else "")


def health_word(health: Health, ink: Ink) -> str:
    """The status in its colour."""
    return ink.paint(health.status.value.replace("_", " "), STYLES[health.status][1])


@dataclass(frozen=True, slots=True)
class StatusView:
    """How much to show: `every` object and not only those that are not ready, apps under their phases (`grouped`),
    and what their authors noted (`notes`)."""

    every: bool = False
    grouped: bool = False
    notes: bool = False


def render(
    report: StatusLike,
    *,
    ink: Ink,
    width: int = 80,
    view: StatusView = StatusView(),
    now: datetime | None = None,
) -> str:
    """The report."""
    head = f"{ink.bold(report.project)} in namespace {report.namespace} on {cluster_line(report.cluster)}"
    parts = [f"{head}\n{_last(report, ink, now)}"]
    if report.apps:
        rows = [_row(app, ink) for app in report.apps]
        table = columns(_HEAD, rows, ink=ink, width=width, flexible=("RELEASE", "NAMESPACE", "  APP"))
        lines, group = [table[0]], ""
        for app, line in zip(report.apps, table[1:], strict=True):
            phase = app.name.rpartition("/")[0]
            if view.grouped and phase != group:
                lines.append(ink.bold(phase or report.project))
                group = phase
            lines += [line, *_objects(app, ink, view)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _last(report: StatusLike, ink: Ink, now: datetime | None) -> str:
    last = report.last
    if last is None:
        return ink.dim("never deployed")
    return f"last: {last.command} {word(last.status, ink)}, {age(last.created_at, now)} ago  " + ink.dim(
        last.deployment_id
    )


def _row(app: AppStatusLike, ink: Ink) -> tuple[str, ...]:
    mark, style = STYLES[app.health.status]
    up = sum(health.ready for _, health in app.objects)
    count = f"{up}/{len(app.objects)}" if app.objects else ""
    return (
        f"{ink.paint(mark, style)} {app.name}",
        app.type,
        app.namespace,
        health_word(app.health, ink),
        count,
        app.release,
    )


def _objects(app: AppStatusLike, ink: Ink, view: StatusView) -> list[str]:
    lines = []
    for key, health in app.objects:
        if view.every or not health.ready:
            mark, style = STYLES[health.status]
            why = health.message or ("" if health.ready else health.reason)
            lines.append(f"    {ink.paint(mark, style)} {key}" + (ink.dim(f"  {why}") if why else ""))
    if (view.every or view.notes) and app.notes:
        lines.append(ink.dim(indent(app.notes.strip(), "    | ")))
    return lines


def graph(report: StatusLike, depends: Mapping[str, Sequence[str]], *, ink: Ink) -> str:
    """The apps as trees: below each app what depends on it; one that depends on several stands below each."""
    by_name = {app.name: app for app in report.apps}
    children: dict[str, list[str]] = {name: [] for name in by_name}
    for name in by_name:
        for other in depends.get(name, ()):
            if other in children:
                children[other].append(name)
    roots = [name for name in by_name if not any(other in by_name for other in depends.get(name, ()))]
    lines: list[str] = []
    shown: set[str] = set()

    def walk(name: str, lead: str, last: bool, top: bool) -> None:
        app = by_name[name]
        mark, style = STYLES[app.health.status]
        branch = "" if top else lead + ("└─ " if last else "├─ ")
        again = name in shown and children[name]
        lines.append(f"{branch}{ink.paint(mark, style)} {name}{ink.dim('  (see above)') if again else ''}")
        if again:
            return
        shown.add(name)
        inner = "" if top else lead + ("   " if last else "│  ")
        for index, child in enumerate(children[name]):
            walk(child, inner, index == len(children[name]) - 1, top=False)

    for root in roots:
        walk(root, "", last=True, top=True)
    return "\n".join(lines)


def checks(found: Sequence[CheckLike], *, ink: Ink) -> str:
    """The doctor's findings, one line each, with the way out below what is wrong."""
    width = max((len(check.name) for check in found), default=0)
    lines = []
    for check in found:
        mark = ink.green("✓") if check.ok else ink.red("✗")
        lines.append(f"{mark} {check.name:<{width}}  {check.text}")
        if check.hint and not check.ok:
            lines.append(ink.dim(f"  {'':<{width}}  → {check.hint}"))
    return "\n".join(lines)
