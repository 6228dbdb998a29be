"""The end of a run: one line per app, the evidence of what failed, one line for all, and where to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from sbkube.models.deployment_state import AppDeploymentRecord, DeploymentDetail, DeploymentStatus
from sbkube.models.outcome import OpState
from sbkube.models.plan import Verb
from sbkube.report.detail import did, evidence, in_short
from sbkube.report.history import word
from sbkube.report.ink import Ink
from sbkube.report.layout import between, plural
from sbkube.report.theme import DEPLOYMENTS

_AROUND = 8  # rows of a screen for what stands around the lines of apps
_ORDER = ("created", "changed", "patched", "recreated", "deleted", "taken over", "given back")


def render(detail: DeploymentDetail, *, ink: Ink, width: int = 80, rows: int = 0) -> str:
    """Summary of a finished run; where there are more apps than fit `rows` (0: any number does), those that went
    well are counted."""
    record = detail.deployment
    lines = _apps(detail, ink, width, rows)
    well = {app.app_name for app in detail.apps if app.status is DeploymentStatus.SUCCESS}
    events = [e for e in detail.events if e.kind != "command.output" or e.app_name not in well]
    failures = [event for event in events if event.kind not in {"warning", "note"}]
    shown = "\n".join(lines)
    told = {(app.app_name, app.error_message) for app in detail.apps if (app.error_message or "") in shown}
    more = evidence(failures, ink, told=told)
    if record.status is not DeploymentStatus.SUCCESS and more:
        lines += ["", more]
    took = between(record.created_at, record.ended_at)
    title = f"{ink.bold(record.command)} {word(record.status, ink)}"
    lines += ["", f"{title} in {took or '?'} on {record.cluster}: {tally(detail)}"]
    if record.error_message and not failures:
        lines.append(ink.red(record.error_message))
    lines.append(ink.dim(f"recorded as {record.deployment_id}" + _next(detail)))
    return "\n".join(lines).lstrip("\n")


def undone(rollback: DeploymentDetail | None, reason: str, *, ink: Ink) -> str:
    """What became of undoing a failed run: its summary, or why it was not undone."""
    if rollback is None:
        text = f"not rolled back: {reason}"
        return "\n" + ink.red(text) + ink.dim("\nwhen that is settled: sbkube rollback")
    return "\n" + render(rollback, ink=ink)


def tally(detail: DeploymentDetail) -> str:
    """`2 created, 1 changed, 1 failed`, or `nothing to do`."""
    done = Counter(did(r) for r in detail.resources if r.state is OpState.APPLIED)
    states = [r.state for r in detail.resources] + [r.state for r in detail.releases]
    failed = states.count(OpState.FAILED)
    parts = [f"{done[name]} {name}" for name in _ORDER if done[name]]
    parts += [f"{plural(done['run'], 'command')} run"] if done["run"] else []
    releases = sum(r.state is OpState.APPLIED for r in detail.releases)
    if releases:
        parts.append(plural(releases, "release"))
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join(parts) or "nothing to do"


def _apps(detail: DeploymentDetail, ink: Ink, width: int, rows: int) -> list[str]:
    many = rows and len(detail.apps) > rows - _AROUND
    folded = {app.app_name for app in detail.apps if many and app.status is DeploymentStatus.SUCCESS}
    lines = []
    if folded:
        mark = ink.paint(*DEPLOYMENTS[DeploymentStatus.SUCCESS])
        lines.append(f"{mark} {ink.bold(plural(len(folded), 'app'))}  {tally(_of(detail, folded))}")
    return lines + [_app(app, detail, ink, width) for app in detail.apps if app.app_name not in folded]


def _of(detail: DeploymentDetail, apps: Collection[str]) -> DeploymentDetail:
    """What was done for some of the apps."""
    return DeploymentDetail(
        detail.deployment,
        resources=tuple(r for r in detail.resources if r.app_name in apps),
        releases=tuple(r for r in detail.releases if r.app_name in apps),
    )


def _app(app: AppDeploymentRecord, detail: DeploymentDetail, ink: Ink, width: int) -> str:
    mark = ink.paint(*DEPLOYMENTS[app.status])
    own = _of(detail, {app.app_name})
    text = tally(own)
    if app.status is DeploymentStatus.PENDING and not any(r.state is OpState.APPLIED for r in own.resources):
        text = "not started"
    if app.error_message:
        text = ink.red(in_short(app.error_message, detail, width and width - len(app.app_name) - 12))
    took = between(app.started_at, app.ended_at)
    return f"{mark} {ink.bold(app.app_name)}  {text}" + (f"  {ink.dim(took)}" if took else "")


def _next(detail: DeploymentDetail) -> str:
    record = detail.deployment
    if not detail.resources and not detail.releases:
        return ""
    more = "" if record.status is DeploymentStatus.SUCCESS else f"  ·  more: sbkube show {record.deployment_id}"
    if record.status is DeploymentStatus.INTERRUPTED:
        more += "  ·  go on: sbkube resume"
    # Nobody knows how to undo a command: `rollback` would undo the deployment before it.
    changed = detail.releases or any(row.verb != Verb.RUN for row in detail.resources)
    return f"{more}  ·  undo: sbkube rollback" if changed else more
