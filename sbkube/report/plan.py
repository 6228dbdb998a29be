"""A plan for people: per app what happens to which object, as a diff, and one line that sums it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sbkube.models.command import Command
from sbkube.models.plan import AppPlan, Cause, Change, Effect, FieldChange, Operation, Plan, Verb
from sbkube.report.diff import unified
from sbkube.report.ink import Ink
from sbkube.report.layout import clip, indent, near, plural
from sbkube.report.masking import masked_field, masked_pair
from sbkube.report.theme import EFFECTS

_ALWAYS = (Effect.CREATE, Effect.CHANGE, Effect.DELETE)
_WORDS = {Effect.UNCHANGED: "unchanged", Effect.UNKNOWN: "unknown"}


_MANY = 60  # changes: more new objects than these are counted, not listed
_OFTEN = 3  # times: a note that more objects share is told once, at the end


@dataclass(frozen=True, slots=True)
class PlanView:
    """How much of a plan to show: `bodies` of created and deleted objects, objects that stay `unchanged`. `fold`
    counts new objects per app; `notes` are told elsewhere. `resumed`: it is what is left of an earlier plan."""

    ink: Ink = field(default_factory=Ink)
    bodies: bool = False
    unchanged: bool = False
    fold: bool = False
    notes: frozenset[str] = frozenset()
    resumed: bool = False


def render(plan: Plan, view: PlanView) -> str:
    """The whole plan. Images must be masked already; those of Secrets are masked again."""
    ink = view.ink
    notes = Counter(change.note for app in plan.apps for change in app.changes if change.note)
    often = {note: count for note, count in notes.items() if count > _OFTEN}
    many = sum(c.effect is not Effect.UNCHANGED for app in plan.apps for c in app.changes) > _MANY
    view = replace(view, fold=many and not view.bodies, notes=frozenset(often))
    head = ink.bold(title(plan, resumed=view.resumed))
    parts = [f"{head} on {plan.cluster} {ink.dim(f'(namespace {plan.namespace})')}"]
    parts += [text for app in plan.apps if (text := _app(app, view))]
    if often:
        parts.append("\n".join(ink.dim(f"{plural(count, 'object')}: {note}") for note, count in often.items()))
    if plan.warnings:
        parts.append("\n".join(ink.yellow(f"! {warning}") for warning in plan.warnings))
    parts.append(ink.bold("Plan: ") + summary(plan, ink))
    return "\n\n".join(parts)


def title(plan: Plan, *, resumed: bool = False) -> str:
    """What is planned, of which deployment, for which project."""
    of = f" of {plan.parent}" if plan.parent else ""
    # Only what is resumed or undone is of a deployment.
    what = "resume" if of and (resumed or plan.purpose != "rollback") else plan.purpose
    return f"{what.capitalize()}{of}: {plan.project}"


def summary(plan: Plan, ink: Ink | None = None) -> str:
    """`2 to create, 1 to change, 0 to delete, 14 unchanged`, and what else there is."""
    ink = ink or Ink()
    counts = plan.counts()
    parts = []
    for effect in (*_ALWAYS, Effect.RECREATE, Effect.UNKNOWN, Effect.UNCHANGED):
        count = counts[effect.value]
        if count or effect in _ALWAYS or effect is Effect.UNCHANGED:
            text = f"{count} {_WORDS.get(effect) or f'to {effect.value}'}"
            parts.append(ink.paint(text, EFFECTS[effect][1]) if count else ink.dim(text))
    return ", ".join(parts)


def _app(app: AppPlan, view: PlanView) -> str:
    shown = [change for change in app.changes if view.unchanged or change.effect is not Effect.UNCHANGED]
    steps = [view.ink.paint(f"* {text}", "blue") for op in app.operations if (text := step(op))]
    if not shown and not steps and not app.notes:
        return ""
    lines = [_app_title(app, view.ink), *(f"  {line}" for line in steps)]
    new = [change for change in shown if view.fold and change.effect is Effect.CREATE]
    if new:
        lines.append(_counted(new, view.ink))
    for change in shown:
        if not (view.fold and change.effect is Effect.CREATE):
            lines += _change(change, app, view)
    if (rest := len(app.changes) - len(shown)) and shown:
        lines.append(view.ink.dim(f"  = {rest} unchanged"))
    if app.notes:
        lines.append(view.ink.dim(indent(app.notes.strip(), "  | ")))
    return "\n".join(lines)


def _counted(new: Sequence[Change], ink: Ink) -> str:
    """`+ 9 ConfigMap, 1 Deployment`."""
    mark, style = EFFECTS[Effect.CREATE]
    kinds = Counter(change.key.kind for change in new)
    return "  " + ink.paint(f"{mark} {', '.join(f'{count} {kind}' for kind, count in kinds.items())}", style)


def _app_title(app: AppPlan, ink: Ink) -> str:
    place = f"release {app.release}" if app.release else f"in {app.namespace}" if app.namespace else ""
    facts = [app.type, *([place] if place else [])]
    if app.depends_on:
        facts.append(f"after {', '.join(app.depends_on)}")
    return f"{ink.bold(app.name)}  {ink.dim(', '.join(facts))}"


def step(op: Operation) -> str:
    """What Helm is asked to do, or what is run, asked or waited for; "" for what is told by the changes."""
    if not op.verb.helm:
        return _command(op)
    chart = f" {op.release.chart_name} {op.release.chart_version}".rstrip() if op.release else ""
    text: Mapping[Verb, Callable[[], str]] = {
        Verb.HELM_INSTALL: lambda: f"helm install{chart}",
        Verb.HELM_UPGRADE: lambda: f"helm upgrade{chart}, revision {op.revision} → {op.revision + 1}",
        Verb.HELM_ROLLBACK: lambda: f"helm rollback to revision {op.target_revision} (now {op.revision})",
        Verb.HELM_UNINSTALL: lambda: f"helm uninstall (revision {op.revision})",
        Verb.HELM_ADOPT: lambda: f"label Helm's record of revision {op.revision} as ours",
        Verb.HELM_GIVE_BACK: lambda: "take our labels off Helm's records",
        Verb.HELM_REPAIR: lambda: f"mark revision {op.revision}, which was cut off, as failed",
    }
    return text[op.verb]()


def _command(op: Operation) -> str:
    if op.verb is not Verb.RUN:
        return ""
    command = Command.from_json(op.desired or {})
    when = " after a failure" if op.on_failure else ""
    hook = "" if command.hook in ("exec", "hook") else f"{command.hook}{when}: "
    return f"{hook}{clip(command.title, 90)}"


def _change(change: Change, app: AppPlan, view: PlanView) -> list[str]:
    ink, (mark, style) = view.ink, EFFECTS[change.effect]
    source = ink.dim(f"  {change.source}") if change.source and change.effect is not Effect.UNCHANGED else ""
    note = ink.dim(f"  {change.note}") if change.note and change.note not in view.notes else ""
    key = near(change.key, app.release.partition("/")[0] or app.namespace)
    lines = [f"  {ink.paint(f'{mark} {key}', style)}{note}{source}"]
    if change.effect in (Effect.CHANGE, Effect.RECREATE) or (
        view.bodies and change.effect is not Effect.UNCHANGED
    ):
        lines += [f"      {line}" for line in difference(change, ink)]
    return [*lines, *(f"      {line}" for line in remarks(change, ink))]


def difference(change: Change, ink: Ink) -> list[str]:
    """The diff of the images, or the list of fields where the images were not kept."""
    before, after = masked_pair(change.key, change.before, change.after)
    if before is not None or after is not None:
        return unified(before, after, ink)
    fields = (masked_field(change.key, f) for f in change.fields if f.cause is Cause.OURS)
    return [f"{f.path}: {ink.red(_short(f.before))} → {ink.green(_short(f.after))}" for f in fields]


def remarks(change: Change, ink: Ink) -> list[str]:
    """Fields that somebody else has changed or owns: who, when, and what becomes of them."""
    return [_cause(masked_field(change.key, f), ink) for f in change.fields if f.cause != Cause.OURS]


def _cause(change: FieldChange, ink: Ink) -> str:
    who = f" by {change.manager}" if change.manager else " by somebody"
    when = f" at {change.time}" if change.time else ""
    now = _short(change.before)
    if change.cause is Cause.DRIFT:
        return ink.yellow(f"! {change.path} was changed{who}{when}: {now}, goes back to {_short(change.after)}")
    return ink.yellow(f"! {change.path} is owned{who}{when}: {now}, wanted {_short(change.after)}")


def _short(value: Any) -> str:
    return clip("absent" if value is None else " ".join(str(value).split()), 60)
