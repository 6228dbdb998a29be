"""A project as people and programs use it: open it, plan, act, look."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbkube.api.opening import before_any_write
from sbkube.api.rebuilding import Rebuilding
from sbkube.api.where import HERE, Where
from sbkube.errors import DeploymentNotFound
from sbkube.models.deployment_state import DeploymentDetail, DeploymentRecord
from sbkube.models.outcome import Event
from sbkube.ports import Listener

if TYPE_CHECKING:
    from sbkube.engine.inspect import StatusReport
    from sbkube.models.drift import DriftReport


def _silent(_: Event) -> None:
    """A listener that does not listen."""


def open_project(
    target: str | Path = ".",
    *,
    namespace: str | None = None,
    environment: str | None = None,
    where: Where = HERE,
    listener: Listener | None = None,
    environ: Mapping[str, str] | None = None,
) -> Project:
    """Open the project in a folder (or file) and say where to deploy it.

    `namespace` replaces the project's base namespace; the file of `environment` is laid over the project's.
    Raises ConfigError with every problem of the file. Nothing is connected to before it is needed.
    """
    from sbkube.config.load import load_project

    env = dict(os.environ if environ is None else environ)
    config = load_project(target, namespace=namespace, environment=environment, environ=env)
    return Project(config.forcing() if where.force_conflicts else config, where, listener or _silent, env)


class Project(Rebuilding):
    """A project with a cluster and a state database. Use it as a context manager, or call `close`."""

    def status(self, apps: Sequence[str] = ()) -> StatusReport:
        """How everything that was deployed is now."""
        from sbkube.engine.inspect import status

        self._mention_interrupted()
        with before_any_write():
            return status(self.config, self.world, tuple(apps))

    def drift(self, apps: Sequence[str] = ()) -> DriftReport:
        """What others changed of what we left; values that are secret are masked. Reads only."""
        from sbkube.engine.drift import drift
        from sbkube.plan.redact import Redactor

        self._mention_interrupted()
        redactor = Redactor(self.ledger.redaction_key(), self.config.settings.sensitive)
        with before_any_write():
            return drift(self.config, self.world, redactor, tuple(apps))

    def history(self, **filters: Any) -> tuple[DeploymentRecord, ...]:
        """Deployments of this project, newest first; filters as `DeploymentDatabase.list_deployments` takes."""
        self._mention_offline()
        return tuple(self.ledger.list_deployments(project=self.config.name, **filters))

    def show(self, reference: str) -> DeploymentDetail:
        """One deployment with everything below it, by id, prefix, `latest` or `latest~N`; needs no cluster.

        `latest` means this project's, on whichever cluster it was deployed to last.
        """
        self._mention_offline()
        name, _, number = reference.partition("~")
        if name == "latest" and (not number or number.isdigit()):
            found = self.history(limit=1, offset=int(number or 0))
            if not found:
                raise DeploymentNotFound(
                    f"{self.config.name} has no deployment {reference}", hint="sbkube history"
                )
            reference = found[0].deployment_id
        return self.ledger.detail(reference)

    def template(self, apps: Sequence[str] = ()) -> str:
        """All manifests as they would be sent, secret values masked."""
        from sbkube.engine.template import template

        with before_any_write():
            return template(self.config, self.world, tuple(apps), self.ledger.redaction_key())

    def validate(self) -> tuple[str, ...]:
        """Warnings about the project; its errors were raised when it was opened."""
        return self.config.warnings
