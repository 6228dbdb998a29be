"""Going on with a Helm action that was cut off: the operations around it, in order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sbkube.engine.hooks import Hook, HooksLeft
from sbkube.models.plan import AppPlan, Change, Effect, Operation, Verb
from sbkube.models.release import ReleaseRecord, ReleaseSpec
from sbkube.plan.operations import operation_id

_FIRST = ("Namespace", "CustomResourceDefinition")


def repair(app: str, current: ReleaseRecord) -> Operation:
    """Mark the revision that a cut off action left as failed, so that Helm works on the release again."""
    spec = ReleaseSpec(
        current.name, current.namespace, "", {},
        chart_name=current.chart_name, chart_version=current.chart_version,
    )  # fmt: skip
    return Operation(
        id=operation_id(app, Verb.HELM_REPAIR, "Release", current.namespace, current.name),
        app=app,
        verb=Verb.HELM_REPAIR,
        release=spec,
        revision=current.revision,
        sensitive=True,
    )


def hook_operation(app: str, hook: Hook, timeout: float) -> Operation:
    """Run one hook of a cut off action, or wait for the one that is running; `timeout` is in seconds."""
    key = hook.key
    return Operation(
        id=operation_id(app, Verb.HOOK, key.kind, key.namespace, key.name),
        app=app,
        verb=Verb.HOOK,
        key=key,
        desired=hook.body,
        changes=(Change(key, Effect.CREATE, None, hook.body, note=_note(hook)),),
        uid=hook.running,
        timeout=timeout,
        sensitive=key.kind == "Secret" and not key.group,
    )


def _note(hook: Hook) -> str:
    return "a hook that is running: it is waited for" if hook.running else "a hook that was not run to its end"


def chained(operation: Operation, repairs: Sequence[Operation], left: HooksLeft | None) -> tuple[Operation, ...]:
    """A Helm action with everything around it in order: repair, hooks before, the action, hooks after.

    With hooks left (or all finished) the action itself runs without hooks.
    """
    spec = operation.release
    assert spec is not None, operation.id
    before: list[Operation] = list(repairs)
    after: list[Operation] = []
    if left is not None:
        operation = replace(operation, release=replace(spec, disable_hooks=True))
        before += [hook_operation(operation.app, hook, spec.timeout) for hook in left.before]
        after += [hook_operation(operation.app, hook, spec.timeout) for hook in left.after]
    chain: list[Operation] = []
    for op in (*before, operation, *after):
        needs = (*operation.needs, *((chain[-1].id,) if chain else ()))
        chain.append(replace(op, needs=needs, after=operation.after))
    return tuple(chain)


def without_promises(apps: Sequence[AppPlan]) -> list[AppPlan]:
    """The apps without notes on namespaces and kinds that the plan creates, where that was done already."""
    if any(op.key and op.key.kind in _FIRST for app in apps for op in app.operations):
        return list(apps)

    def kept(change: Change) -> Change:
        return replace(change, note="") if change.note.endswith("is created by this plan") else change

    return [replace(app, changes=tuple(map(kept, app.changes))) for app in apps]


def told(left: HooksLeft | None, release: str) -> list[str]:
    """Which hooks have run and which are still to be run, in words for people."""
    if left is None:
        return []
    lines = []
    if left.finished:
        lines.append(f"release {release}: not run again, because they have finished: {', '.join(left.finished)}")
    waiting = [hook.name for hook in (*left.before, *left.after)]
    if waiting:
        lines.append(f"release {release}: hooks still to be run: {', '.join(waiting)}")
    return lines
