"""One deployment with everything below it: who, what, how long, and what went wrong with which evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sbkube.models.deployment_state import (
    AppDeploymentRecord,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    EventRecord,
    HelmReleaseRecord,
    ResourceRecord,
)
from sbkube.models.outcome import OpState
from sbkube.plan.sensitive import sensitive_paths
from sbkube.report.diff import unified
from sbkube.report.history import changes, word
from sbkube.report.ink import Ink
from sbkube.report.layout import between, clip, gist, indent, moment, near, plural
from sbkube.report.masking import masked_pair
from sbkube.report.printable import printable
from sbkube.report.theme import DEPLOYMENTS, EVENTS, OPERATIONS


def render(
    detail: DeploymentDetail, *, ink: Ink, diffs: bool = False, width: int = 80, hidden: Sequence[str] = ()
) -> str:
    """The whole report; `diffs` adds what changed in every object, without secret values: those that the
    deployment calls sensitive, and those at `hidden` paths. Without it, what went well is counted where it is
    much."""
    hidden = (*sensitive_paths(detail.deployment.config_snapshot), *hidden)
    parts = [_head(detail, ink, width)]
    told: set[Told] = set()
    fold = len(detail.resources) > _MANY and not diffs
    for app in detail.apps:
        lines = [_app(app, detail, ink, width)]
        told |= {(app.app_name, app.error_message)} if (app.error_message or "") in lines[0] else set()
        lines += [_release(r, ink, app) for r in detail.releases if r.app_name == app.app_name]
        own = [record for record in detail.resources if record.app_name == app.app_name]
        well = [record for record in own if fold and record.state is OpState.APPLIED]
        lines += _counted(well, ink)
        for record in own:
            if record not in well:
                lines += _resource(record, app, ink, diffs, hidden)
        parts.append("\n".join(lines))
    if kept := evidence(detail.events, ink, whole=diffs, told=told):
        parts.append(kept)
    return "\n\n".join(parts)


def _counted(records: Sequence[ResourceRecord], ink: Ink) -> list[str]:
    """`✓ 9 ConfigMap, 1 Deployment created`, a line for each thing that was done."""
    kinds: dict[str, Counter[str]] = {}
    for record in records:
        kinds.setdefault(did(record), Counter())[record.key.kind] += 1
    mark, style = OPERATIONS[OpState.APPLIED]
    listed = {done: ", ".join(f"{count} {kind}" for kind, count in found.items()) for done, found in kinds.items()}
    return [f"  {ink.paint(f'{mark} {what}', style)}  {ink.dim(done)}" for done, what in listed.items()]


def in_short(message: str, detail: DeploymentDetail, width: int) -> str:
    """An error in one line where the evidence tells all of it, else as it is; `width` 0 is any."""
    told = any(message.endswith(event.message) for event in detail.events if event.message)
    return gist(message, width and max(width, 30)) if told else message


def _head(detail: DeploymentDetail, ink: Ink, width: int) -> str:
    record = detail.deployment
    lines = [f"{ink.bold(record.deployment_id)}  {word(record.status, ink)}"]
    known = {f"{app.app_name}: {app.error_message}" for app in detail.apps}
    for name, value in facts(record):
        if name == "error" and value in known:
            continue  # its app tells it
        value = ink.red(in_short(value, detail, width and width - 12)) if name == "error" else value
        lines.append(f"  {ink.dim(f'{name:<10}')}{value}")
    return "\n".join(lines)


def facts(record: DeploymentRecord) -> list[tuple[str, str]]:
    """What is known of a deployment as a whole, in words; what is not known is left out."""
    who = f"{record.operator or 'somebody'}{f'@{record.host}' if record.host else ''}"
    line = (record.command_args or {}).get("line")
    found = [
        ("command", (line or record.command) + (" (dry run)" if record.dry_run else "")),
        ("project", f"{record.project or '-'} in namespace {record.namespace}"),
        ("cluster", record.cluster + (f" (context {record.context})" if record.context else "")),
        ("uid", record.cluster_uid),
        ("file", record.config_file_path),
        ("by", who + (f", as {record.kubernetes_user}" if record.kubernetes_user else "")),
        ("from", _source(record.origin)),
        ("job", str(record.origin.get("job") or "")),
        ("started", moment(record.created_at)),
        ("took", between(record.created_at, record.ended_at)),
        ("changes", changes(record.counts) if record.counts else ""),
        ("goes on", f"with {record.resumes}, which was interrupted" if record.resumes else ""),
        ("refers to", (record.parent or "") if not record.resumes else ""),
        ("resumed", f"by {record.resumed_by}" if record.resumed_by else ""),
        ("undone", f"rolled back by {record.rolled_back_by}" if record.rolled_back_by else ""),
        ("version", f"sbkube {record.sbkube_version}" if record.sbkube_version else ""),
        ("error", record.error_message or ""),
    ]
    return [(name, value) for name, value in found if value]


def _source(origin: Mapping[str, Any]) -> str:
    """Which state of which repository it was made from."""
    if not origin.get("commit"):
        return str(origin.get("remote") or "")
    branch = f" on {origin['branch']}" if origin.get("branch") else ""
    changed = ", with changes that were not committed" if origin.get("dirty") else ""
    remote = f" of {origin['remote']}" if origin.get("remote") else ""
    return f"{str(origin['commit'])[:12]}{branch}{remote}{changed}"


def _app(app: AppDeploymentRecord, detail: DeploymentDetail, ink: Ink, width: int) -> str:
    took = between(app.started_at, app.ended_at)
    where = ink.dim(f"{app.app_type} in {app.namespace}" if app.namespace else app.app_type)
    idle = app.status is DeploymentStatus.SUCCESS and app.started_at is None
    told = "nothing to do" if idle else took
    line = f"{ink.bold(app.app_name)}  {where}  {word(app.status, ink)}" + (f"  {ink.dim(told)}" if told else "")
    if not app.error_message:
        return line
    why = in_short(app.error_message, detail, width and width - 2)
    return f"{line}\n  {ink.paint(why, DEPLOYMENTS[app.status][1])}"


def _release(record: HelmReleaseRecord, ink: Ink, app: AppDeploymentRecord) -> str:
    mark, style = OPERATIONS[record.state]
    text = f"{mark} release {record.namespace}/{record.release_name}: {record.chart} {record.chart_version}"
    took = between(record.started_at, record.ended_at)
    line = f"  {ink.paint(text.rstrip(), style)}, revision {revisions(record)}  {ink.dim(took)}".rstrip()
    return line + _why(record, ink, app)


def revisions(record: HelmReleaseRecord) -> str:
    """Which revision of a release became which: `none → 1`, `1 → 2`, `2 → gone`."""
    gone = record.verb.endswith("uninstall")
    after = "gone" if gone else str(record.revision_after or "?")
    return f"{record.revision_before or 'none'} → {after}"


def why(record: ResourceRecord | HelmReleaseRecord) -> str:
    """Why an operation has not been applied, or nothing."""
    reason, message = record.reason, record.message
    if record.state is OpState.APPLIED:
        return ""
    return message if reason and reason in message else f"{reason}: {message}".strip(": ")


def _resource(
    record: ResourceRecord, app: AppDeploymentRecord, ink: Ink, diffs: bool, hidden: Sequence[str]
) -> list[str]:
    mark, style = OPERATIONS[record.state]
    took = between(record.started_at, record.ended_at)
    source = f"  {record.source_file}:{record.source_line}" if record.source_file and record.source_line else ""
    facts = f"{did(record)}{f'  {took}' if took else ''}{source}"
    lines = [f"  {ink.paint(f'{mark} {near(record.key, app.namespace)}', style)}  {ink.dim(facts)}"]
    lines[0] += _why(record, ink, app)
    if record.missing_key:
        lines.append(ink.yellow("      its images are encrypted with a key that is not here"))
    elif diffs and record.before != record.after:
        before, after = masked_pair(record.key, record.before, record.after, hidden)
        lines += [f"      {line}" for line in unified(before, after, ink)]
    return lines


_MANY = 60  # operations: where there are more, what went well is counted, not listed
_LINES, _COLUMNS = 20, 300  # of what a command or a pod said

# Verbs whose images do not tell what was done.
_WORDS = {
    "label": "labelled",
    "migrate": "taken over",
    "give_back": "given back",
    "handover": "handed over",
    "clear": "cleared",
    "forget": "forgotten",
    "run": "run",
    "patch": "patched",
}


def did(record: ResourceRecord) -> str:
    """What became of the object, in one word where the images tell it."""
    if record.state is not OpState.APPLIED or record.missing_key:
        return f"{record.verb} {record.state.value}"
    if record.verb in _WORDS:
        return _WORDS[record.verb]
    if record.resource_version_before and record.resource_version_before == record.resource_version_after:
        return "unchanged"
    if record.before is None and record.after is not None:
        return "created"
    if record.before is not None and record.after is None:
        return "deleted"
    return {"delete": "deleted", "recreate": "recreated"}.get(record.verb, "changed")


def _why(record: ResourceRecord | HelmReleaseRecord, ink: Ink, app: AppDeploymentRecord) -> str:
    text = why(record) if record.message != app.error_message else ""  # the line of its app tells it
    return f"\n      {ink.red(text)}" if text else ""


Told = tuple[str, str | None]  # an app, and an error of it


def evidence(events: Sequence[EventRecord], ink: Ink, *, whole: bool = False, told: Collection[Told] = ()) -> str:
    """Warnings, output of commands and failure evidence that were kept, oldest first, or nothing.

    Of long output the last lines are shown, unless the `whole` is wanted. What was `told` is not told again.
    """
    known, lines, count = set(told), list[str](), 0
    for event in events:
        rest = [printable(line) for line in event.detail.split("\n") if line.strip() and line != event.message]
        again = (event.app_name, event.message) in known
        known.add((event.app_name, event.message))
        if rest or not again:
            count += 1
            lines.append(_event(event, again, ink))
        if rest:
            lines.append(ink.dim(indent("\n".join(rest if whole else _end(rest)), "    | ")))
    return "\n".join([ink.bold("Evidence") + ink.dim(f"  ({plural(count, 'message')})"), *lines]) if lines else ""


def _event(event: EventRecord, again: bool, ink: Ink) -> str:
    """What was said and by whom; who is left out where the words name him, the words where they were told."""
    named = event.subject == event.app_name or (event.subject in event.message and not again)
    said = filter(None, ("" if named else event.subject, "" if again else event.message))
    text = printable(": ".join(said))
    stamp = event.created_at.astimezone().strftime("%H:%M:%S")
    app = f"{event.app_name}: " if event.app_name else ""
    return f"  {ink.dim(stamp)} {app}{ink.paint(text, EVENTS.get(event.kind, 'red'))}"


def _end(lines: Sequence[str]) -> list[str]:
    """The last of many lines, none of them very long."""
    left = len(lines) - _LINES
    shown = [clip(line, _COLUMNS) for line in lines[-_LINES:]]
    return [f"({left} lines before: sbkube show -v)", *shown] if left > 0 else shown
