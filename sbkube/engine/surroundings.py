"""What every part of the engine is handed: the world behind ports, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from sbkube.errors import ClusterError, ClusterForbidden
from sbkube.models.outcome import Event
from sbkube.models.release import ReleaseRecord
from sbkube.plan.scrub import Scrubber
from sbkube.plan.sensitive import SensitivePaths
from sbkube.ports import Clock, Cluster, CommandPort, Decryptor, HelmPort, Kustomize, LeasePort, Ledger, Listener
from sbkube.sources.catalogue import Catalogue

T = TypeVar("T")
R = TypeVar("R")
_NOTHING: Mapping[str, Any] = {}
REQUESTS = 16  # requests to the API server that are under way at once


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The ports of one run, and the catalogue of its sources. `emit` receives events as they happen."""

    cluster: Cluster
    helm: HelmPort
    ledger: Ledger
    leases: LeasePort
    clock: Clock
    listener: Listener
    catalogue: Catalogue
    kustomize: Kustomize
    commands: CommandPort
    decryptor: Decryptor
    sensitive: SensitivePaths = field(default_factory=SensitivePaths)  # path globs of values that are never shown
    secrets: tuple[str, ...] = field(default=(), repr=False)  # values that are secret, whoever says them

    def emit(self, kind: str, **fields: Any) -> Event:
        """Tell the listener, and give the event back for the record."""
        event = Event(kind, self.clock.now(), **fields)
        self.listener(event)
        return event

    def cleaned(
        self, error: ClusterError | ClusterForbidden, body: Mapping[str, Any], values: Mapping[str, Any] = _NOTHING
    ) -> str:
        """What the server says of an object that it refuses, without what is secret in it or in the Helm values
        that it was rendered with; the error itself says no more from then on."""
        Scrubber.of_object(body, self.sensitive, values, self.decryptor.known).refusal(error)
        return error.message


def at_once(act: Callable[[T], R], items: Iterable[T], workers: int = REQUESTS) -> list[R]:
    """`act` on every item, many at a time, answers in order; the first error is raised after all have ended."""
    work = list(items)
    if len(work) < 2:
        return [act(item) for item in work]
    with ThreadPoolExecutor(min(workers, len(work)), thread_name_prefix="sbkube") as pool:
        return list(pool.map(act, work))


@dataclass(slots=True)
class ReleaseIndex:
    """The newest revision of every release, read once per namespace."""

    helm: HelmPort
    _known: dict[str, Mapping[str, ReleaseRecord]] = field(default_factory=dict)
    _guard: Lock = field(default_factory=Lock)

    def of(self, namespace: str) -> Mapping[str, ReleaseRecord]:
        """Releases of a namespace by name."""
        with self._guard:
            if namespace not in self._known:
                self._known[namespace] = {r.name: r for r in self.helm.releases(namespace)}
            return self._known[namespace]

    def get(self, namespace: str, name: str) -> ReleaseRecord | None:
        """One release, or None."""
        return self.of(namespace).get(name)
