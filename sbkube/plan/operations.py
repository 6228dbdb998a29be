"""From changes to operations: which verb, in which wave, needing what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sbkube.models.plan import Change, Effect, Operation, Verb
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.plan import migrate, order
from sbkube.plan.labels import MANAGER

_AFTERWARDS = 10  # the number of the first wave of deletions


@dataclass(frozen=True, slots=True)
class Step:
    """An operation before it knows its neighbours; `awaits` are objects that the next wave needs ready."""

    operation: Operation
    wave: int
    awaits: tuple[ResourceKey, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseStep:
    """What happens to a release: the verb, the wanted release, and revisions before and (rollback) wanted."""

    verb: Verb
    spec: ReleaseSpec
    revision: int = 0
    target_revision: int = 0
    changes: tuple[Change, ...] = field(default=())


def operation_id(app: str, verb: Verb, kind: str, namespace: str, name: str) -> str:
    """`APP/VERB/KIND/NAMESPACE/NAME`, stable across runs."""
    return "/".join((app, verb.value, kind, namespace or "-", name))


def object_step(
    app: str, verb: Verb, change: Change, desired: Mapping[str, Any] | None, *, force: bool = False
) -> Step:
    """One write of one object, carrying uid and version of the live object that was looked at."""
    key, live = change.key, (change.before or {}).get("metadata") or {}
    position = order.wave(key.kind)
    operation = Operation(
        id=operation_id(app, verb, key.kind, key.namespace, key.name),
        app=app,
        verb=verb,
        key=key,
        desired=desired,
        changes=(change,),
        uid=str(live.get("uid", "")),
        resource_version=str(live.get("resourceVersion", "")),
        force=force,
        source=change.source,
        sensitive=key.kind == "Secret" and not key.group,
    )
    foundation = position == order.FOUNDATION and verb is not Verb.DELETE
    return Step(operation, position, (key,) if foundation else ())


def takeover_step(app: str, change: Change, predecessors: Sequence[str]) -> Step:
    """Make what those managers own on the live object ours, before we apply to it."""
    assert change.before is not None, change.key
    key = change.key
    entries = migrate.merged(change.before, predecessors)
    body = {
        "apiVersion": key.api_version,
        "kind": key.kind,
        "metadata": {"name": key.name, "namespace": key.namespace, "managedFields": entries},
    }
    note = f"takes over from {', '.join(predecessors)}"
    same = Change(key, Effect.UNCHANGED, change.before, None, note=note, source=change.source)
    step = object_step(app, Verb.MIGRATE, same, body)
    return replace(step, awaits=())


def give_back_step(app: str, change: Change, before: Mapping[str, Any], first: Step | None) -> Step:
    """Give an object back to those who managed it as it was `before` us; `first` puts its values back."""
    key = change.key
    entries = before["metadata"].get("managedFields") or ()
    owners = [entry for entry in entries if entry.get("manager") != MANAGER and not entry.get("subresource")]
    body = {
        "apiVersion": key.api_version,
        "kind": key.kind,
        "metadata": {"name": key.name, "namespace": key.namespace, "managedFields": owners},
    }
    same = replace(change, effect=Effect.UNCHANGED, after=None, fields=())
    step = object_step(app, Verb.GIVE_BACK, same, body)
    needs = (first.operation.id,) if first else ()
    return replace(step, awaits=(), operation=replace(step.operation, needs=needs))


def release_step(app: str, step: ReleaseStep) -> Step:
    """One Helm action; it counts as the workloads of its app."""
    spec = step.spec
    operation = Operation(
        id=operation_id(app, step.verb, "Release", spec.namespace, spec.name),
        app=app,
        verb=step.verb,
        changes=step.changes,
        release=spec,
        revision=step.revision,
        target_revision=step.target_revision,
        timeout=spec.timeout,
        sensitive=True,
    )
    return Step(operation, order.WORKLOADS)


def assemble(
    app: str, steps: Sequence[Step], awaits: Sequence[ResourceKey], timeout: float
) -> tuple[Operation, ...]:
    """Operations of one app: waves one after the other, and at the end a wait for what must become ready.

    Between two waves stands a barrier (a wait, also for CRDs to be established), so that the number of edges
    grows with the number of objects and not with its square.
    """
    result: list[Operation] = []
    barrier: tuple[str, ...] = ()
    waves = sorted({step.wave for step in steps})
    for wave in waves:
        members = [step for step in steps if step.wave == wave]
        result.extend(
            replace(step.operation, needs=tuple(dict.fromkeys((*barrier, *step.operation.needs))))
            for step in members
        )
        ids = tuple(step.operation.id for step in members)
        foundations = tuple(key for step in members for key in step.awaits)
        last = wave == waves[-1]
        if last and not awaits:
            break
        name = "ready" if last else f"wave-{wave}"
        keys = tuple(awaits) if last else foundations
        result.append(wait(app, name, (*barrier, *ids), keys, timeout))
        barrier = (result[-1].id,)
    if awaits and not waves:
        result.append(wait(app, "ready", (), tuple(awaits), timeout))
    return tuple(result)


def assemble_deletion(app: str, steps: Sequence[Step], timeout: float) -> tuple[Operation, ...]:
    """Operations that delete: the waves of `assemble` backwards, numbered so that an app can have both."""
    flipped = [
        replace(
            step,
            wave=_AFTERWARDS + order.REST - step.wave,
            awaits=(),
            operation=replace(step.operation, timeout=timeout),
        )
        for step in steps
    ]
    return assemble(app, flipped, (), timeout)


def wait(app: str, name: str, needs: Iterable[str], keys: tuple[ResourceKey, ...], timeout: float) -> Operation:
    """Wait until all `keys` are ready; without keys a mere barrier. `timeout` is in seconds."""
    return Operation(
        id=f"{app}/wait/{name}",
        app=app,
        verb=Verb.WAIT,
        needs=tuple(dict.fromkeys(needs)),
        awaits=keys,
        timeout=timeout,
    )


def link_apps(
    operations: Mapping[str, tuple[Operation, ...]],
    depends_on: Mapping[str, Sequence[str]],
    turns: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, tuple[Operation, ...]]:
    """Let the first operations of each app need the last ones of the apps that it depends on.

    Apps without operations are looked through. `turns` are apps that each one only comes after.
    """
    linked: dict[str, tuple[Operation, ...]] = {}
    tails: dict[str, tuple[str, ...]] = {}
    ended: dict[str, tuple[str, ...]] = {}
    for app, own in operations.items():
        hard = tuple(dict.fromkeys(tail for dep in depends_on.get(app, ()) for tail in tails.get(dep, ())))
        soft = tuple(dict.fromkeys(tail for one in (turns or {}).get(app, ()) for tail in ended.get(one, ())))
        linked[app] = tuple(
            op if op.needs or op.on_failure else replace(op, needs=(*hard, *op.needs), after=soft) for op in own
        )
        ends = _ends(own)
        tails[app] = ends or hard
        ended[app] = ends or tuple(dict.fromkeys((*hard, *soft)))
    return linked


def link_foundations(operations: Mapping[str, tuple[Operation, ...]]) -> dict[str, tuple[Operation, ...]]:
    """Let the first operations of each app need the namespaces that another app of the plan creates for them."""
    created = {
        op.key.name: op.id
        for own in operations.values()
        for op in own
        if op.key is not None and op.key.kind == "Namespace" and op.verb is Verb.APPLY and not op.uid
    }
    return {app: tuple(_grounded(op, created) for op in own) for app, own in operations.items()}


def _grounded(operation: Operation, created: Mapping[str, str]) -> Operation:
    places = {operation.key.namespace} if operation.key and operation.verb is not Verb.RUN else set()
    if operation.release is not None:
        places |= {operation.release.namespace, *(change.key.namespace for change in operation.changes)}
    needs = tuple(created[name] for name in sorted(places) if name in created)
    return replace(operation, needs=tuple(dict.fromkeys((*needs, *operation.needs)))) if needs else operation


def _ends(operations: Sequence[Operation]) -> tuple[str, ...]:
    needed = {need for op in operations for need in op.needs}
    return tuple(op.id for op in operations if op.id not in needed and not op.on_failure)


def effect_of(change: Change) -> Verb | None:
    """The verb for a change of an object of our own; None where nothing is to be done."""
    return {
        Effect.CREATE: Verb.APPLY,
        Effect.CHANGE: Verb.APPLY,
        Effect.UNKNOWN: Verb.APPLY,
        Effect.DELETE: Verb.DELETE,
        Effect.RECREATE: Verb.RECREATE,
        Effect.UNCHANGED: None,
    }[change.effect]
