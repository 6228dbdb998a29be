"""After the state database was lost: find again what a project has in its cluster, and record it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sbkube.api.opening import before_any_write
from sbkube.api.running import Running
from sbkube.errors import PlanOvertaken
from sbkube.models.deployment_state import DeploymentRecord
from sbkube.models.plan import Plan

if TYPE_CHECKING:
    from sbkube.engine.rebuild import Found
    from sbkube.state.verify import Verdict


class Rebuilding(Running):
    """Looking through the cluster by labels; nothing in it is changed."""

    def find(self) -> Found:
        """What belongs to this project, as the labels on the objects tell. Reads only."""
        from sbkube.engine.rebuild import find

        with before_any_write():
            return find(self.config, self.world, self.target)

    def verify(self, progress: Callable[[int, int], None] | None = None) -> Verdict:
        """Whether the whole recorded history is the one that was recorded, also against what the cluster's Lease
        names as the last deployment. `progress` gets deployments done and in all. Raises SurroundingsError when
        the cluster cannot be asked."""
        from sbkube.engine.rebuild import last_closing
        from sbkube.state.verify import Anchor

        with before_any_write():
            return self.ledger.verify(Anchor(*last_closing(self.world, self.target)), progress)

    def rebuild(self, found: Found, args: Mapping[str, Any] | None = None) -> DeploymentRecord:
        """Record what was found as the newest deployment, under the lock. From then on the database counts as one
        that knows what the cluster's Lease names as the last deployment. Raises PlanOvertaken when somebody has
        deployed since it was found."""
        from sbkube.engine.lock import RunLock
        from sbkube.engine.rebuild import last_deployment
        from sbkube.state.rebuilding import record

        lock = RunLock(self.world, self.target, "rebuild", cluster_lock=not self._where.no_cluster_lock)
        made: DeploymentRecord | None = None
        try:
            with before_any_write():
                lock.attach()
                newest = last_deployment(self.world, self.target)
            if newest != found.last_deployment:
                raise PlanOvertaken(f"{newest} was deployed since we looked", hint="run the command again")
            info = self.cluster_info()
            plan = Plan(self.config.name, self.target.namespace, "rebuild", info.name, info.uid)
            data = self._describe(plan, "rebuild", args)
            data = replace(data, origin={**data.origin, "after": found.last_deployment})
            made = record(self.ledger.database, data, found.apps)
            lock.caught_up()
        finally:
            lock.release(made)
        return made
