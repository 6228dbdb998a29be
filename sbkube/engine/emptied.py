"""When may a namespace of ours go? When it holds nothing any more but what a cluster puts there."""

from __future__ import annotations

from collections.abc import Collection

from sbkube.engine.compare import Live
from sbkube.engine.prune import GONE
from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ClusterError, ClusterForbidden
from sbkube.models.plan import AppPlan, Change, Effect, Verb
from sbkube.models.resource import ResourceKey
from sbkube.plan import labels
from sbkube.ports import KEPT, Json, Recorded

NAMESPACES = "(namespaces)"  # stands for an app in plans that delete namespaces; no app can have this name
# What a cluster puts into a namespace by itself, and what other objects own.
_FURNITURE = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
_FLEETING = frozenset({"Event", "Lease", "Endpoints", "EndpointSlice", "PodMetrics"})


class Emptied:
    """Tells whether a namespace holds nothing but furniture once the planned deletions are done."""

    def __init__(self, world: Surroundings, live: Live, apps: Collection[AppPlan]) -> None:
        """`apps` are the plans of this run: what they delete will be gone, what they keep will not."""
        self._world = world
        self._live = live
        self._gone = {
            change.key.identity for app in apps for change in app.changes if change.effect is Effect.DELETE
        }
        self._releases = {
            (op.release.namespace, op.release.name)
            for app in apps
            for op in app.operations
            if op.verb is Verb.HELM_UNINSTALL and op.release is not None
        }

    def namespace(self, key: ResourceKey, known: Recorded, project: str, warnings: list[str]) -> Change | None:
        """Delete it, keep it with a warning, or nothing when it is gone."""
        self._live.observe([key])
        body = self._live.get(key)
        if body is None:
            return Change(key, Effect.UNCHANGED, None, None, note=GONE)
        if body["metadata"].get("deletionTimestamp"):
            return None
        reason = ""
        if body["metadata"].get("uid") != known.uid or not labels.ours(body, project) or known.verb == KEPT:
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
