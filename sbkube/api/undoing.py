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


_SCOPES = {"app": "its failed apps", "phase": "the phases of its failed apps", "all": "all"}


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
        self, plan: Plan, record: DeploymentRecord, carry_out: Callable[[Plan, str], Run]
    ) -> Rollback | None:
        """Undo a failed apply, if the project wants that: its failed apps, or all.

        The failed run stays what it is, and so do its first error and its exit code. What others changed meanwhile
        is not overwritten: then the rollback is refused, and the output says so. Raises RecordLost when the state
        database fails, since the cluster was changed by now.
        """
        scope = self._scope_of_undoing(record) if plan.purpose == "apply" else ""
        if not scope:
            return None
        if record.status is DeploymentStatus.INTERRUPTED:
            self._warn(f"interrupted, so nothing is rolled back: sbkube rollback {record.deployment_id}")
        if record.status not in _FAILED:
            return None
        self._warn(f"deployment {record.deployment_id} failed: rolling back {_SCOPES[scope]}")
        try:
            result = self._roll_back(record, carry_out, scope)
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

    def _scope_of_undoing(self, record: DeploymentRecord) -> str:
        """The widest scope that phases with failed apps want undone, "" where none does."""
        if record.status not in _FAILED and record.status is not DeploymentStatus.INTERRUPTED:
            return ""
        apps = self.ledger.detail(record.deployment_id).apps
        failed = [app.app_name for app in apps if app.status in _FAILED]
        found = [self.config.of(name).settings for name in failed or [""]]
        scopes = {settings.rollback_scope for settings in found if settings.on_failure == "rollback"}
        return next((scope for scope in ("all", "phase", "app") if scope in scopes), "")

    def _roll_back(self, record: DeploymentRecord, carry_out: Callable[[Plan, str], Run], scope: str) -> Rollback:
        from sbkube.engine.rollback import plan_rollback
        from sbkube.engine.undo import Undo

        try:
            undo = plan_rollback(self.config, self.world, Undo(record.deployment_id, scope=scope, automatic=True))
            return Rollback(read_back(self.ledger, carry_out(undo, scope)))
        except (ProjectError, SurroundingsError, ClusterError, HelmError, LockLost) as error:
            # The cluster was changed by now: the failed run's own exit code stays.
            problems = error.problems if isinstance(error, ProjectError) else ()
            return Rollback(None, "; ".join(str(p) for p in problems) or str(error))

    def _warn(self, message: str) -> None:
        self.world.emit("warning", message=message)
