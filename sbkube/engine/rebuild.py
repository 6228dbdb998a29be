"""Finding again what belongs to a project after its ledger was lost: by the labels that every object carries.

What is found was written by sbkube (its field manager is on it) or belongs to a Helm release with the project's
label. What only carries the label is told, and left out: somebody may have copied a manifest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from sbkube.config.model import ProjectConfig
from sbkube.engine.lock import CLOSING, LAST_DEPLOYMENT, lease_name
from sbkube.engine.prune import is_release_storage, project_releases
from sbkube.engine.releases import manifest_keys
from sbkube.engine.surroundings import ReleaseIndex, Surroundings, at_once
from sbkube.errors import ClusterError, ClusterForbidden
from sbkube.models.deployment_state import LockTarget
from sbkube.models.found import FoundApp, FoundObject
from sbkube.models.resource import ResourceKey, ResourceType
from sbkube.plan import fieldset, labels
from sbkube.ports import Json

# Made by controllers with the labels of what they are made from.
_MIRRORED = frozenset({("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice"), ("", "Event")})
_RELEASE_NAME = "meta.helm.sh/release-name"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: apps that are ours, and objects with our label that are not, each with the reason.

    `unseen` are kinds that may not be listed. `last_deployment` is what the cluster's Lease names as the newest.
    """

    apps: tuple[FoundApp, ...]
    left_out: tuple[tuple[ResourceKey, str], ...] = ()
    unseen: tuple[str, ...] = ()
    last_deployment: str = ""

    @property
    def objects(self) -> int:
        """How many objects there are in all apps."""
        return sum(len(app.objects) for app in self.apps)


@dataclass(slots=True)
class _App:
    objects: list[FoundObject] = field(default_factory=list)
    helm: bool = False


def find(config: ProjectConfig, world: Surroundings, target: LockTarget) -> Found:
    """Look through every kind that can be listed. Raises SurroundingsError when the cluster cannot be asked."""
    kinds = list(_kinds(world))
    unseen: list[str] = []
    selector = f"{labels.PROJECT}={labels.label_value(config.name)}"

    def listed(kind: ResourceType) -> list[Json]:
        try:
            return world.cluster.list(kind, labels=selector)
        except (ClusterForbidden, ClusterError):
            unseen.append(kind.kind)
            return []

    bodies = [body for found in at_once(listed, kinds) for body in found]
    spaces = {app.namespace or target.namespace for app in config.apps.values()} | {target.namespace}
    others = _other_bases(world, target)
    releases = project_releases(ReleaseIndex(world.helm), _release_spaces(bodies, spaces), config.name)
    releases = [r for r in releases if _whose(r.namespace, spaces, others) == ""]
    of_release = {key.identity for record in releases for key in manifest_keys(record)}
    apps: dict[str, _App] = defaultdict(_App)
    left_out: list[tuple[ResourceKey, str]] = []
    for body in bodies:
        key = ResourceKey.of(body)
        if _made_by_others(key, body):
            continue
        helm = key.identity in of_release or _RELEASE_NAME in (body["metadata"].get("annotations") or {})
        if reason := _whose(_space(key), spaces, others) or _not_ours(body, helm=helm):
            left_out.append((key, reason))
            continue
        app = apps[labels.app_of(body["metadata"].get("labels") or {}) or "?"]
        app.objects.append(_found(key, body, helm=helm))
        app.helm = app.helm or helm
    by_app = {labels.app_of(record.labels) or record.name: record for record in releases}
    names = sorted({*apps, *by_app})
    return Found(
        tuple(_app(config, target, name, apps[name], by_app.get(name)) for name in names),
        tuple(sorted(left_out)),
        tuple(sorted(set(unseen))),
        last_deployment(world, target),
    )


