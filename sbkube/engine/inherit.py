"""`init --from-namespace`: a project file for what runs already, so that `adopt` can take it over unchanged.

Of each object only those fields are written that somebody has set: what the API server and controllers added is
left out. Secrets are not written, nor what a project of ours or a release has.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sbkube.config.model import API_VERSION
from sbkube.errors import ClusterForbidden
from sbkube.models.resource import ResourceKey
from sbkube.plan import fieldset
from sbkube.plan.labels import PROJECT
from sbkube.ports import ClusterReader, HelmPort, Json

_KINDS = (
    ("v1", "ServiceAccount"), ("v1", "ConfigMap"), ("v1", "Secret"), ("v1", "PersistentVolumeClaim"),
    ("rbac.authorization.k8s.io/v1", "Role"), ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("v1", "Service"), ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"),
    ("batch/v1", "CronJob"), ("networking.k8s.io/v1", "Ingress"), ("networking.k8s.io/v1", "NetworkPolicy"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"), ("policy/v1", "PodDisruptionBudget"),
)  # fmt: skip
_MADE_ONCE = (("v1", "Pod"), ("batch/v1", "Job"))  # nothing keeps them, so a file would make them anew
_FURNITURE = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})
_OURS = frozenset({"kube-controller-manager", "k3s", "cloud-controller-manager", "kubelet"})
_RELEASE = "meta.helm.sh/release-name"
_REVISION = "deployment.kubernetes.io/revision"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


_NOTES = frozenset({_REVISION, _LAST_APPLIED})


@dataclass(slots=True)
class Inherited:
    """The project file's content, other files by name (manifests and values), and remarks."""

    project: dict[str, Any]
    files: dict[str, list[Json] | Json] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def inherit(cluster: ClusterReader, helm: HelmPort, namespace: str, name: str) -> Inherited:
    """What a namespace holds, as a project; raises ClusterError, ClusterUnreachable."""
    settings = {"namespace": namespace, "parallel_apps": True}
    found = Inherited({"apiVersion": API_VERSION, "metadata": {"name": name}, "settings": settings, "apps": {}})
    apps: dict[str, Any] = found.project["apps"]
    for release in helm.releases(namespace):
        apps[release.name] = {"type": "helm", "chart": f"REPOSITORY/{release.chart_name}"}
        apps[release.name]["version"] = release.chart_version
        if release.values:
            apps[release.name]["values"] = [f"values/{release.name}.yaml"]
            found.files[f"values/{release.name}.yaml"] = dict(release.values)
        found.remarks.append(f"{release.name}: say where chart {release.chart_name} comes from (helm_repos)")
    objects = list(_objects(cluster, namespace, found.remarks))
    if objects:
        apps["objects"] = {"type": "yaml", "manifests": ["manifests"]}
        for body in objects:
            key = ResourceKey.of(body)
            word = key.kind.lower()
            plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}es" if word.endswith("s") else f"{word}s"
            file = f"manifests/{plural}.yaml"
            listed = found.files.setdefault(file, [])
            assert isinstance(listed, list), file
            listed.append(body)
    if found.files:
        found.remarks.append("values may hold secrets: keep such files out of git, or encrypt them with sops")
    return found


def _objects(cluster: ClusterReader, namespace: str, remarks: list[str]) -> Iterator[Json]:
    for api_version, kind in (*_KINDS, *_MADE_ONCE):
        known = cluster.resource_type(api_version, kind)
        if known is None:
            continue
        try:
            live = cluster.list(known, namespace)
        except ClusterForbidden as error:
            remarks.append(f"{kind}: not looked at: {error.message}")
            continue
        for body in filter(_wanted, live):
            name = body["metadata"]["name"]
            if kind == "Secret":
                if body.get("type") not in ("helm.sh/release.v1", _TOKEN):
                    remarks.append(f"Secret {name} was left out")
            elif (api_version, kind) in _MADE_ONCE:
                remarks.append(f"{kind} {name} was left out: it was made once, by hand")
            else:
                yield written(body)


_TOKEN = "kubernetes.io/service-account-token"


def _wanted(body: Json) -> bool:
    meta = body["metadata"]
    released = _RELEASE in (meta.get("annotations") or {}) or PROJECT in (meta.get("labels") or {})
    return not (meta.get("ownerReferences") or released or (body["kind"], meta["name"]) in _FURNITURE)


def written(body: Json) -> Json:
    """What people and tools have set of an object: what kubectl keeps of it, else the fields that they own."""
    applied = (body["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
    if applied:
        with contextlib.suppress(ValueError):
            return _tidy(body, json.loads(applied))
    managers = {
        str(entry.get("manager"))
        for entry in body["metadata"].get("managedFields") or ()
        if not entry.get("subresource") and entry.get("manager") not in _OURS
    }
    owned = fieldset.union(*(fieldset.owned_tree(body, manager, updates=True) for manager in sorted(managers)))
    plain = fieldset.extract(body, owned) if owned else {k: v for k, v in body.items() if k != "status"}
    return _tidy(body, plain)


def _tidy(body: Json, plain: Json) -> Json:
    """Without what belongs to this one cluster."""
    meta = {**plain.get("metadata", {}), "name": body["metadata"]["name"]}
    notes = {k: v for k, v in (meta.pop("annotations", None) or {}).items() if k not in _NOTES}
    meta |= {"annotations": notes} if notes else {}
    for name in ("managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "namespace"):
        meta.pop(name, None)
    rest = {k: v for k, v in plain.items() if k not in ("apiVersion", "kind", "metadata", "status")}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": meta, **rest}
