"""From records to what the templates show. Images of objects pass `masked_pair` here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sbkube.api import Actions, Look
from sbkube.models.comparison import Then
from sbkube.models.deployment_state import (
    AppDeploymentRecord,
    DeploymentRecord,
    DeploymentStatus,
    HelmReleaseRecord,
    ResourceRecord,
)
from sbkube.models.drift import DriftReport
from sbkube.models.health import HealthStatus
from sbkube.models.outline import Outline
from sbkube.models.plan import AppPlan, Change, Effect, Plan, Verb
from sbkube.models.resource import ResourceKey
from sbkube.report import comparison, graph, waterfall
from sbkube.report import drift as drift_report
from sbkube.report import plan as plan_report
from sbkube.report.detail import did, revisions, why
from sbkube.report.diff import readable, unified
from sbkube.report.history import changes, fate
from sbkube.report.ink import Ink
from sbkube.report.layout import age, between, plural
from sbkube.report.masking import masked_pair
from sbkube.report.yaml_text import dump

Json = dict[str, Any]
_PLAIN = Ink()
_DIFFS = 200  # differences in one plan; the command line shows the others
_SIGNS = {"+ ": "new", "- ": "old", "@@": "at"}


def row(record: DeploymentRecord, now: datetime) -> Json:
    """A deployment in a list."""
    return {
        "record": record,
        "fate": fate(record, _PLAIN),
        "age": age(record.created_at, now),
        "took": between(record.created_at, record.ended_at),
        "changes": _changes(record),
        "commit": str(record.origin.get("commit") or "")[:12],
        "dirty": bool(record.origin.get("dirty")),
    }


def _changes(record: DeploymentRecord) -> str:
    """What was changed; of what has not ended, only what is planned is known."""
    if not record.counts:
        return ""
    return changes(record.counts) if record.ended_at else f"{changes(record.counts)} planned"


def card(record: DeploymentRecord, now: datetime, actions: Actions | None) -> Json:
    """A project with its newest deployment; where it can be acted on, with its page and what was seen there."""
    if actions is None or actions.obstacle(record):
        return {**row(record, now), "link": "", "look": None}
    return {**row(record, now), "link": project_link(record), "look": look(actions.looked(record), now)}


def project_link(record: DeploymentRecord) -> str:
    """The page of the project of a deployment."""
    names = {"cluster": record.cluster_uid, "project": record.project, "namespace": record.namespace}
    return "/project?" + urlencode(names)


def lines(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """A difference as (kind, line): new, old, at (a heading) or same. Both sides must be masked already."""
    return _signed(unified(before, after, _PLAIN))


def _signed(shown: Sequence[str]) -> list[tuple[str, str]]:
    return [(_SIGNS.get(line[:2], "same"), line) for line in shown]


def object_link(cluster: str, key: ResourceKey) -> str:
    """The page of one object."""
    return "/object?" + urlencode({"cluster": cluster, **key.to_json()})


def deployment(found: Outline, hidden: Sequence[str]) -> Json:
    """Everything on the page of one deployment; values at `hidden` paths are masked."""
    detail = found.detail
    record, now = detail.deployment, datetime.now(UTC)
    links = {app.app_name: f"#app-{number}" for number, app in enumerate(detail.apps, 1)}
    drawn = replace(detail, resources=found.timed, apps=tuple(_truly(app, record) for app in detail.apps))
    bars = waterfall.of_detail(drawn, None if record.status.ended else now)
    return {
        **row(record, now),
        "line": (record.command_args or {}).get("line") or record.command,
        "apps": [_app(app, found, hidden) for app in drawn.apps],
        "graph": graph.svg(graph.of_detail(drawn, links)),
        "waterfalls": [waterfall.svg(bars, found.untold, narrow=narrow) for narrow in (False, True)]
        if bars
        else [],
        "events": [(event, _rest(event.message, event.detail)) for event in detail.events],
        "snapshot": dump(dict(record.config_snapshot)) if record.config_snapshot else "",
        "running": not record.status.ended,
    }


def _truly(app: AppDeploymentRecord, record: DeploymentRecord) -> AppDeploymentRecord:
    """An app, which cannot be in progress where the deployment is not."""
    stopped = record.status.ended and app.status is DeploymentStatus.IN_PROGRESS
    return replace(app, status=DeploymentStatus.INTERRUPTED) if stopped else app


def _rest(message: str, detail: str) -> str:
    return "" if str(detail).strip() == message.strip() else str(detail)


def _app(app: AppDeploymentRecord, found: Outline, hidden: Sequence[str]) -> Json:
    detail = found.detail
    own = [item for item in detail.resources if item.app_name == app.app_name]
    count = found.objects.get(app.app_name, 0)
    return {
        "app": app,
        "took": between(app.started_at, app.ended_at),
        "releases": [_release(one) for one in detail.releases if one.app_name == app.app_name],
        "objects": objects(detail.deployment, own, hidden),
        "count": count,
        "all": objects_link(detail.deployment, app.app_name) if count > len(own) else "",
    }


def objects_link(record: DeploymentRecord, app: str, after: int = 0) -> str:
    """The page of the objects of one app, behind the one with a key."""
    return "/objects?" + urlencode({"id": record.deployment_id, "app": app} | ({"after": after} if after else {}))


def objects(record: DeploymentRecord, found: Iterable[ResourceRecord], hidden: Sequence[str]) -> list[Json]:
    """What a deployment did to objects; values at `hidden` paths are masked."""
    return [_object(item, record.cluster_uid, hidden) for item in found]


def _release(item: HelmReleaseRecord) -> Json:
    took = between(item.started_at, item.ended_at)
    return {"item": item, "revisions": revisions(item), "took": took, "why": why(item)}


def _object(item: ResourceRecord, cluster: str, hidden: Sequence[str]) -> Json:
    command = item.verb == Verb.RUN.value
    shown: list[tuple[str, str]] = []
    if not command and not item.missing_key:
        before, after = masked_pair(item.key, item.before, item.after, hidden)
        if readable(before) != readable(after):
            shown = lines(before, after)
    return {
        "item": item,
        "did": did(item),
        "took": between(item.started_at, item.ended_at),
        "why": why(item),
        "diff": shown,
        "link": "" if command or not cluster else object_link(cluster, item.key),
    }


def difference(left: Then, right: Then, hidden: Sequence[str], cluster: str) -> Json:
    """What differs between what two deployments left on a cluster (its UID)."""
    found = [
        (key, lines(a, b), object_link(cluster, key) if cluster else "")
        for key, a, b in comparison.objects(left, right, hidden)
    ]
    return {
        "left": left.deployment_id,
        "right": right.deployment_id,
        "releases": comparison.releases(left, right),
        "objects": found,
        "unreadable": sorted(map(str, left.hidden | right.hidden)),
    }


def plan(masked: Plan) -> Json:
    """A plan before it is executed; it must be masked already."""
    left = [_DIFFS]
    apps = [_planned(app, left) for app in masked.apps]
    return {
        "plan": masked,
        "title": plan_report.title(masked),
        "summary": plan_report.summary(masked),
        "apps": [app for app in apps if app["steps"] or app["changes"]],
        "cut": not left[0],
    }


def _planned(app: AppPlan, left: list[int]) -> Json:
    steps = [text for op in app.operations if (text := plan_report.step(op))]
    shown = [change for change in app.changes if change.effect is not Effect.UNCHANGED]
    changes = [_change(change, left) for change in shown]
    return {"app": app, "steps": steps, "changes": changes, "unchanged": len(app.changes) - len(shown)}


def _change(change: Change, left: list[int]) -> Json:
    shown: list[tuple[str, str]] = []
    if left[0]:
        shown, left[0] = _signed(plan_report.difference(change, _PLAIN)), left[0] - 1
    return {"change": change, "diff": shown, "remarks": plan_report.remarks(change, _PLAIN)}


def look(found: Look | None, now: datetime) -> Json | None:
    """What was seen of a project on the cluster, and how long ago; None where nobody has looked."""
    if found is None:
        return None
    apps, ill = found.status.apps, [app for app in found.status.apps if not app.health.ready]
    bad = any(app.health.status in (HealthStatus.FAILED, HealthStatus.MISSING) for app in ill)
    return {
        "age": age(found.moment, now),
        "healthy": not ill,
        "health": f"{len(ill)} of {plural(len(apps), 'app')} not ready" if ill else "healthy",
        "health_word": "failed" if bad else "changed" if ill else "success",
        "ill": [(app, [(key, health) for key, health in app.objects if not health.ready]) for app in ill],
        "drift": _drift(found.drift),
    }


def _drift(report: DriftReport) -> Json:
    apps = [app for app in report.apps if app.objects or app.releases]
    return {
        "drifted": report.drifted,
        "summary": drift_report.summary(report, _PLAIN),
        "apps": [
            {"app": app, "objects": [(item, drift_report.fields(item, _PLAIN)) for item in app.objects]}
            for app in apps
        ],
    }


def biography(
    found: Iterable[tuple[DeploymentRecord, ResourceRecord]], field: str, hidden: Sequence[str]
) -> list[Json]:
    """One object, or one field of it, through its deployments; values at `hidden` paths are masked. With a field,
    only deployments that changed it."""
    now = datetime.now(UTC)
    shown: list[Json] = []
    for record, item in found:
        entry = {**row(record, now), "item": item, "did": did(item), "diff": [], "old": "", "new": ""}
        if not item.missing_key:
            before, after = masked_pair(item.key, item.before, item.after, hidden)
            if field:
                entry |= {"old": value_at(before, field), "new": value_at(after, field)}
            elif readable(before) != readable(after):
                entry["diff"] = lines(before, after)
        if not field or entry["old"] != entry["new"]:
            shown.append(entry)
    return shown


def value_at(body: Any, path: str) -> str:
    """The value at a path such as `spec.replicas` or `spec.template.spec.containers[0].image`, "" where there is
    none; a part that has dots in its own name is found too."""
    found = _at(readable(body) if body is not None else None, path.replace("[", ".").replace("]", ""))
    return "" if found is None else found if isinstance(found, str) else dump({"": found})[4:].strip()


def _at(value: Any, path: str) -> Any:
    if not path:
        return value
    if isinstance(value, list):
        number, _, rest = path.partition(".")
        at = int(number) if number.isdecimal() and len(number) < 9 else len(value)
        return _at(value[at], rest) if at < len(value) else None
    if not isinstance(value, Mapping):
        return None
    names = [name for name in value if path == name or path.startswith(f"{name}.")]
    name = max(names, key=len, default=None)
    return None if name is None else _at(value[name], path[len(name) + 1 :])
