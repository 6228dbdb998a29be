"""How a project is now: one line per app, and below it only the objects that are not well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def render(
    report: StatusLike, *, ink: Ink, width: int = 80, every: bool = False, now: datetime | None = None
) -> str:
    """The report; `every` lists all objects, not only those that are not ready."""
    head = f"{ink.bold(report.project)} in namespace {report.namespace} on {cluster_line(report.cluster)}"
    parts = [f"{head}\n{_last(report, ink, now)}"]
    if report.apps:
        rows = [_row(app, ink) for app in report.apps]
        table = columns(_HEAD, rows, ink=ink, width=width, flexible=("RELEASE", "NAMESPACE", "  APP"))
        lines = [table[0]]
        for app, line in zip(report.apps, table[1:], strict=True):
            lines += [line, *_objects(app, ink, every)]
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


def _objects(app: AppStatusLike, ink: Ink, every: bool) -> list[str]:
    lines = []
    for key, health in app.objects:
        if every or not health.ready:
            mark, style = STYLES[health.status]
            why = health.message or ("" if health.ready else health.reason)
            lines.append(f"    {ink.paint(mark, style)} {key}" + (ink.dim(f"  {why}") if why else ""))
    if every and app.notes:
        lines.append(ink.dim(indent(app.notes.strip(), "    | ")))
    return lines


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
