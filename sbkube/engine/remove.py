"""`delete`: a plan in which nothing is wanted any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from sbkube.config.model import ProjectConfig
from sbkube.engine.compare import Live
from sbkube.engine.prepare import Selection, target_of
from sbkube.engine.prune import Removal, own_objects, project_releases
from sbkube.engine.releases import manifest_keys
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.errors import ClusterError, ClusterForbidden
from sbkube.models.plan import AppPlan, Change, Effect, Plan, Verb
from sbkube.models.release import ReleaseRecord
from sbkube.models.resource import ResourceKey
from sbkube.plan import labels, order
from sbkube.plan.operations import assemble_deletion, link_apps, object_step
from sbkube.ports import Json, Recorded

# What a cluster puts into a namespace by itself, and what other objects own.
_FURNITURE = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
_FLEETING = frozenset({"Event", "Lease", "Endpoints", "EndpointSlice", "PodMetrics"})


def plan_delete(
    config: ProjectConfig, world: Surroundings, selection: Selection, *, consent: bool = False
) -> Plan:
    """Plan the deletion of everything that the project created (of the selected apps).

    `consent` allows to delete objects that hold data. Namespaces go if we created them and they are empty then.
    """
    target = target_of(config, world)
    recorded = world.ledger.inventory(target)
    chosen = {
        key: known
        for key, known in own_objects(recorded).items()
        if (not selection.apps or known.app in selection.apps)
    }
    index = ReleaseIndex(world.helm)
    namespaces = {key.namespace for key in recorded if key.namespace} | {config.settings.namespace}
    namespaces |= {app.namespace for app in config.apps.values() if app.namespace}
    releases = [
        record
        for record in project_releases(index, namespaces, config.name)
        if not selection.apps or record.labels.get(labels.APP) in selection.apps
    ]
    warnings: list[str] = []
    live = Live(world)
    own_namespaces = {k: v for k, v in chosen.items() if k.kind == "Namespace"}
    objects = {k: v for k, v in chosen.items() if k not in own_namespaces}
    removal = Removal(live, config.name, config.settings.timeout, warnings, consent=consent)
    apps = _in_reverse(config, removal.plans(objects, releases))
    emptied = _Emptied(world, live, objects, releases)
    tail = _namespaces(config, own_namespaces, emptied, warnings, apps)
    return Plan(
        project=config.name,
        namespace=config.settings.namespace,
        purpose="delete",
        cluster=world.cluster.info().name,
        cluster_uid=target.cluster_uid,
        apps=(*apps, *tail),
        warnings=tuple(warnings),
        on_failure="continue",
        max_workers=config.settings.max_workers,
    )


def _in_reverse(config: ProjectConfig, apps: list[AppPlan]) -> list[AppPlan]:
    """Dependents go first."""
    by_name = {app.name: app for app in apps}
    needs: dict[str, list[str]] = {app.name: [] for app in reversed(apps)}
    for name, spec in config.apps.items():
        for dependency in spec.depends_on:
            if name in by_name and dependency in by_name:
                needs[dependency].append(name)
    names = order.app_order(needs)
    linked = link_apps({n: by_name[n].operations for n in names}, needs, one_at_a_time=False)
    return [replace(by_name[n], operations=linked[n]) for n in names]


def _namespaces(
    config: ProjectConfig,
    candidates: Mapping[ResourceKey, Recorded],
    emptied: _Emptied,
    warnings: list[str],
    apps: list[AppPlan],
) -> list[AppPlan]:
    """Our namespaces as a last step of their own, behind everything else."""
    timeout = config.settings.timeout
    changes, steps = [], []
    for key, known in candidates.items():
        change = emptied.namespace(key, known, config.name, warnings)
        if change is None:
            continue
        changes.append(change)
        if change.effect is Effect.DELETE:
            steps.append(object_step("namespaces", Verb.DELETE, change, None))
    if not changes:
        return []
    before = tuple(op.id for app in apps for op in app.operations)
    operations = assemble_deletion("namespaces", steps, timeout)
    linked = tuple(op if op.needs else replace(op, needs=before) for op in operations)
    return [AppPlan("namespaces", "removed", "", changes=tuple(changes), operations=linked)]


class _Emptied:
    """Tells whether a namespace holds nothing but furniture once the planned deletions are done."""

    def __init__(
        self,
        world: Surroundings,
        live: Live,
        objects: Collection[ResourceKey],
        releases: Collection[ReleaseRecord],
    ) -> None:
        self._world = world
        self._live = live
        self._gone = {key.identity for key in objects}
        self._gone |= {key.identity for record in releases for key in manifest_keys(record)}
        self._releases = {(record.namespace, record.name) for record in releases}

    def namespace(self, key: ResourceKey, known: Recorded, project: str, warnings: list[str]) -> Change | None:
        """Delete it, keep it with a warning, or nothing when it is gone."""
        self._live.observe([key])
        body = self._live.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        reason = ""
        if body["metadata"].get("uid") != known.uid or not labels.ours(body, project) or known.verb == "kept":
            reason = "it is not the one that we created"
        elif labels.kept(body):
            reason = "an annotation on it says so"
        elif left := self._left(key.name):
            reason = f"it still holds {left}"
        if not reason:
            return Change(key, Effect.DELETE, body, None)
        warnings.append(f"{key} is kept: {reason}")
        return Change(key, Effect.UNCHANGED, body, body, note=f"kept: {reason}")

    def _left(self, namespace: str) -> str:
        """The first object that would be left, or an empty text."""
        cluster = self._world.cluster
        for served in cluster.api_versions():
            api_version, _, kind = served.rpartition("/")
            if not kind[:1].isupper() or kind in _FLEETING:
                continue
            found = cluster.resource_type(api_version, kind)
            if found is None or not found.namespaced or "list" not in found.verbs:
                continue
            try:
                items = cluster.list(found, namespace)
            except (ClusterForbidden, ClusterError) as error:
                return f"what cannot be listed ({kind}: {error.message})"
            for item in items:
                if not self._goes(kind, item):
                    return f"{kind}/{item['metadata']['name']}"
        return ""

    def _goes(self, kind: str, item: Json) -> bool:
        meta = item["metadata"]
        group = str(item.get("apiVersion", "")).rpartition("/")[0]
        if (kind, meta["name"]) in _FURNITURE or meta.get("ownerReferences") or meta.get("deletionTimestamp"):
            return True
        if (group, kind, meta.get("namespace", ""), meta["name"]) in self._gone:
            return True
        owner = meta.get("labels") or {}
        return (
            kind == "Secret"
            and owner.get("owner") == "helm"
            and (meta["namespace"], str(owner.get("name"))) in self._releases
        )
