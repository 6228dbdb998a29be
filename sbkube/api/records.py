"""Looking into the record of a project. Needs neither its cluster nor, for most files, the whole of its file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbkube.api.streaming import Listeners
from sbkube.api.where import HERE, Where, state_url
from sbkube.errors import DeploymentNotFound
from sbkube.models.deployment_state import DeploymentDetail, DeploymentRecord
from sbkube.models.outcome import Event
from sbkube.ports import Listener

if TYPE_CHECKING:
    from typing import Self

    from sbkube.models.comparison import Then
    from sbkube.state.tracker import DeploymentTracker


class Records:
    """What has been recorded of the project `name`. Use it as a context manager, or call `close`.

    Each verb raises StateError or DeploymentNotFound.
    """

    def __init__(self, name: str, where: Where, listener: Listener, environ: Mapping[str, str]) -> None:
        self.name = name
        self._where = where
        self._listener = Listeners(listener)
        self._environ = environ

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened."""
        if "ledger" in self.__dict__:
            self.ledger.close()

    @cached_property
    def ledger(self) -> DeploymentTracker:
        """The state system, opened on first use."""
        from sbkube.state.tracker import DeploymentTracker

        return DeploymentTracker(state_url(self._where.state_url, self._environ, None))

    def history(self, **filters: Any) -> tuple[DeploymentRecord, ...]:
        """Deployments of this project, newest first; `limit` is 50 where it is not given.

        Filters: `cluster` (name or UID), `namespace`, `app_name`, `status`, `since` and `until` (aware times),
        `limit`, `offset`.
        """
        self._mention_offline()
        return tuple(self.ledger.list_deployments(project=self.name, **filters))

    def show(self, reference: str) -> DeploymentDetail:
        """One deployment with everything below it, by id, prefix, `latest` or `latest~N`; needs no cluster.

        `latest` means this project's, on whichever cluster it was deployed to last. Objects are in it in clear:
        `hidden_paths` tells what must not be shown of them.
        """
        self._mention_offline()
        name, _, number = reference.partition("~")
        if name == "latest" and (not number or number.isdigit()):
            found = self.history(limit=1, offset=int(number or 0))
            if not found:
                raise DeploymentNotFound(f"{self.name} has no deployment {reference}", hint="sbkube history")
            reference = found[0].deployment_id
        return self.ledger.detail(reference)

    def compare(self, first: str, second: str) -> tuple[Then, Then]:
        """What was in the cluster when each of two deployments had ended; references as `show` takes them."""
        names = [self.show(reference).deployment.deployment_id for reference in (first, second)]
        return self.ledger.compared(names[0], names[1])

    def hidden_paths(self, records: Iterable[DeploymentRecord]) -> tuple[str, ...]:
        """Globs of paths that these deployments, or the newest ones of their projects there, call sensitive.

        What became a secret later is to be hidden in what was recorded before, too.
        """
        from sbkube.api.hiding import hidden_paths

        return hidden_paths(self.ledger, records)

    def masker(self) -> Callable[[Any], str]:
        """Makes the stand-in for a value that may not be shown; equal values look equal."""
        from sbkube.plan.redact import Redactor

        return Redactor(self.ledger.redaction_key()).mask

    def _mention_offline(self) -> None:
        """Say from the database alone what a killed run left open, for verbs that need no cluster."""
        for name in self.ledger.interrupted(self.name):
            self._mention(name)

    def _mention(self, name: str) -> None:
        way = "go on with `sbkube resume`, or undo it with `sbkube rollback`"
        message = f"deployment {name} was interrupted; {way}"
        self._listener(Event("warning", datetime.now(UTC), message=message))


def open_records(
    target: str | Path = ".",
    *,
    environment: str | None = None,
    where: Where = HERE,
    listener: Listener,
    environ: Mapping[str, str] | None = None,
) -> Records:
    """The records of the project in a folder or file; raises ConfigError where its name cannot be told."""
    from sbkube.config.naming import plain_name

    env = dict(os.environ if environ is None else environ)
    name = "" if environment else plain_name(target)
    if name:
        return Records(name, where, listener, env)
    from sbkube.api.project import open_project

    return open_project(target, environment=environment, where=where, listener=listener, environ=env)
