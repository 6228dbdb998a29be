"""`drift`: what we recorded as left, against what is there. Reads only, the cluster and the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sbkube.config.model import ProjectConfig
from sbkube.engine.compare import Live
from sbkube.engine.prepare import refuse_unknown, target_of
from sbkube.engine.prune import is_release_storage
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.models.deployment_state import HelmReleaseRecord, ResourceRecord
from sbkube.models.drift import AppDrift, DriftReport, DriftState, ObjectDrift, ReleaseDrift
from sbkube.models.plan import FieldChange, Verb
from sbkube.models.resource import ResourceKey
from sbkube.models.selection import selects
from sbkube.plan import order
from sbkube.plan.classify import left_to_owner, moved_since
from sbkube.plan.labels import HELM_MANAGER, MANAGER
from sbkube.plan.redact import Redactor, is_secret
from sbkube.ports import Json, Recorded

_HELMS = frozenset({"helm", Verb.LABEL.value})  # rows of objects that Helm applies


def drift(
    config: ProjectConfig, world: Surroundings, redactor: Redactor, apps: tuple[str, ...] = ()
) -> DriftReport:
    """Compare every recorded object and release (of the given apps) with the live one. Values of Secrets and of
    what the project calls sensitive are masked."""
    target = target_of(config, world)
    inventory = world.ledger.inventory(target)
    refuse_unknown(apps, [*config.apps, *(known.app for known in inventory.values())])
    recorded = {
        key: known for key, known in inventory.items() if not is_release_storage(key) and selects(apps, known.app)
    }
    live = Live(world)
    live.observe(recorded)
    images = {key.identity: row for key, row in world.ledger.images(target, tuple(recorded)).items()}
    looker = _Looker(world, live, redactor)
    objects: dict[str, list[ObjectDrift]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for key in sorted(recorded, key=order.sort_key):
        known = recorded[key]
        counts[known.app] += 1
        if found := looker.left_object(key, known, images.get(key.identity)):
            objects[known.app].append(found)
    releases: dict[str, list[ReleaseDrift]] = defaultdict(list)
    for row in world.ledger.releases(target):
        if selects(apps, row.app_name):
            counts[row.app_name] += 0
            if moved := looker.release(row):
                releases[row.app_name].append(moved)
    names = [name for name in config.apps if name in counts] + [n for n in counts if n not in config.apps]
    return DriftReport(
        world.cluster.info(),
        config.name,
        config.settings.namespace,
        tuple(AppDrift(name, counts[name], tuple(objects[name]), tuple(releases[name])) for name in names),
    )


class _Looker:
    def __init__(self, world: Surroundings, live: Live, redactor: Redactor) -> None:
        self._world = world
        self._live = live
        self._index = ReleaseIndex(world.helm)
        self._redactor = redactor

    def left_object(self, key: ResourceKey, known: Recorded, row: ResourceRecord | None) -> ObjectDrift | None:
        """How one object differs from what we left, or None."""

        def found(state: DriftState, note: str = "", fields: tuple[FieldChange, ...] = ()) -> ObjectDrift:
            return ObjectDrift(key, state, fields, note, known.deployment_id)

        if why := self._live.hidden(key):
            return found(DriftState.UNKNOWN, f"cannot tell: {why}")
        live = self._live.get(key)
        if live is None:
            return None if _goes_by_itself(row) else found(DriftState.MISSING, "deleted by somebody")
        if live["metadata"].get("uid") != known.uid:
            return found(DriftState.REPLACED, "deleted and created again by somebody")
        if self._same(live, known):
            return None
        if row is None or row.missing_key or row.after is None:
            return found(DriftState.UNKNOWN, "cannot tell: what we left is encrypted under a key that is not here")
        fields = self._moved(live, row.after, helm=known.verb in _HELMS)
        return found(DriftState.CHANGED, fields=fields) if fields else None

    def _same(self, live: Json, known: Recorded) -> bool:
        if known.resource_version and known.resource_version == live["metadata"].get("resourceVersion"):
            return True
        return bool(known.image) and known.image == self._world.ledger.fingerprint(live)

    def _moved(self, live: Json, after: Mapping[str, object], *, helm: bool) -> tuple[FieldChange, ...]:
        """Fields that we (and Helm for us) set and that have another value now, but for those left to others."""
        managers = (HELM_MANAGER, MANAGER) if helm else (MANAGER,)
        found = {f.path: f for manager in managers for f in moved_since(after, live, manager)}
        secret = is_secret(live)
        return tuple(self._redactor.field(f, secret) for f in found.values() if not left_to_owner(f, managers))

    def release(self, row: HelmReleaseRecord) -> ReleaseDrift | None:
        """How a release differs from what we left, or None."""
        current = self._index.get(row.namespace, row.release_name)
        if current is None:
            return ReleaseDrift(row.release_name, row.namespace, DriftState.MISSING, ("uninstalled by somebody",))
        if current.revision == row.revision_after:
            return None
        now = f"revision {current.revision} ({current.status}, {current.updated})"
        notes = [f"{now}, we left {row.revision_after}"]
        if (current.chart_name, current.chart_version) != (row.chart, row.chart_version):
            notes.append(
                f"chart {current.chart_name} {current.chart_version}, we left {row.chart} {row.chart_version}"
            )
        history = self._world.helm.history(row.release_name, row.namespace)
        ours = next((r for r in history if r.revision == row.revision_after), None)
        if ours is None:
            notes.append(f"cannot tell whether values differ: Helm has no revision {row.revision_after} any more")
        else:
            names = {*ours.values, *current.values}
            other = sorted(n for n in names if ours.values.get(n) != current.values.get(n))
            notes += [f"other values: {', '.join(other)}"] if other else []
        return ReleaseDrift(row.release_name, row.namespace, DriftState.CHANGED, tuple(notes))


def _goes_by_itself(row: ResourceRecord | None) -> bool:
    """A Job that says when it may be cleared away is not missed."""
    after = (row.after if row else None) or {}
    spec = after.get("spec") or {}
    return after.get("kind") == "Job" and spec.get("ttlSecondsAfterFinished") is not None
