"""Whose is a release, and whose are the objects that it wants: found out in the plan, not by Helm's failure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sbkube.engine.compare import Compared, Live
from sbkube.engine.desired import Desired, DesiredRelease
from sbkube.errors import Problem
from sbkube.models.plan import Change, Effect
from sbkube.models.resource import ResourceKey
from sbkube.plan import labels


def foreign_release(app: str, wanted: DesiredRelease) -> list[Compared]:
    """The refusal of a release that another project deployed."""
    current, spec = wanted.current, wanted.spec
    owner = current.labels.get(labels.PROJECT) if current else None
    if not owner or owner == spec.labels.get(labels.PROJECT):
        return []
    problem = Problem(
        f"{app}: release {spec.namespace}/{spec.name} belongs to project {owner}",
        None,
        f"choose another release_name, or take it: sbkube adopt {spec.name} --force",
    )
    return [_refused(ResourceKey("", "v1", "Release", spec.namespace, spec.name), problem)]


def unowned_objects(
    app: str, wanted: DesiredRelease, live: Live, known: Collection[tuple[str, str, str, str]]
) -> list[Compared]:
    """Refusals of objects that exist and do not belong to the release: Helm would fail over each.

    `known` are the objects of the release's stored manifest, which Helm does not ask for their owner. Source:
    Helm's `action.existingResourceConflict`.
    """
    if wanted.spec.take_ownership:
        return []
    found = []
    for item in wanted.objects:
        body = live.seen(item.key)
        if body is None or item.key.identity in known or belongs(body, wanted):
            continue
        found.append(_refused(item.key, _unowned(app, item, body, wanted)))
    return found


def belongs(live: Mapping[str, Any], wanted: DesiredRelease) -> bool:
    """The object is marked as this release's."""
    meta = live.get("metadata") or {}
    notes = meta.get("annotations") or {}
    return bool(
        (meta.get("labels") or {}).get(labels.MANAGED_BY) == "Helm"
        and notes.get(labels.RELEASE_NAME) == wanted.spec.name
        and notes.get(labels.RELEASE_NAMESPACE) == wanted.spec.namespace
    )


def _unowned(app: str, item: Desired, body: Mapping[str, Any], wanted: DesiredRelease) -> Problem:
    notes = (body.get("metadata") or {}).get("annotations") or {}
    release = f"{wanted.spec.namespace}/{wanted.spec.name}"
    owner = notes.get(labels.RELEASE_NAME)
    whose = f"belongs to release {notes.get(labels.RELEASE_NAMESPACE)}/{owner}" if owner else "is not Helm's"
    return Problem(
        f"{app}: {item.key} exists and {whose}; Helm would not touch it for release {release}",
        item.source,
        "delete it, or let the release take it over: force_adopt: true",
    )


def _refused(key: ResourceKey, problem: Problem) -> Compared:
    return Compared(Change(key, Effect.UNKNOWN, None, None, source=problem.place), {}, problems=(problem,))
