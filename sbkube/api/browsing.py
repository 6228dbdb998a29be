"""Looking through everything that a state database holds, of all projects, for as long as a server runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sbkube.api.hiding import hidden_paths
from sbkube.api.where import state_url
from sbkube.errors import UsageError
from sbkube.models.deployment_state import (
    DeploymentDetail,
    DeploymentRecord,
    ResourceRecord,
)
from sbkube.models.resource import ResourceKey

if TYPE_CHECKING:
    from sbkube.models.comparison import Then
    from sbkube.models.outline import Outline
    from sbkube.state.tracker import DeploymentTracker


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; `rest` asks for what comes behind it, "" where that is all."""

    records: tuple[DeploymentRecord, ...]
    rest: str = ""


class Browser:
    """Reads a state database, from any thread. Call `close` in the end. Each verb raises StateError.

    A deployment that has not ended and whose run no longer lives is interrupted here, before anybody settles it.
    """

    def __init__(self, ledger: DeploymentTracker) -> None:
        self._ledger = ledger

    def close(self) -> None:
        """Close the database."""
        self._ledger.close()

    def newest(self) -> tuple[DeploymentRecord, ...]:
        """The newest deployment of each project on each cluster."""
        from sbkube.state import browsing

        with self._ledger.database.reading() as conn:
            return browsing.newest(conn, self._ledger.database.store)

    def totals(self) -> list[tuple[str, str, str, int, datetime]]:
        """(cluster, project, status, how many, time of the newest) of all deployments."""
        from sbkube.state import browsing

        with self._ledger.database.reading() as conn:
            return browsing.totals(conn)

    def timeline(self, *, rest: str = "", size: int = 50, **filters: Any) -> Page:
        """Deployments, newest first; filters as `DeploymentDatabase.list_deployments` takes. `rest` is that of the
        page before. Raises UsageError for one that is none, ValueError for an unknown status."""
        before = _place(rest) if rest else None
        from sbkube.state import browsing

        with self._ledger.database.reading() as conn:
            dead = browsing.cut_off(conn)
        found = self._ledger.list_deployments(limit=size + 1, before=before, cut_off=dead, **filters)
        with self._ledger.database.reading() as conn:
            shown = browsing.truly(conn, found[:size])
        if len(found) <= size:
            return Page(shown)
        last = found[size - 1]
        return Page(shown, f"{last.created_at.isoformat()}~{last.id}")

    def detail(self, reference: str) -> DeploymentDetail:
        """One deployment with everything below it; raises DeploymentNotFound."""
        return self._ledger.detail(reference)

    def outline(self, reference: str, *, most: int = 50, drawn: int = 200) -> Outline:
        """One deployment with at most `most` of its objects, and the times of at most `drawn`; raises
        DeploymentNotFound."""
        from sbkube.state import browsing, history

        store = self._ledger.database.store
        with self._ledger.database.reading() as conn:
            return browsing.outline(conn, store, history.resolve(conn, reference), most=most, drawn=drawn)

    def objects(
        self, record: DeploymentRecord, app: str, *, after: int = 0, limit: int = 50
    ) -> list[ResourceRecord]:
        """What one app of a deployment did to objects, in order; `after` is the key of a row."""
        from sbkube.state import browsing

        store = self._ledger.database.store
        with self._ledger.database.reading() as conn:
            return browsing.objects(conn, store, record.id, app, after=after, limit=limit)

    def sensitive(self, records: Iterable[DeploymentRecord]) -> tuple[str, ...]:
        """Paths whose values may not be shown of these deployments; see `hidden_paths`."""
        return hidden_paths(self._ledger, records)

    def record(self, reference: str) -> DeploymentRecord:
        """One deployment by itself; raises DeploymentNotFound."""
        return self._ledger.database.get_deployment(reference)

    def compare(
        self, first: DeploymentRecord, second: DeploymentRecord, *, skip: int = 0, limit: int = 50
    ) -> tuple[Then, Then, bool]:
        """What was there when each of two deployments had ended, of `limit` objects that may differ, after the
        first `skip`; and whether more may. Raises UsageError unless both are of one project on one cluster."""
        from sbkube.state import comparing

        store = self._ledger.database.store
        with self._ledger.database.reading() as conn:
            return comparing.part(conn, store, (first, second), skip=skip, limit=limit)

    def through_time(
        self, cluster: str, key: ResourceKey, *, before: int = 0, limit: int = 50
    ) -> list[tuple[DeploymentRecord, ResourceRecord]]:
        """What was done to one object on a cluster (its UID), newest first; `before` is the key of a row."""
        from sbkube.state import browsing

        store = self._ledger.database.store
        with self._ledger.database.reading() as conn:
            return browsing.through_time(conn, store, cluster, key, before=before, limit=limit)

    def pulse(self, deployment: str = "") -> str:
        """A text that changes when something moves: in one deployment (by its whole id), or in any."""
        from sbkube.state import browsing

        with self._ledger.database.reading() as conn:
            return browsing.pulse(conn, deployment)


def _place(rest: str) -> tuple[datetime, int]:
    moment, _, key = rest.partition("~")
    try:
        found = datetime.fromisoformat(moment)
        if found.tzinfo and len(key) < 19:
            return found.astimezone(UTC), int(key)
    except (ValueError, OverflowError):
        pass
    raise UsageError("this page does not exist", hint="begin at the first one")


def open_browser(url: str | None = None, environ: Mapping[str, str] | None = None) -> Browser:
    """A browser of the state database at `url` (None: SBKUBE_STATE_URL, else the default). Raises StateError."""
    from sbkube.state.tracker import DeploymentTracker

    return Browser(DeploymentTracker(state_url(url, os.environ if environ is None else environ, None)))
