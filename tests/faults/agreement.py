"""What must be true after everything: record and cluster agree, and nothing is left open, stuck or forgotten."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from faults.shop import NAMESPACE, PLANTED
from sqlalchemy import create_engine, text

from sbkube.models.deployment_state import DeploymentDetail, LockTarget
from sbkube.models.plan import HELM
from sbkube.models.resource import ResourceKey
from sbkube.plan import fieldset
from sbkube.plan.labels import HELM_MANAGER, MANAGER, PROJECT, label_value
from sbkube.state.tracker import DeploymentTracker

Json = dict[str, Any]
Identity = tuple[str, str, str]
_MADE_BY_CONTROLLERS = {"Pod", "ReplicaSet", "ControllerRevision", "Event", "Endpoints", "EndpointSlice", "Node"}
_SYSTEM = {"default", "kube-node-lease", "kube-public", "kube-system"}


def identity(obj: Mapping[str, Any]) -> Identity:
    """Kind, namespace and name."""
    meta = obj["metadata"]
    return obj["kind"], meta.get("namespace", ""), meta["name"]


def _concerns_us(obj: Mapping[str, Any]) -> bool:
    kind, namespace, name = identity(obj)
    if kind in _MADE_BY_CONTROLLERS or namespace in _SYSTEM or kind == "Lease":
        return False
    if kind in {"ConfigMap", "ServiceAccount"} and name in {"kube-root-ca.crt", "default"}:
        return False
    if kind == "Secret" and obj.get("type") == "helm.sh/release.v1":
        return False
    return bool(namespace) or (kind == "Namespace" and name not in _SYSTEM)


def content(objects: Iterable[Mapping[str, Any]]) -> dict[Identity, Json]:
    """What a deployment leaves, by identity, without what differs between two equal deployments."""
    return {identity(o): _plain(o) for o in objects if _concerns_us(o)}


def _plain(obj: Mapping[str, Any]) -> Json:
    body = {k: v for k, v in obj.items() if k not in ("metadata", "status")}
    meta = obj["metadata"]
    kept = {k: dict(v) for k in ("labels", "annotations") if (v := meta.get(k))}
    kept.get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    if "deletionTimestamp" in meta:
        kept["going"] = {}
    spec = body.get("spec")
    if obj["kind"] == "Job":  # selector and labels carry the uid
        body = {"template": [c.get("args") for c in spec["template"]["spec"]["containers"]]}
        kept.pop("labels", None)
    if obj["kind"] == "Namespace":
        body.pop("spec", None)
    return {**body, "metadata": {k: v for k, v in kept.items() if v or k == "going"}}


def releases(objects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Every stored revision of every release: `NAMESPACE/NAME.vN` → status."""
    found = {}
    for obj in objects:
        if obj["kind"] == "Secret" and obj.get("type") == "helm.sh/release.v1":
            labels = obj["metadata"]["labels"]
            found[f"{obj['metadata']['namespace']}/{labels['name']}.v{labels['version']}"] = labels["status"]
    return found


def differences(wanted: Mapping[Identity, Json], found: Mapping[Identity, Json]) -> list[str]:
    """In words."""
    result = [f"{_named(k)} is missing" for k in wanted if k not in found]
    result += [f"{_named(k)} should not be there" for k in found if k not in wanted]
    for key in wanted.keys() & found.keys():
        if wanted[key] != found[key]:
            result.append(f"{_named(key)} is {_short(found[key])}, should be {_short(wanted[key])}")
    return result


def _named(key: Identity) -> str:
    return "/".join(part for part in key if part)


def _short(body: Json) -> str:
    return json.dumps(body, sort_keys=True)[:600]


def target(objects: Iterable[Mapping[str, Any]], project: str = NAMESPACE) -> LockTarget:
    """The lock target of a project on a sandbox with these objects."""
    system = next(o for o in objects if identity(o) == ("Namespace", "", "kube-system"))
    return LockTarget(project, system["metadata"]["uid"], NAMESPACE)


