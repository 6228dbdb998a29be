"""Saved plans: written to a file, and later executed only if everything still is as it was approved.

Nothing is executed out of the file. The plan is made again, by the same request, and compared with it; so a file
that was altered can only be refused.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbkube._version import __version__
from sbkube.api.private_files import write_private
from sbkube.errors import DeploymentNotFound, PlanRefused, StateError, UsageError
from sbkube.models.plan import Plan, Verb
from sbkube.plan.saved import Sealer, canonical, differences, saved_form

if TYPE_CHECKING:
    from sbkube.api.planning import Planning

FORMAT = "sbkube/saved-plan/v1"
_SEAL = b"sbkube saved plan"
_AGAIN = "make a new plan: sbkube plan --out FILE"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Approved:
    """A plan that is still what was approved, and under which command it is recorded."""

    plan: Plan
    command: str
    digest: str


def save(project: Planning, plan: Plan, path: Path) -> str:
    """Write the plan that `project` has just made to a file that only its owner can read; gives its digest.

    Raises UsageError when the file cannot be written.
    """
    content = document(project, plan)
    write_private(path, canonical(content) + "\n", "plan")
    return str(content["digest"])


def document(project: Planning, plan: Plan) -> Json:
    """The file's content as JSON values: the same for the same project, cluster and history."""
    target, ledger = project.target, project.ledger
    sealer = _sealer(project)
    content: Json = {
        "format": FORMAT,
        "version": __version__,
        "project": target.project,
        "namespace": target.namespace,
        "cluster": plan.cluster,
        "cluster_uid": target.cluster_uid,
        "request": project.request,
        "on_top_of": project.on_top_of,
        "plan": saved_form(plan, sealer),
    }
    content |= {"key_id": ledger.key_id, "sealed": sealer.used}
    text = canonical(content)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {**json.loads(text), "digest": digest, "seal": _seal(project, digest)}


def approved(project: Planning, path: Path) -> Approved:
    """Make the saved plan again; it must come out as it was saved.

    Raises PlanRefused with everything that has moved, StateError where sensitive values cannot be compared, and
    UsageError for a file that cannot be read. Nothing is touched.
    """
    return agreed(project, _read(path), str(path))


def agreed(project: Planning, saved: Mapping[str, Any], subject: str | None = None) -> Approved:
    """The same for a document that was kept elsewhere; `subject` names the place."""
    _same_place(project, saved)
    refuse_incomparable(project, saved, subject)
    _nothing_since(project, saved)
    plan = project.plan_again(saved["request"])
    sealer = _sealer(project)
    problems = differences(saved["plan"], json.loads(canonical(saved_form(plan, sealer))))
    if problems:
        raise PlanRefused(
            "the plan does not fit any more; nothing was changed",
            problems=problems,
            subject=subject,
            hint=_AGAIN,
        )
    return Approved(plan, saved["plan"]["purpose"], saved["digest"])


def _read(path: Path) -> Json:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"the plan cannot be read: {reason}", subject=str(path)) from error
    try:
        saved = json.loads(text)
    except ValueError as error:
        raise PlanRefused("this is no saved plan: it is not JSON", subject=str(path), hint=_AGAIN) from error
    form = saved.get("format", "") if isinstance(saved, dict) else ""
    if form != FORMAT:
        newer = str(form).startswith("sbkube/saved-plan/")
        why = f"its format is {form}, this sbkube reads {FORMAT}" if newer else "this is no saved plan"
        raise PlanRefused(why, subject=str(path), hint="use the sbkube that saved it" if newer else _AGAIN)
    content = {name: value for name, value in saved.items() if name not in ("digest", "seal")}
    if hashlib.sha256(canonical(content).encode()).hexdigest() != saved.get("digest"):
        raise PlanRefused("the file was altered after it was saved", subject=str(path), hint=_AGAIN)
    if saved["version"] != __version__:
        why = f"it was saved by sbkube {saved['version']}, this is {__version__}"
        raise PlanRefused(why, subject=str(path), hint=f"use that version, or {_AGAIN}")
    return dict(saved)


def _same_place(project: Planning, saved: Mapping[str, Any]) -> None:
    target = project.target
    pairs = (
        ("project", target.project, "apply it in the folder of that project"),
        ("cluster_uid", target.cluster_uid, f"choose the cluster {saved['cluster']} with --context"),
        ("namespace", target.namespace, f"say --namespace {saved['namespace']}"),
    )
    for name, here, hint in pairs:
        if saved[name] != here:
            what = name.removesuffix("_uid")
            raise PlanRefused(f"the plan is for {what} {saved[name]}, this is {here}", hint=hint)


def refuse_incomparable(project: Planning, saved: Mapping[str, Any], subject: str | None = None) -> None:
    """Raise StateError where sensitive values of a document cannot be compared with those of a plan made here."""
    key = project.ledger.key_id
    if saved["sealed"] and (not key or saved["key_id"] != key):
        had = f"under the key {saved['key_id']}" if saved["key_id"] else "without a state key"
        have = f"here is {key}" if key else "here is none"
        raise StateError(
            f"the plan holds sensitive values and was saved {had}; {have}, so they cannot be compared",
            subject=subject,
            hint="set SBKUBE_STATE_KEY to that key" if saved["key_id"] else f"set SBKUBE_STATE_KEY and {_AGAIN}",
        )
    if key and saved["key_id"] == key and saved.get("seal") != _seal(project, saved["digest"]):
        raise PlanRefused("the file was altered after it was saved", subject=subject, hint=_AGAIN)


def _nothing_since(project: Planning, saved: Mapping[str, Any]) -> None:
    """Deployments that changed something or ran commands overtake a plan; runs with nothing to do do not."""
    from sbkube.engine.undo import changed_something

    base, ledger, target = saved["on_top_of"], project.ledger, project.target
    try:
        if base:
            newer = ledger.since(ledger.detail(base, target).deployment.deployment_id, target)[1:]
        else:
            newer = ledger.since(ledger.detail("latest", target).deployment.deployment_id, target)
    except DeploymentNotFound as error:
        if not base:
            return
        raise PlanRefused(
            f"the plan was made on top of deployment {base}, which this state database does not know",
            hint="use the state database that the plan was made with",
        ) from error
    for detail in newer:
        if changed_something(detail) or any(row.verb == Verb.RUN for row in detail.resources):
            record = detail.deployment
            who = (
                f"{record.operator or 'somebody'}@{record.host}" if record.host else record.operator or "somebody"
            )
            raise PlanRefused(
                f"{who} has deployed {target.project} since this plan was saved ({record.deployment_id})",
                hint=_AGAIN,
            )


def _sealer(project: Planning) -> Sealer:
    key = _derived(project) if project.ledger.keeps_secrets else None
    return Sealer(key, project.sensitive)


def _derived(project: Planning) -> bytes:
    return hmac.new(project.ledger.redaction_key(), _SEAL, hashlib.sha256).digest()


def _seal(project: Planning, digest: str) -> str:
    if not project.ledger.keeps_secrets:
        return ""
    return hmac.new(_derived(project), digest.encode(), hashlib.sha256).hexdigest()
