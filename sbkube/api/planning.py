"""Verbs that make a plan: they read, and touch nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sbkube.api.opening import Opened, before_any_write
from sbkube.errors import UsageError
from sbkube.models.deployment_state import DeploymentRecord
from sbkube.models.plan import Plan


class Planning(Opened):
    """What would be done. Each verb raises ProjectError, SurroundingsError or StateError."""

    def plan(self, apps: Sequence[str] = ()) -> Plan:
        """What an apply would do. Reads only. Raises ProjectError, SurroundingsError or StateError."""
        from sbkube.engine.prepare import Selection, prepare

        self._mention_interrupted()
        self._look_at_newest()
        with before_any_write():
            return prepare(self.config, self.world, Selection(tuple(apps), self._foreign_origin()))

    def plan_delete(self, apps: Sequence[str] = (), *, delete_data: bool = False) -> Plan:
        """What a delete would do; objects that hold data only with `delete_data`."""
        from sbkube.engine.prepare import Selection
        from sbkube.engine.remove import plan_delete

        self._look_at_newest()
        with before_any_write():
            return plan_delete(self.config, self.world, Selection(tuple(apps)), consent=delete_data)

    def plan_rollback(
        self,
        reference: str = "",
        *,
        to: str = "",
        apps: Sequence[str] = (),
        force: bool = False,
        delete_data: bool = False,
    ) -> Plan:
        """What a rollback to the state before `reference` (or to what `to` left) would do."""
        from sbkube.engine.rollback import plan_rollback
        from sbkube.engine.undo import Undo

        if reference and to:
            raise UsageError("give either a deployment to undo, or --to, not both")
        self._look_at_newest()
        with before_any_write():
            return plan_rollback(self.config, self.world, Undo(reference, to, tuple(apps), force, delete_data))

    def masked(self, plan: Plan) -> Plan:
        """The plan as people may see it: secret values replaced."""
        from sbkube.plan.redact import Redactor

        return Redactor(self.ledger.redaction_key(), self.config.settings.sensitive).plan(plan)

    def _look_at_newest(self) -> None:
        """Remember what the plan is made on top of; `execute` compares under the lock."""
        self._newest = self._newest_deployment()

    def _newest_deployment(self) -> DeploymentRecord | None:
        target = self.target
        found = self.ledger.list_deployments(
            project=target.project, cluster=target.cluster_uid, namespace=target.namespace, limit=1
        )
        return found[0] if found else None

    def _foreign_origin(self) -> str:
        """Why nothing may be pruned: another folder has deployed under this name, or there is no name."""
        from sbkube.edges import origin

        newest = self._newest
        if self._where.same_project or newest is None:
            return ""
        here = origin.identity(origin.describe(self.config.folder, self._environ))
        there = origin.identity(newest.origin)
        if there and there != here:
            return f"{self.config.name} was last deployed from {there}, this is {here}"
        return "" if self.config.name_given else "the project has no metadata.name"

    def _mention_interrupted(self) -> None:
        """Say what a killed run left open; the next command that takes the lock settles it."""
        for detail in self.ledger.unsettled(self.target):
            name = detail.deployment.deployment_id
            text = f"deployment {name} was interrupted; `sbkube recover` (or the next apply) settles it"
            self.world.emit("warning", message=text)