def _app(config: ProjectConfig, target: LockTarget, name: str, app: _App, release: object) -> FoundApp:
    full = next((n for n in config.apps if labels.app_label(n) == labels.app_label(name)), name)
    spec = config.apps.get(full)
    kind = spec.type if spec else "helm" if app.helm or release else "yaml"
    namespace = (spec.namespace if spec else "") or target.namespace
    return FoundApp(full, kind, namespace, tuple(app.objects), release)  # type: ignore[arg-type]


def _kinds(world: Surroundings) -> Iterator[ResourceType]:
    """Each kind once, in the version that is served first."""
    seen = set()
    for served in world.cluster.api_versions():
        version, _, kind = served.rpartition("/")
        if not kind[:1].isupper() or not version:
            continue
        group = version.rpartition("/")[0]
        if (group, kind) in seen or (group, kind) in _MIRRORED:
            continue
        found = world.cluster.resource_type(version, kind)
        if found is not None and "list" in found.verbs:
            seen.add((group, kind))
            yield found


def _release_spaces(bodies: Collection[Json], spaces: Collection[str]) -> set[str]:
    return {str(body["metadata"].get("namespace") or "") for body in bodies} - {""} | set(spaces)


def _made_by_others(key: ResourceKey, body: Json) -> bool:
    """Helm's storage, or something with an owner, which goes and comes with it."""
    return is_release_storage(key) or any(
        o.get("controller") for o in body["metadata"].get("ownerReferences") or ()
    )


def _not_ours(body: Json, *, helm: bool) -> str:
    managers = [str(entry.get("manager")) for entry in body["metadata"].get("managedFields") or ()]
    if helm or labels.MANAGER in managers:
        return ""
    return f"it carries the label, but {', '.join(dict.fromkeys(managers)) or 'nobody'} wrote it"


def _space(key: ResourceKey) -> str:
    """The namespace that an object lies in, or is."""
    return key.name if (key.group, key.kind) == ("", "Namespace") else key.namespace


def _whose(namespace: str, spaces: Collection[str], others: Collection[str]) -> str:
    """Why an object may belong to a project of the same name with another base namespace."""
    if not others or namespace in spaces:
        return ""
    other = namespace if namespace in others else ", ".join(sorted(others))
    return f"it may belong to the project of the same name in namespace {other}"


def _other_bases(world: Surroundings, target: LockTarget) -> set[str]:
    """Base namespaces of projects of the same name: each has its Lease there."""
    kind = world.cluster.resource_type("coordination.k8s.io/v1", "Lease")
    if kind is None:
        return set()
    try:
        leases = world.cluster.list(kind, labels=f"{labels.MANAGED_BY}={labels.MANAGER}")
    except (ClusterForbidden, ClusterError):
        return set()
    spaces = {lease["metadata"]["namespace"]: lease["metadata"]["name"] for lease in leases}
    own = {
        space
        for lease in leases
        for space in (lease["metadata"]["namespace"],)
        if lease["metadata"]["name"] == lease_name(LockTarget(target.project, target.cluster_uid, space))
    }
    return (own & spaces.keys()) - {target.namespace}


def _found(key: ResourceKey, body: Json, *, helm: bool) -> FoundObject:
    if helm:
        return FoundObject(key, body, helm=True)
    wanted = fieldset.extract(body, fieldset.owned_tree(body, labels.MANAGER))
    return FoundObject(key, body, wanted or None)


def last_deployment(world: Surroundings, target: LockTarget) -> str:
    """The id that the project's Lease names as the newest deployment, "" where there is none."""
    return last_closing(world, target)[0]


def last_closing(world: Surroundings, target: LockTarget) -> tuple[str, str]:
    """That id, and the hash that the Lease says it was closed with ("" where it says none)."""
    lease = world.leases.read(target.namespace, lease_name(target))
    notes = ((lease or {}).get("metadata") or {}).get("annotations") or {}
    return str(notes.get(LAST_DEPLOYMENT) or ""), str(notes.get(CLOSING) or "")
