"""A project that is opened: its file, its cluster and its state database, connected on first use."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from sbkube.api.records import Records
from sbkube.api.where import Where, lock_seconds, sandbox, state_url
from sbkube.errors import ClusterError, HelmError, SurroundingsError
from sbkube.models.deployment_state import DeploymentRecord, LockTarget
from sbkube.models.outcome import Event
from sbkube.models.resource import ClusterInfo
from sbkube.ports import Listener

if TYPE_CHECKING:
    from sbkube.config.model import ProjectConfig
    from sbkube.engine.surroundings import Surroundings
    from sbkube.plan.sensitive import SensitivePaths
    from sbkube.sources.catalogue import Catalogue
    from sbkube.state.tracker import DeploymentTracker


@contextmanager
def before_any_write() -> Iterator[None]:
    """What a cluster refuses while we only look is a matter of the surroundings: nothing was touched."""
    try:
        yield
    except (ClusterError, HelmError) as error:
        raise SurroundingsError(error.message, subject=error.subject, hint=error.hint) from error


class Opened(Records):
    """Everything real that belongs to a project. Use it as a context manager, or call `close`."""

    def __init__(
        self, config: ProjectConfig, where: Where, listener: Listener, environ: Mapping[str, str]
    ) -> None:
        super().__init__(config.name, where, listener, environ)
        self.config = config
        self.cancel = threading.Event()
        self._newest: DeploymentRecord | None = None

    def close(self) -> None:
        """Close what was opened."""
        if "world" in self.__dict__:
            self.world.cluster.close()  # type: ignore[attr-defined]
        super().close()

    @cached_property
    def sensitive(self) -> SensitivePaths:
        """Paths of values that are never shown: those that the project names, and those found out since."""
        from sbkube.plan.sensitive import SensitivePaths

        return SensitivePaths(self.config.settings.sensitive)

    @cached_property
    def ledger(self) -> DeploymentTracker:
        """The state system, opened on first use; raises StateError."""
        from sbkube.state.tracker import DeploymentTracker

        url = state_url(self._where.state_url, self._environ, self.config.settings.state_url)
        tracker = DeploymentTracker(url, lease_seconds=lock_seconds(self._environ))
        tracker.hide(self.sensitive)
        return tracker

    @cached_property
    def world(self) -> Surroundings:
        """Everything real, connected on first use; raises SurroundingsError or StateError."""
        from sbkube.edges import cluster, kubeconfig

        access = kubeconfig.load(*self._access(), self._environ)
        http = cluster.connect(access)
        http.look_ahead()  # while the rest is loaded

        from sbkube.edges import clock, helm, lease
        from sbkube.edges.access import minimal
        from sbkube.edges.decryption import Decryption
        from sbkube.edges.kustomize import KustomizeProgram
        from sbkube.edges.local import LocalCommands
        from sbkube.engine.surroundings import Surroundings
        from sbkube.plan.scrub import telling
        from sbkube.state import locks

        text = minimal(access)
        port = helm.choose(text, prefer=self._environ.get("SBKUBE_HELM"), environ=self._environ, cluster=http)
        leases = lease.HttpLease(http, proof=locks.proof(), dead=locks.is_dead)
        system = clock.SystemClock()
        builder = KustomizeProgram(self._environ)
        passwords = self.config.passwords()
        return Surroundings(
            http,
            port,
            self.ledger,
            leases,
            system,
            self._listener,
            self.catalogue,
            builder,
            LocalCommands(lambda: text, lambda: access.context, self._environ, passwords),
            Decryption(self._environ),
            self.sensitive,
            (*passwords, *telling(self._environ)),
        )

    @cached_property
    def catalogue(self) -> Catalogue:
        """Where charts and files come from; nothing is fetched before it is needed."""
        from sbkube.edges.docker_logins import DockerLogins
        from sbkube.edges.git import Git
        from sbkube.edges.web import HttpWeb
        from sbkube.sources.cache import Cache, default_folder
        from sbkube.sources.catalogue import Catalogue
        from sbkube.sources.downloads import Downloads
        from sbkube.sources.lockfile import FILE_NAME, LockFile

        config = self.config
        web = HttpWeb(config.settings.proxies(self._environ), self._fetching)
        downloads = Downloads(web, Cache(default_folder(self._environ)), offline=self._where.offline)
        lock = LockFile(config.folder / FILE_NAME, locked=self._where.locked)
        git = Git(config.settings.proxies(self._environ))
        return Catalogue(config.repositories(), downloads, lock, git, DockerLogins(self._environ))

    def _fetching(self, url: str, done: int, total: int) -> None:
        """Tell the listener how far a download is."""
        share = f"{done * 100 // total} %" if total else f"{done >> 10} KiB"
        self._listener(Event("source.progress", datetime.now(UTC), subject=url, message=share))

    def _access(self) -> tuple[str | None, str | None]:
        """Kubeconfig and context: the sandbox, else the command line, else the project, else the environment."""
        if self._where.sandbox:
            return str(sandbox(self._where.sandbox_of or self.config.folder).up()), None
        settings = self.config.settings
        path = self._where.kubeconfig or (str(settings.kubeconfig) if settings.kubeconfig else None)
        return path, self._where.context or settings.kubeconfig_context

    def cluster_info(self) -> ClusterInfo:
        """The cluster that this project acts on."""
        return self.world.cluster.info()

    @property
    def context(self) -> str:
        """The context of the kubeconfig that was asked for, "" for the current one."""
        return self._access()[1] or ""

    @property
    def target(self) -> LockTarget:
        """Identity of the project on its cluster."""
        return LockTarget(self.config.name, self.cluster_info().uid, self.config.settings.namespace)