def _newest_rows(details: Iterable[DeploymentDetail]) -> dict[Identity, Any]:
    rows = {}
    for detail in details:
        for row in sorted(detail.resources, key=lambda r: r.position):
            # What a Helm action that failed has done all the same is recorded too.
            if row.state.value == "applied" or (row.verb == HELM and row.after is not None):
                rows[row.key.kind, row.key.namespace, row.key.name] = row
    return rows


def record_and_cluster(
    tracker: DeploymentTracker,
    objects: list[Json],
    where: LockTarget | None = None,
    except_for: Collection[Identity] = (),
) -> list[str]:
    """Every recorded object is there as recorded, and nothing of ours is there that is not recorded.

    The content of `except_for` is not compared: others have changed it.
    """
    where = where or target(objects)
    known = {identity(o): o for o in objects}
    recorded: dict[Identity, ResourceKey] = {(k.kind, k.namespace, k.name): k for k in tracker.inventory(where)}
    bad = [f"recorded, but not there: {_named(k)}" for k in recorded if k not in known]
    ids = [d.deployment_id for d in tracker.list_deployments(project=where.project, limit=1000)]
    rows = _newest_rows(tracker.detail(i) for i in reversed(ids))
    for key in recorded:
        live, row = known.get(key), rows.get(key)
        if live is None or row is None or row.after is None or key in except_for:
            continue
        for manager in (MANAGER, HELM_MANAGER):
            owned = fieldset.owned_tree(row.after, manager)
            if fieldset.extract(row.after, owned) != fieldset.extract(live, owned):
                bad.append(f"recorded otherwise than it is ({manager}): {_named(key)}")
    ours = (identity(o) for o in objects if _ours(o, where.project))
    return bad + [f"of ours, but not recorded: {_named(key)}" for key in ours if key not in recorded]


def _ours(obj: Mapping[str, Any], project: str) -> bool:
    if not _concerns_us(obj):
        return False
    meta = obj["metadata"]
    if (meta.get("labels") or {}).get(PROJECT) == label_value(project):
        return True
    # Hooks belong to no release, for Helm either: they have no such annotation.
    return "meta.helm.sh/release-name" in (meta.get("annotations") or {})


def record_is_closed(url: str, tracker: DeploymentTracker, objects: list[Json]) -> list[str]:
    """No open intent, every deployment ended, history untouched, nobody holds the lock."""
    bad = []
    engine = create_engine(url)
    with engine.connect() as conn:
        for table in ("deployed_resources", "helm_releases"):
            open_ = conn.execute(text(f"select count(*) from {table} where state = 'intended'")).scalar_one()
            bad += [f"{open_} open intents in {table}"] if open_ else []
        running = conn.execute(
            text("select deployment_id, status from deployments where status in ('pending', 'in_progress')")
        ).all()
        bad += [f"deployment {row[0]} is {row[1]}" for row in running]
    engine.dispose()
    if any(tracker.holder(target(objects, d.project)) for d in tracker.list_deployments(limit=100)):
        bad.append("the lock row is held")
    for lease in (o for o in objects if o["kind"] == "Lease" and o["metadata"].get("namespace") == NAMESPACE):
        if (lease.get("spec") or {}).get("holderIdentity"):
            bad.append("the Lease is held")
    bad += [f"state verify: {f.subject}: {f.message}" for f in tracker.verify().findings if f.serious]
    return bad


def stuck(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Releases that a dead client left in the middle."""
    return [f"release {name} is {status}" for name, status in releases(objects).items() if "ing" in status]


def in_clear(folder: Path, planted: str = PLANTED) -> list[str]:
    """The file, or files below a folder, in which a planted secret can be read, plain or in base64."""
    needles = [planted.encode(), base64.b64encode(planted.encode()).rstrip(b"=")[:-1]]
    files = [folder] if folder.is_file() else [p for p in folder.rglob("*") if p.is_file()]
    return [f"a secret is readable in {p}" for p in files if any(n in p.read_bytes() for n in needles)]
