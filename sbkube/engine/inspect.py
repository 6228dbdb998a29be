"""Looking without touching: what the ledger says is there, and how it is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sbkube.config.model import ProjectConfig
from sbkube.engine.compare import Live
from sbkube.engine.prepare import refuse_unknown, target_of
from sbkube.engine.prune import is_release_storage, project_releases
from sbkube.engine.releases import manifest_keys
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.errors import DeploymentNotFound
from sbkube.health import assess
from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus
from sbkube.models.health import Health, HealthStatus
from sbkube.models.resource import ClusterInfo, ResourceKey
from sbkube.models.selection import selects
from sbkube.plan import labels, order

_WORST = (
    HealthStatus.FAILED,
    HealthStatus.MISSING,
    HealthStatus.TERMINATING,
    HealthStatus.UNKNOWN,
    HealthStatus.IN_PROGRESS,
    HealthStatus.READY,
)


@dataclass(frozen=True, slots=True)
class AppStatus:
    """One app: how it is now, with every object, the worst first."""

    name: str
    type: str
    namespace: str
    health: Health
    objects: tuple[tuple[ResourceKey, Health], ...]
    release: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What runs of a project on a cluster; `last` is its newest deployment. `parts` are the reports of all
    projects of a family."""

    cluster: ClusterInfo
    project: str
    namespace: str
    last: DeploymentRecord | None
    apps: tuple[AppStatus, ...]
    parts: tuple[StatusReport, ...] = ()

    @property
    def each(self) -> tuple[StatusReport, ...]:
        """One report per project, also where there is only one."""
        return self.parts or (self,)

    @property
    def healthy(self) -> bool:
        """Every app is ready."""
        return all(app.health.ready for report in self.each for app in report.apps)


def status(config: ProjectConfig, world: Surroundings, apps: tuple[str, ...] = ()) -> StatusReport:
    """Health of everything recorded, and of the objects of the project's releases, as they are now."""
    target = target_of(config, world)
    recorded = world.ledger.inventory(target)
    keys: dict[str, set[ResourceKey]] = defaultdict(set)
    releases: dict[str, str] = {}
    for key, known in recorded.items():
        if is_release_storage(key):
            continue
        keys[known.app].add(key)
    namespaces = {k.namespace for k in recorded if k.namespace} | {config.settings.namespace}
    for record in project_releases(ReleaseIndex(world.helm), namespaces, config.name):
        app = labels.app_of(record.labels) or record.name
        releases[app] = f"{record.chart_name} {record.chart_version}, revision {record.revision}, {record.status}"
        keys[app].update(manifest_keys(record))
    live = Live(world)
    live.observe(key for own in keys.values() for key in own)
    names = [n for n in config.apps if config.apps[n].enabled] + [n for n in keys if n not in config.apps]
    refuse_unknown(apps, [*config.apps, *names])
    chosen = [name for name in names if selects(apps, name)]
    try:
        last: DeploymentRecord | None = world.ledger.detail("latest", target).deployment
    except DeploymentNotFound:
        last = None
    ended = {name: world.ledger.app_status(target, name) for name in chosen if not keys[name]}
    return StatusReport(
        cluster=world.cluster.info(),
        project=config.name,
        namespace=config.settings.namespace,
        last=last,
        apps=tuple(
            _app(config, name, keys[name], live, releases.get(name, ""), ended.get(name)) for name in chosen
        ),
    )


def _health(live: Live, key: ResourceKey) -> Health:
    """How one object is; what may not be read is unknown."""
    if why := live.hidden(key):
        return Health(HealthStatus.UNKNOWN, "Forbidden", why)
    return assess(live.get(key))


def _app(
    config: ProjectConfig,
    name: str,
    keys: set[ResourceKey],
    live: Live,
    release: str,
    ended: DeploymentStatus | None,
) -> AppStatus:
    objects = [(key, _health(live, key)) for key in sorted(keys, key=order.sort_key)]
    objects.sort(key=lambda pair: _WORST.index(pair[1].status))
    spec = config.apps.get(name)
    if objects:
        key, worst = objects[0]
        health = worst if worst.ready else Health(worst.status, worst.reason, f"{key}: {worst.message}")
    elif spec is not None and (spec.type == "noop" or ended is DeploymentStatus.SUCCESS):
        health = Health(HealthStatus.READY)
    elif ended is DeploymentStatus.FAILED:
        health = Health(HealthStatus.FAILED, "Failed", "its last deployment failed")
    else:
        health = Health(HealthStatus.MISSING, "NotDeployed", "not deployed yet")
    return AppStatus(
        name=name,
        type=spec.type if spec else "removed",
        namespace=(spec.namespace if spec else "") or config.settings.namespace,
        health=health,
        objects=tuple(objects),
        release=release,
        notes=spec.notes or "" if spec else "",
    )
