"""Planning a Helm app: install, upgrade or nothing, and what that means for its objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sbkube.apps.objects import objects
from sbkube.engine.compare import Compared, Comparer, Live, Terms
from sbkube.engine.continuation import chained, told
from sbkube.engine.desired import Desired, DesiredRelease
from sbkube.models.plan import Change, Effect, Verb
from sbkube.models.release import ReleaseRecord
from sbkube.models.resource import ResourceKey
from sbkube.plan import labels
from sbkube.plan.labels import HELM_MANAGER
from sbkube.plan.operations import ReleaseStep, Step, object_step, release_step
from sbkube.sources.yaml_reader import read_documents

if TYPE_CHECKING:
    from sbkube.engine.repair import Repairs


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """Steps and changes of one release, and what people should know about them."""

    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    refused: tuple[Compared, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tools:
    """What planning a release works with; `inject` our labels after Helm's action."""

    comparer: Comparer
    live: Live
    repairs: Repairs
    inject: bool


def plan_release(app: str, wanted: DesiredRelease, tools: Tools, terms: Terms) -> ReleasePlan:
    """Compare a release with what Helm stored and with the live objects.

    A half-applied upgrade does not hide: every object is compared with the live one, not with the stored manifest.
    An action of ours that was cut off is gone on with, if it is still what is wanted.
    """
    comparer, live = tools.comparer, tools.live
    freeing = [step.operation for step in tools.repairs.steps(wanted.current, app)]
    same = is_unchanged(wanted)
    compared = comparer.compare_all(wanted.objects, replace(terms, manager=HELM_MANAGER, same_release=same))
    gone = _no_longer_wanted(wanted, live)
    if same and all(c.change.effect is Effect.UNCHANGED for c in compared):
        return ReleasePlan(tuple(c.change for c in compared), ())
    changes = tuple(c.change for c in compared) + gone
    verb = Verb.HELM_UPGRADE if wanted.current else Verb.HELM_INSTALL
    force = any(c.force for c in compared)
    spec = replace(wanted.spec, force_conflicts=wanted.spec.force_conflicts or force)
    revision = wanted.current.revision if wanted.current else 0
    cut = tools.repairs.cut_off(wanted.current)
    warnings: list[str] = []
    left = None
    if cut is not None and cut.verb in {Verb.HELM_INSTALL, Verb.HELM_UPGRADE} and _same_content(wanted):
        verb, left = cut.verb, tools.repairs.hooks(cut)
        spec = replace(spec, replace=verb is Verb.HELM_INSTALL)
        warnings = told(left, f"{spec.namespace}/{spec.name}")
    step = release_step(app, ReleaseStep(verb, spec, revision, changes=changes))
    steps = [replace(step, operation=op) for op in chained(step.operation, freeing, left)]
    if tools.inject:
        steps.extend(_label_steps(app, wanted, live))
    return ReleasePlan(changes, tuple(steps), tuple(c for c in compared if c.problems), tuple(warnings))


def _same_content(wanted: DesiredRelease) -> bool:
    """What was cut off is what is wanted now."""
    current = wanted.current
    return current is not None and is_unchanged(replace(wanted, current=replace(current, status="deployed")))


def is_unchanged(wanted: DesiredRelease) -> bool:
    """Same manifest, hooks, values and chart version as Helm has deployed."""
    current, spec = wanted.current, wanted.spec
    if current is None or current.status != "deployed" or dict(current.values) != dict(spec.values):
        return False
    if (current.chart_name, current.chart_version) != (spec.chart_name, spec.chart_version):
        return False
    return _documents(current.manifest) == _documents(wanted.rendered.manifest) and sorted(
        map(_normal, current.hooks)
    ) == sorted(map(_normal, wanted.rendered.hooks))


def _documents(manifest: str) -> list[str]:
    return sorted(filter(None, (_normal(part) for part in ("\n" + manifest).split("\n---"))))


def _normal(document: str) -> str:
    """Text of a document without comments in front and blank ends."""
    lines = document.strip().splitlines()
    return "\n".join(line.rstrip() for line in lines if not line.startswith("# Source:")).strip()


def _no_longer_wanted(wanted: DesiredRelease, live: Live) -> tuple[Change, ...]:
    """Objects of the stored manifest that the new one lacks: Helm will delete them."""
    if wanted.current is None:
        return ()
    keep = {d.key.identity for d in wanted.objects}
    old = [key for key in manifest_keys(wanted.current) if key.identity not in keep]
    live.observe(old)
    found = ((key, live.get(key)) for key in old)
    return tuple(
        Change(key, Effect.UNCHANGED, body, body, note="kept: its resource policy says so")
        if labels.kept(body)
        else Change(key, Effect.DELETE, body, None)
        for key, body in found
        if body is not None
    )


def stored_objects(record: ReleaseRecord) -> list[tuple[ResourceKey, Mapping[str, Any]]]:
    """The objects of a stored manifest as Helm sent them, the release's namespace filled in."""
    documents = read_documents(record.manifest, f"release {record.name}", duplicates=[])
    manifests = [m for document in documents for m in objects(document, [], cleanup=False)]
    keys = (_with_namespace(m.body, record.namespace) for m in manifests)
    return [(key, _placed(m.body, key, record)) for key, m in zip(keys, manifests, strict=True)]


def manifest_keys(record: ReleaseRecord) -> list[ResourceKey]:
    """Identities of the objects in a stored manifest."""
    return [key for key, _ in stored_objects(record)]


def _placed(body: Mapping[str, Any], key: ResourceKey, record: ReleaseRecord) -> Mapping[str, Any]:
    sent = labels.as_helm(body, record.name, record.namespace)
    return {**sent, "metadata": {**sent["metadata"], "namespace": key.namespace}} if key.namespace else sent


_CLUSTER_SCOPED = frozenset(
    {
        "Namespace", "ClusterRole", "ClusterRoleBinding", "PersistentVolume", "StorageClass", "PriorityClass",
        "IngressClass", "CustomResourceDefinition", "APIService", "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration", "RuntimeClass", "CSIDriver",
    }
)  # fmt: skip


def _with_namespace(body: Mapping[str, Any], namespace: str) -> ResourceKey:
    key = ResourceKey.of(body)
    if key.kind in _CLUSTER_SCOPED:
        return replace(key, namespace="")
    return key if key.namespace else replace(key, namespace=namespace)


def _label_steps(app: str, wanted: DesiredRelease, live: Live) -> list[Step]:
    """Our labels on the release's objects, merged after Helm's action: charts are never changed for them."""
    steps = []
    for item in wanted.objects:
        before = live.get(item.key)
        missing = labels.missing_labels(before, wanted.spec.labels)
        if missing:
            change = Change(item.key, Effect.CHANGE, None, None, source=item.source)
            steps.append(_label_step(app, item, change, missing))
    return steps


def _label_step(app: str, item: Desired, change: Change, missing: Mapping[str, str]) -> Step:
    step = object_step(app, Verb.LABEL, change, {"metadata": {"labels": dict(missing)}})
    return replace(step, wave=_AFTER_RELEASE, awaits=(), operation=replace(step.operation, sensitive=False))


_AFTER_RELEASE = 5  # a wave of its own, behind everything else of the app
