"""`on_failure: rollback`: undoing a failed apply, as a deployment of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbkube.api.outcomes import read_back
from sbkube.api.planning import Planning
from sbkube.errors import (
    ClusterError,
    HelmError,
    LockLost,
    ProjectError,
    RecordLost,
    StateError,
    SurroundingsError,
)
from sbkube.models.deployment_state import DeploymentDetail, DeploymentRecord, DeploymentStatus
from sbkube.models.plan import Plan

if TYPE_CHECKING:
    from sbkube.engine.execute import Run

_FAILED = frozenset({DeploymentStatus.FAILED, DeploymentStatus.PARTIALLY_FAILED})


@dataclass(frozen=True, slots=True)
class Rollback:
    """What became of an automatic rollback: its record, or, where there is none, why it was not begun."""

    record: DeploymentDetail | None
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Everything that was to be undone is undone."""
        return self.record is not None and self.record.deployment.status is DeploymentStatus.SUCCESS


class Undoing(Planning):
    """Knows when a run is undone by itself, and says what became of that."""

    def _undo_failed(
        self, plan: Plan, record: DeploymentRecord, carry_out: Callable[[Plan], Run]
    ) -> Rollback | None:
        """Undo a failed apply, if the project wants that: its failed apps, or all.

        The failed run stays what it is, and so do its first error and its exit code. What others changed meanwhile
        is not overwritten: then the rollback is refused, and the output says so. Raises RecordLost when the state
        database fails, since the cluster was changed by now.
        """
        settings = self.config.settings
        if settings.on_failure != "rollback" or plan.purpose != "apply":
            return None
        if record.status is DeploymentStatus.INTERRUPTED:
            self._warn(f"interrupted, so nothing is rolled back: sbkube rollback {record.deployment_id}")
        if record.status not in _FAILED:
            return None
        # A project without phases is one phase.
        only = settings.rollback_scope == "app"
        self._warn(
            f"deployment {record.deployment_id} failed: rolling back {'its failed apps' if only else 'all'}"
        )
        try:
            result = self._roll_back(record, carry_out, failed_only=only)
        except StateError as error:
            text = f"the deployment failed, and the state database too before it was rolled back: {error.message}"
            raise RecordLost(text, deployment=record.deployment_id) from error
        if result.record is None:
            self._warn(f"the failed deployment was not rolled back: {result.reason}")
        elif not result.ok:
            undo = result.record.deployment
            why = f": {undo.error_message}" if undo.error_message else ""
            self._warn(f"the rollback {undo.deployment_id} ended as {undo.status.value}{why}")
        return result

    def _roll_back(
        self, record: DeploymentRecord, carry_out: Callable[[Plan], Run], *, failed_only: bool
    ) -> Rollback:
        from sbkube.engine.rollback import plan_rollback
        from sbkube.engine.undo import Undo

        try:
            undo = plan_rollback(self.config, self.world, Undo(record.deployment_id, failed_only=failed_only))
            return Rollback(read_back(self.ledger.detail, carry_out(undo)))
        except (ProjectError, SurroundingsError, ClusterError, HelmError, LockLost) as error:
            # The cluster was changed by now: the failed run's own exit code stays.
            problems = error.problems if isinstance(error, ProjectError) else ()
            return Rollback(None, "; ".join(str(p) for p in problems) or str(error))

    def _warn(self, message: str) -> None:
        self.world.emit("warning", message=message)
