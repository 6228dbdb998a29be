"""Planning a Helm app: install, upgrade or nothing, and what that means for its objects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sbkube.apps.objects import objects
from sbkube.engine.claims import foreign_release, unowned_objects
from sbkube.engine.compare import Compared, Comparer, Live, Terms, left_problem
from sbkube.engine.continuation import chained, told
from sbkube.engine.desired import Desired, DesiredRelease
from sbkube.models.plan import Change, Effect, Verb
from sbkube.models.release import ReleaseRecord
from sbkube.models.resource import ResourceKey
from sbkube.plan import labels, order
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
    """What planning a release works with; `inject` our labels after Helm's action.

    `left` are (namespace, release, revision) that this project deployed itself.
    """

    comparer: Comparer
    live: Live
    repairs: Repairs
    inject: bool
    left: frozenset[tuple[str, str, int]] = frozenset()


def plan_release(app: str, wanted: DesiredRelease, tools: Tools, terms: Terms) -> ReleasePlan:
    """Compare a release with what Helm stored and with the live objects.

    A half-applied upgrade does not hide: every object is compared with the live one, not with the stored manifest.
    An action of ours that was cut off is gone on with, if it is still what is wanted.
    """
    comparer, live = tools.comparer, tools.live
    freeing = [step.operation for step in tools.repairs.steps(wanted.current, app)]
    same = is_unchanged(wanted)
    own = replace(terms, manager=HELM_MANAGER, same_release=same, values=wanted.spec.values)
    compared = comparer.compare_all(wanted.objects, own)
    gone = _no_longer_wanted(wanted, live)
    known = frozenset(k.identity for k in manifest_keys(wanted.current)) if wanted.current else frozenset()
    refused = [] if terms.steal else foreign_release(app, wanted)
    if same and all(c.change.effect is Effect.UNCHANGED for c in compared):
        return _only_labels(app, wanted, tools, compared, refused)
    refused += [*unowned_objects(app, wanted, live, known | terms.handed), *(c for c in compared if c.problems)]
    refused += _left_to_others(wanted, compared)
    changes = tuple(c.change for c in compared) + gone
    verb = Verb.HELM_UPGRADE if wanted.current else Verb.HELM_INSTALL
    force = any(c.force for c in compared)
    spec = replace(wanted.spec, force_conflicts=wanted.spec.force_conflicts or force)
    revision = wanted.current.revision if wanted.current else 0
    cut = tools.repairs.cut_off(wanted.current)
    warnings = _stranger(wanted)
    left = None
    if cut is not None and cut.verb in {Verb.HELM_INSTALL, Verb.HELM_UPGRADE} and _same_content(wanted):
        verb, left = cut.verb, tools.repairs.hooks(cut)
        spec = replace(spec, replace=verb is Verb.HELM_INSTALL)
        warnings += told(left, f"{spec.namespace}/{spec.name}")
    step = release_step(app, ReleaseStep(verb, spec, revision, changes=changes))
    steps = clear_steps(app, changes)
    steps += [replace(step, operation=op) for op in chained(step.operation, freeing, left)]
    if tools.inject:
        anew = {c.key.identity for c in changes if c.effect is Effect.RECREATE}
        steps.extend(label_steps(app, wanted.objects, wanted.spec.labels, live, anew))
    return ReleasePlan(changes, tuple(steps), tuple(refused), tuple(warnings))


def _stranger(wanted: DesiredRelease) -> list[str]:
    """A release that nobody's project deployed, so far."""
    current = wanted.current
    if current is None or labels.PROJECT in current.labels:
        return []
    return [f"release {current.namespace}/{current.name} was not deployed by sbkube: this upgrade takes it over"]


def _only_labels(
    app: str, wanted: DesiredRelease, tools: Tools, compared: Sequence[Compared], refused: Sequence[Compared]
) -> ReleasePlan:
    """Nothing to do but, perhaps, labels that a run of ours which was cut off did not get to.

    Labels that an adopted release lacks wait for its next real change.
    """
    current = wanted.current
    changes = tuple(c.change for c in compared)
    ours = current is not None and (current.namespace, current.name, current.revision) in tools.left
    if not (tools.inject and ours):
        return ReleasePlan(changes, (), tuple(refused))
    steps = label_steps(app, wanted.objects, wanted.spec.labels, tools.live)
    lacking = {step.operation.key for step in steps}
    note = "gets the labels that an interrupted run left out"
    changes = tuple(replace(c, effect=Effect.CHANGE, note=note) if c.key in lacking else c for c in changes)
    return ReleasePlan(changes, tuple(steps), tuple(refused))


def clear_steps(app: str, changes: Iterable[Change]) -> list[Step]:
    """Deletions of objects that Helm could not change, before it acts: it then creates them anew."""
    steps = []
    for change in changes:
        if change.effect is Effect.RECREATE:
            step = object_step(app, Verb.CLEAR, change, None)
            steps.append(replace(step, wave=order.CONFIGURATION, awaits=()))
    return steps


def _left_to_others(wanted: DesiredRelease, compared: Sequence[Compared]) -> list[Compared]:
    """What an autoscaler or the like sets and the chart sets as well: Helm sends it, so it is a conflict."""
    if wanted.spec.force_conflicts:
        return []
    return [
        replace(c, problems=(left_problem(item, c.left),))
        for item, c in zip(wanted.objects, compared, strict=True)
        if c.left and not c.problems
    ]


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
    found = ((key, live.seen(key)) for key in old)
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


def label_steps(
    app: str,
    objects: Iterable[Desired],
    ownership: Mapping[str, str],
    live: Live,
    anew: Collection[tuple[str, str, str, str]] = (),
) -> list[Step]:
    """Our labels on the release's objects, merged after Helm's action: charts are never changed for them.

    `anew` are objects that Helm will create, though they are there now.
    """
    steps = []
    for item in objects:
        if live.hidden(item.key):  # then it cannot be labelled either
            continue
        before = None if item.key.identity in anew else live.get(item.key)
        missing = labels.missing_labels(before, ownership)
        if missing:
            change = Change(item.key, Effect.CHANGE, None, None, source=item.source)
            steps.append(_label_step(app, item, change, missing))
    return steps


def _label_step(app: str, item: Desired, change: Change, missing: Mapping[str, str]) -> Step:
    step = object_step(app, Verb.LABEL, change, {"metadata": {"labels": dict(missing)}})
    return replace(step, wave=_AFTER_RELEASE, awaits=(), operation=replace(step.operation, sensitive=False))


_AFTER_RELEASE = 5  # a wave of its own, behind everything else of the app
