"""Undoing what commands and tasks did by what their tasks name for it; without such nothing can be undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sbkube.apps.base import RenderContext
from sbkube.apps.manifest_files import read_manifests
from sbkube.engine.commands import known_commands, operation_of, undo_command
from sbkube.engine.draft import Draft
from sbkube.engine.undo import undoes
from sbkube.errors import ClusterError, ProjectError
from sbkube.models.command import Command
from sbkube.models.deployment_state import DeploymentDetail
from sbkube.models.plan import Change, Effect, Verb
from sbkube.models.release import ReleaseSpec, RenderedChart
from sbkube.models.resource import Manifest
from sbkube.plan import diff
from sbkube.plan.labels import MANAGER
from sbkube.plan.operations import Step, object_step

_FIRST = -2  # a wave before everything else: what was set up by commands may need the objects to be taken down


def plan_commands(draft: Draft, details: Sequence[DeploymentDetail], *, automatic: bool) -> None:
    """Add what undoes the commands of deployments, the newest first; `automatic`: a failed run undoes itself."""
    known = known_commands(draft.config)
    done: set[str] = set()
    for detail in reversed(details):
        for row in sorted(detail.resources, key=lambda r: -r.position):
            if not (undoes(row) and draft.wants(row.app_name)) or row.operation in done:
                continue
            done.add(row.operation)
            command = Command.from_json(row.intent or {})
            if automatic and command.undo_when != "always":
                draft.warnings.append(f"{row.app_name}: {command.name} is not undone by itself: `sbkube rollback`")
                continue
            _undo(draft, row.app_name, command, known)
            _apply(draft, row.app_name, command, known)


def _undo(draft: Draft, app: str, command: Command, known: Mapping[str, Command]) -> None:
    needs: tuple[str, ...] = ()
    for number, text in enumerate(command.undo, 1):
        one = undo_command(command, number, text)
        held = known.get(one.digest)
        if held is None:
            draft.problem(
                f"{app}: the project does not hold the command any more that undoes {command.name}: {one.title}",
                "put it back into the file, or leave the app out: sbkube rollback --app …",
            )
            return
        operation = replace(operation_of(app, held), needs=needs)
        draft.put_back(app, Step(operation, _FIRST))
        needs = (operation.id,)


def _apply(draft: Draft, app: str, command: Command, known: Mapping[str, Command]) -> None:
    """Files that are applied when a task is undone, as they are now. Their objects are nobody's to prune."""
    if not command.undo_manifests:
        return
    held = known.get(command.digest)
    if held is None:
        text = f"{app}: the project does not hold {command.name} any more as it was"
        draft.problem(text, "put it back into the file, or leave the app out: sbkube rollback --app …")
        return
    try:
        manifests = list(_manifests(draft, held))
    except ProjectError as error:
        draft.problem(f"{app}: what undoes {command.name} cannot be read: {error.message}", "put the file back")
        return
    draft.live.observe(m.key for m in manifests)
    for manifest in manifests:
        key, live = manifest.key, draft.live.get(manifest.key)
        try:
            after = draft.world.cluster.dry_run_apply(manifest.body, manager=MANAGER, force=True)
        except ClusterError as error:
            said = draft.world.cleaned(error, manifest.body)
            draft.problem(f"{app}: {key} cannot be applied: {said}", error.hint or "look at the file")
            continue
        fields = diff.compare(live, after) if live is not None else ()
        if live is not None and not fields:
            continue
        effect = Effect.CREATE if live is None else Effect.CHANGE
        change = Change(key, effect, live, after, fields, f"undoes {command.name}", manifest.source)
        draft.show(app, change)
        draft.put_back(app, object_step(app, Verb.PATCH, change, manifest.body, force=True))


def _manifests(draft: Draft, command: Command) -> Iterator[Manifest]:
    context = RenderContext(
        Path(command.folder),
        command.namespace,
        render_chart=_no_chart,
        catalogue=draft.world.catalogue,
        decryptor=draft.world.decryptor,
    )
    named = [(path, None) for path in command.undo_manifests]
    for manifest in read_manifests(named, context, command.name)[0]:
        kind = draft.world.cluster.resource_type(manifest.key.api_version, manifest.key.kind)
        namespace = (manifest.key.namespace or command.namespace) if kind is None or kind.namespaced else ""
        meta = {**manifest.body["metadata"], **({"namespace": namespace} if namespace else {})}
        body = {**manifest.body, "metadata": meta}
        yield Manifest(replace(manifest.key, namespace=namespace), body, manifest.source)


def _no_chart(spec: ReleaseSpec) -> RenderedChart:
    raise AssertionError(f"{spec} is not rendered here")
