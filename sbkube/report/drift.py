"""What others changed, for people and for programs."""

from __future__ import annotations

from typing import Any

from sbkube.models.drift import AppDrift, DriftReport, DriftState, ObjectDrift, ReleaseDrift
from sbkube.models.plan import FieldChange
from sbkube.report.ink import Ink
from sbkube.report.layout import clip, near, plural
from sbkube.report.masking import masked_field
from sbkube.report.status import cluster_line
from sbkube.report.theme import DRIFT


def render(report: DriftReport, *, ink: Ink) -> str:
    """One block per app that was changed, and one line that sums up."""
    head = f"{ink.bold(report.project)} in namespace {report.namespace} on {cluster_line(report.cluster)}"
    parts = [head, *(_app(app, report.namespace, ink) for app in report.apps if app.objects or app.releases)]
    return "\n\n".join([*parts, summary(report, ink)])


def summary(report: DriftReport, ink: Ink) -> str:
    """How much is not as we left it, in one line."""
    looked = plural(sum(app.looked_at for app in report.apps), "object")
    untold = f", {report.untold} cannot be told" if report.untold else ""
    if not report.drifted:
        return ink.green(f"no drift: {looked} looked at{untold}")
    changed = sum(state is not DriftState.UNKNOWN for app in report.apps for state in app.states)
    rest = ink.dim(f"  ·  {looked} looked at{untold}  ·  sbkube apply puts it back")
    return ink.yellow(f"drift: {changed} not as we left it") + rest


def _app(app: AppDrift, home: str, ink: Ink) -> str:
    lines = [ink.bold(app.name)]
    for release in app.releases:
        mark, style = DRIFT[release.state]
        lines.append("  " + ink.paint(f"{mark} release {release.namespace}/{release.name}", style))
        lines += [f"      {note}" for note in release.notes]
    for item in app.objects:
        mark, style = DRIFT[item.state]
        note = ink.dim(f"  {item.note}") if item.note else ""
        lines.append(f"  {ink.paint(f'{mark} {near(item.key, home)}', style)}{note}")
        lines += [f"      {line}" for line in fields(item, ink)]
    return "\n".join(lines)


def fields(item: ObjectDrift, ink: Ink) -> list[str]:
    """Each field that somebody has changed: what we left, what is there now, and who it was."""
    return [_field(masked_field(item.key, change), ink) for change in item.fields]


def _field(change: FieldChange, ink: Ink) -> str:
    who = f"  by {change.manager}" if change.manager else ""
    when = f" at {change.time}" if change.manager and change.time else ""
    return (
        f"{change.path}: {ink.green(_short(change.before))} → {ink.red(_short(change.after))}{ink.dim(who + when)}"
    )


def _short(value: Any) -> str:
    return clip("absent" if value is None else " ".join(str(value).split()), 60)


def document(report: DriftReport) -> dict[str, Any]:
    """The content of `sbkube/drift/v1`."""
    return {
        "project": report.project,
        "namespace": report.namespace,
        "cluster": report.cluster.name,
        "cluster_uid": report.cluster.uid,
        "drifted": report.drifted,
        "untold": report.untold,
        "apps": [
            {
                "name": app.name,
                "looked_at": app.looked_at,
                "releases": [_release(release) for release in app.releases],
                "objects": [_object(item) for item in app.objects],
            }
            for app in report.apps
        ],
    }


def _release(release: ReleaseDrift) -> dict[str, Any]:
    return {
        "release": release.name,
        "namespace": release.namespace,
        "state": release.state.value,
        "notes": list(release.notes),
    }


def _object(item: ObjectDrift) -> dict[str, Any]:
    clean = (masked_field(item.key, f) for f in item.fields)
    return {
        **item.key.to_json(),
        "state": item.state.value,
        "note": item.note or None,
        "deployment_id": item.deployment_id or None,
        "fields": [
            {
                "path": f.path,
                "left": f.before,
                "now": f.after,
                "manager": f.manager or None,
                "operation": f.operation or None,
                "time": f.time or None,
            }
            for f in clean
        ],
    }
