"""Can the claims of a project be bound? A claim needs a class that provisions, or a volume that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sbkube.config.model import ProjectConfig
from sbkube.engine.desired import Desired, render_all, resolve
from sbkube.engine.prepare import Selection, selected_apps
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.errors import Place, Problem
from sbkube.models.resource import ResourceKey
from sbkube.ports import Json
from sbkube.sandbox.quantities import parse

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_BY_HAND = "kubernetes.io/no-provisioner"


@dataclass(frozen=True, slots=True)
class _Claim:
    app: str
    name: str
    namespace: str
    spec: Mapping[str, Any]
    place: Place | None


def claims(config: ProjectConfig, world: Surroundings) -> tuple[list[Problem], int]:
    """What cannot be bound, and how many claims there are. Raises ClusterError, ProjectError."""
    index = ReleaseIndex(world.helm)
    apps = selected_apps(config, Selection())
    wanted = resolve(config, render_all(config, apps, world, index), world, index)
    found = [claim for app in wanted for item in app.all_objects for claim in _claims(item)]
    own = [item.body for app in wanted for item in app.all_objects]
    classes = {body["metadata"]["name"]: body for body in _all(world, "storage.k8s.io/v1", "StorageClass", own)}
    volumes = _all(world, "v1", "PersistentVolume", own)
    problems = []
    for claim in found:
        key = ResourceKey("", "v1", "PersistentVolumeClaim", claim.namespace, claim.name)
        live = world.cluster.get(key)
        bound = live is not None and (live.get("status") or {}).get("phase") == "Bound"
        why = "" if bound else _unbound(claim, classes, volumes)
        if why:
            names = ", ".join(sorted(classes)) or "none"
            message = f"{claim.app}: claim {claim.name} cannot be bound: {why}"
            problems.append(Problem(message, claim.place, f"storage classes here: {names}"))
    return problems, len(found)


def _all(world: Surroundings, api_version: str, kind: str, own: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Those of the cluster, and those that the project brings."""
    known = world.cluster.resource_type(api_version, kind)
    here = world.cluster.list(known) if known else []
    return [
        *here,
        *(dict(body) for body in own if body.get("kind") == kind and body.get("apiVersion") == api_version),
    ]


def _claims(item: Desired) -> Iterator[_Claim]:
    body, namespace = item.body, item.key.namespace
    if item.key.kind == "PersistentVolumeClaim":
        yield _Claim(item.app, item.key.name, namespace, body.get("spec") or {}, item.source)
    if item.key.kind == "StatefulSet":
        spec = body.get("spec") or {}
        for template in spec.get("volumeClaimTemplates") or ():
            name = f"{template['metadata']['name']}-{item.key.name}-0"
            yield _Claim(item.app, name, namespace, template.get("spec") or {}, item.source)


def _unbound(claim: _Claim, classes: Mapping[str, Json], volumes: Sequence[Json]) -> str:
    """Why nothing will bind the claim, or an empty text."""
    wanted = claim.spec.get("storageClassName")
    if wanted is None:
        default = [name for name, body in classes.items() if _is_default(body)]
        if not default:
            return "" if _volume(claim, volumes, "") else "it names no storage class, and there is no default one"
        wanted = default[0]
    if wanted and wanted not in classes and not _volume(claim, volumes, wanted):
        return f'there is no storage class "{wanted}"'
    provisioner = (classes.get(wanted) or {}).get("provisioner", _BY_HAND)
    if provisioner != _BY_HAND or _volume(claim, volumes, wanted):
        return ""
    kind = f'class "{wanted}" provisions nothing' if wanted else "it asks for no class"
    return f"{kind}, and no available volume fits"


def _is_default(body: Json) -> bool:
    notes = (body.get("metadata") or {}).get("annotations") or {}
    return str(notes.get(_DEFAULT, "")).lower() == "true"


def _volume(claim: _Claim, volumes: Sequence[Json], wanted: str) -> bool:
    """A volume is there that the claim could be bound to."""
    size = parse(str(((claim.spec.get("resources") or {}).get("requests") or {}).get("storage", "0")))
    modes = set(claim.spec.get("accessModes") or ())
    for volume in volumes:
        spec = volume.get("spec") or {}
        free = (volume.get("status") or {}).get("phase", "Available") == "Available" or _promised(spec, claim)
        fits = parse(str((spec.get("capacity") or {}).get("storage", "0"))) >= size
        if free and fits and (spec.get("storageClassName") or "") == wanted and modes <= set(spec["accessModes"]):
            return True
    return False


def _promised(spec: Mapping[str, Any], claim: _Claim) -> bool:
    reference = spec.get("claimRef") or {}
    return (reference.get("namespace"), reference.get("name")) == (claim.namespace, claim.name)
