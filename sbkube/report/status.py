"""How a project is now: one line per app, and below it only the objects that are not well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sbkube.models.health import Health, HealthStatus
from sbkube.models.resource import ClusterInfo
from sbkube.report.history import word
from sbkube.report.ink import Ink
from sbkube.report.layout import age, columns, indent, near, plural
from sbkube.report.shapes import AppStatusLike, CheckLike, StatusLike
from sbkube.report.theme import HEALTH

_AROUND = 8  # rows of a screen for what stands around the table, and for objects that are not well
_HEAD = ("  APP", "TYPE", "NAMESPACE", "HEALTH", "READY", "RELEASE")


def cluster_line(info: ClusterInfo) -> str:
    """The cluster in a few words; a sandbox is always called one."""
    if info.sandbox and info.name == "sandbox":
        return f"sandbox (simulated Kubernetes API) {info.version}".rstrip()
    facts = [f"context {info.context}"] if info.context not in ("", info.name) else []
    facts += [info.version] if info.version else []
    facts += ["sandbox (simulated Kubernetes API)"] if info.sandbox else []
    return info.name + (f" ({', '.join(facts)})" if facts else "")


def health_word(health: Health, ink: Ink) -> str:
    """The status in its colour."""
    return ink.paint(health.status.value.replace("_", " "), HEALTH[health.status][1])


@dataclass(frozen=True, slots=True)
class StatusView:
    """How much to show: `every` object and not only those that are not ready, apps under their phases (`grouped`),
    and what their authors noted (`notes`). Where apps do not fit `rows` (0: all do), those that are well are
    counted."""

    every: bool = False
    grouped: bool = False
    notes: bool = False
    rows: int = 0


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
    folded = _fold(report.apps, view)
    apps = [app for app in report.apps if not folded or not app.health.ready]
    if folded:
        mark, style = HEALTH[HealthStatus.READY]
        parts.append(f"{ink.paint(mark, style)} {plural(folded, 'app')} ready")
    if apps:
        several = {app.namespace for app in report.apps} != {report.namespace}
        rows = [_row(app, ink, several) for app in apps]
        table = columns(_HEAD, rows, ink=ink, width=width, flexible=("RELEASE", "NAMESPACE", "  APP"))
        lines, group = [table[0]], ""
        for app, line in zip(apps, table[1:], strict=True):
            phase = app.name.rpartition("/")[0]
            if view.grouped and phase != group:
                lines.append(ink.bold(phase or report.project))
                group = phase
            lines += [line, *_objects(app, ink, view)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _fold(apps: Sequence[AppStatusLike], view: StatusView) -> int:
    """How many apps that are well are counted, not listed."""
    fits = not view.rows or len(apps) <= view.rows - _AROUND
    return 0 if fits else sum(app.health.ready for app in apps)


def _last(report: StatusLike, ink: Ink, now: datetime | None) -> str:
    last = report.last
    if last is None:
        return ink.dim("never deployed")
    return f"last: {last.command} {word(last.status, ink)}, {age(last.created_at, now)} ago  " + ink.dim(
        last.deployment_id
    )


def _row(app: AppStatusLike, ink: Ink, several: bool) -> tuple[str, ...]:
    """`several`: not all apps are in the namespace that is told above."""
    mark, style = HEALTH[app.health.status]
    up = sum(health.ready for _, health in app.objects)
    count = f"{up}/{len(app.objects)}" if app.objects else ""
    return (
        f"{ink.paint(mark, style)} {app.name}",
        app.type,
        app.namespace if several else "",
        health_word(app.health, ink),
        count,
        app.release,
    )


def _objects(app: AppStatusLike, ink: Ink, view: StatusView) -> list[str]:
    lines = []
    for key, health in app.objects:
        if view.every or not health.ready:
            mark, style = HEALTH[health.status]
            why = health.message or ("" if health.ready else health.reason)
            note = ink.dim(f"  {why}") if why else ""
            lines.append(f"    {ink.paint(mark, style)} {near(key, app.namespace)}{note}")
    if (view.every or view.notes) and app.notes:
        lines.append(ink.dim(indent(app.notes.strip(), "    | ")))
    return lines


def graph(report: StatusLike, depends: Mapping[str, Sequence[str]], *, ink: Ink) -> str:
    """The apps as trees: below each app what depends on it; one that depends on several stands below each. What
    is not well says why."""
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
        mark, style = HEALTH[app.health.status]
        branch = "" if top else lead + ("└─ " if last else "├─ ")
        again = name in shown and children[name]
        note = "(see above)" if again else "" if app.health.ready else app.health.message
        lines.append(f"{branch}{ink.paint(mark, style)} {name}{ink.dim(f'  {note}') if note else ''}")
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
