"""Whole verbs for programs: wait, settle, plan and carry out in one call, with a result or with events.

The command line does the same in steps, because it shows the plan and asks in between.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from sbkube.api.patience import patiently
from sbkube.api.rebuilding import Rebuilding
from sbkube.api.running import Result
from sbkube.api.streaming import streamed
from sbkube.errors import UsageError
from sbkube.models.outcome import Event

T = TypeVar("T")


class Acting(Rebuilding):
    """Verbs that change the cluster, each recorded as one deployment.

    What fails in the cluster is in the `Result`, whose `exit_code` is that of the command line. Raised are
    ProjectError (the plan is refused), SurroundingsError and StateError (StateLocked among them) with nothing
    touched, and RecordLost where the cluster was changed and the record failed. Nobody is asked: look at the plan
    first.
    """

    def apply(self, apps: Sequence[str] = (), *, prune: bool = True, wait_for_lock: float = 0) -> Result:
        """Bring the cluster to what the project says, and wait until it is ready.

        `apps` are names, or `PHASE/` for all apps of a phase; () for all. With `prune` False nothing is deleted
        that no app wants any more. `wait_for_lock` is in seconds: how long to wait while somebody else deploys.
        Raises UsageError for a project with other projects in it: open each by itself.
        """

        def go() -> Result:
            hooks = self.plan_hooks(apps)
            if hooks is not None:
                done = self.execute(hooks, command="apply", args=_args(apps))
                if done.exit_code:
                    return done
            return self.execute(self.plan(apps, prune=prune), command="apply", args=_args(apps))

        return self._patiently(go, wait_for_lock)

    def rollback(
        self,
        reference: str = "",
        *,
        to: str = "",
        apps: Sequence[str] = (),
        scope: str = "all",
        force: bool = False,
        delete_data: bool = False,
        wait_for_lock: float = 0,
    ) -> Result:
        """Undo a deployment, the newest one that changed something where `reference` is empty.

        The arguments are those of `plan_rollback`; `wait_for_lock` is in seconds. Raises PlanRefused where others
        have changed objects since and `force` is False, and DeploymentNotFound.
        """

        def go() -> Result:
            plan = self.plan_rollback(
                reference, to=to, apps=apps, scope=scope, force=force, delete_data=delete_data
            )
            return self.execute(plan, command="rollback", args=_args(apps))

        return self._patiently(go, wait_for_lock)

    def delete(self, apps: Sequence[str] = (), *, delete_data: bool = False, wait_for_lock: float = 0) -> Result:
        """Delete what the project deployed, in reverse order; objects that hold data only with `delete_data`.

        `wait_for_lock` is in seconds.
        """

        def go() -> Result:
            plan = self.plan_delete(apps, delete_data=delete_data)
            return self.execute(plan, command="delete", args=_args(apps))

        return self._patiently(go, wait_for_lock)

    def stream(self, work: Callable[[], T]) -> Generator[Event | T, None, None]:
        """Events while `work` runs in a thread of its own, and at the end what it gave; what it raises is raised.

        `work` calls verbs of this project: `project.stream(project.rollback)`. Leaving the loop early stops the
        work as Ctrl-C does: what is in flight is finished and recorded. One stream of a project at a time.
        """
        return streamed(work, self._listener, self.cancel)

    def apply_events(
        self, apps: Sequence[str] = (), *, prune: bool = True, wait_for_lock: float = 0
    ) -> Generator[Event | Result, None, None]:
        """`apply` as an iterator: each `Event` as it comes, then the `Result`; see `stream`."""
        return self.stream(lambda: self.apply(apps, prune=prune, wait_for_lock=wait_for_lock))

    def _patiently(self, go: Callable[[], Result], seconds: float) -> Result:
        if self.config.children:
            raise UsageError(
                f"{self.config.name} has other projects or contexts in it",
                hint="open each of them by itself, or use the command line",
            )
        return patiently(lambda: (self,), seconds, go)


def _args(apps: Sequence[str]) -> dict[str, list[str]]:
    return {"apps": list(apps)} if apps else {}
