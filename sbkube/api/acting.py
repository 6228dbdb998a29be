"""Whole verbs for programs: wait, settle, plan and carry out in one call, with a result or with events.

The command line does the same in steps, because it shows the plan and asks in between.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sbkube.api.patience import patiently
from sbkube.api.rebuilding import Rebuilding
from sbkube.api.running import Result
from sbkube.api.streaming import streamed
from sbkube.models.outcome import Event
from sbkube.models.plan import Plan

if TYPE_CHECKING:
    from sbkube.api.family import Member

T = TypeVar("T")


class Acting(Rebuilding):
    """Verbs that change the cluster, each recorded as one deployment, or one per project of the family: projects
    and contexts that are part of this one are acted on along with it, in order, and nothing more is begun after a
    failure. Their results are the `parts` of the `Result`.

    What fails in the cluster is in the `Result`, whose `exit_code` is that of the command line. Raised are
    ProjectError (the plan is refused), SurroundingsError and StateError (StateLocked among them) with nothing
    touched, and RecordLost where the cluster was changed and the record failed. Nobody is asked: look at the plan
    first: `plan` of each project of `family`.
    """

    @abstractmethod
    def family(self, apps: Sequence[str] = ()) -> list[Member]:
        """This project and those that are part of it."""

    def apply(self, apps: Sequence[str] = (), *, prune: bool = True, wait_for_lock: float = 0) -> Result:
        """Bring the cluster to what the project says, and wait until it is ready.

        `apps` are names, or `PHASE/` for all apps of a phase; () for all. With `prune` False nothing is deleted
        that no app wants any more. `wait_for_lock` is in seconds: how long to wait while somebody else deploys.
        """
        from sbkube.api.family import apply_plans

        def ahead(member: Member) -> Result | None:
            hooks = member.project.plan_hooks(member.apps)
            done = hooks and member.project.execute(hooks, command="apply", args=_args(apps))
            return done if done and done.exit_code else None

        def go() -> Result:
            plans, failed = apply_plans(self.family(apps), ahead, prune=prune)
            return failed or _carry_out(plans, "apply", _args(apps))

        return self._patiently(apps, go, wait_for_lock)

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

        That of the project that was opened is undone with all that was part of it; that of another one by itself.
        The arguments are those of `plan_rollback`; `wait_for_lock` is in seconds. Raises PlanRefused where others
        have changed objects since and `force` is False, and DeploymentNotFound.
        """
        from sbkube.api.family import rollback_plans

        consent = {"force": force, "delete_data": delete_data}

        def go() -> Result:
            plans = rollback_plans(self, reference, to=to, apps=apps, scope=scope, **consent)
            return _carry_out(plans, "rollback", _args(apps, scope))

        return self._patiently(apps, go, wait_for_lock)

    def resume(
        self,
        reference: str = "",
        *,
        rerun: Sequence[str] = (),
        skip: Sequence[str] = (),
        wait_for_lock: float = 0,
    ) -> Result | None:
        """Go on with the newest interrupted deployment, or with `reference`: the same plan, less what had taken
        effect. None where nothing was interrupted.

        The arguments are those of `plan_resume`; `wait_for_lock` is in seconds. Raises PlanRefused where others
        have changed objects since, or a command was cut off that neither `rerun` nor `skip` names.
        """
        from sbkube.api.family import resume_plans

        def go() -> Result | None:
            plans = resume_plans(self, reference, rerun=rerun, skip=skip)
            return _carry_out(plans, "resume", {}) if plans else None

        return self._patiently((), go, wait_for_lock)

    def delete(self, apps: Sequence[str] = (), *, delete_data: bool = False, wait_for_lock: float = 0) -> Result:
        """Delete what the project deployed, in reverse order; objects that hold data only with `delete_data`.

        `wait_for_lock` is in seconds.
        """
        from sbkube.api.family import delete_plans

        def go() -> Result:
            plans = delete_plans(self.family(apps), delete_data=delete_data)
            return _carry_out(plans, "delete", _args(apps))

        return self._patiently(apps, go, wait_for_lock)

    def stream(self, work: Callable[[], T]) -> Generator[Event | T, None, None]:
        """Events while `work` runs in a thread of its own, and at the end what it gave; what it raises is raised.

        `work` calls verbs of this project: `project.stream(project.rollback)`. Events of projects that are part of
        it come, too; `deployment.started` and `deployment.ended` have the name of the project in `data`. Leaving
        the loop early stops the work as Ctrl-C does: what is in flight is finished and recorded. One stream of a
        project at a time.
        """
        return streamed(work, self._listener, self.cancel)

    def apply_events(
        self, apps: Sequence[str] = (), *, prune: bool = True, wait_for_lock: float = 0
    ) -> Generator[Event | Result, None, None]:
        """`apply` as an iterator: each `Event` as it comes, then the `Result`; see `stream`."""
        return self.stream(lambda: self.apply(apps, prune=prune, wait_for_lock=wait_for_lock))

    def _patiently(self, apps: Sequence[str], go: Callable[[], T], seconds: float) -> T:
        return patiently(lambda: [member.project for member in self.family(apps)], seconds, go)


def _carry_out(plans: Sequence[tuple[Member, Plan]], command: str, args: Mapping[str, Any]) -> Result:
    from sbkube.api.together import carry_out_together, whole

    if len(plans) > 1:
        return whole(list(carry_out_together(plans, command=command, args=args)))
    ((member, plan),) = plans
    return member.project.execute(plan, command=command, args=args)


def _args(apps: Sequence[str], scope: str = "all") -> dict[str, Any]:
    """What is recorded of how a verb was called."""
    given = {"apps": list(apps), "scope": "" if scope == "all" else scope}
    return {name: value for name, value in given.items() if value}
