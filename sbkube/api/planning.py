"""Verbs that make a plan: they read, and touch nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbkube.api.opening import Opened, before_any_write
from sbkube.errors import PlanOvertaken, PlanRefused, Problem, StateBehind, UsageError
from sbkube.models.deployment_state import DeploymentDetail, DeploymentRecord, DeploymentStatus
from sbkube.models.plan import Effect, Plan

if TYPE_CHECKING:
    from sbkube.api.approval import Approved
    from sbkube.state.tracker import DeploymentTracker


ALL_HOOKS = ("apply", "deploy")
_SAME = "--same-project confirms it is the same"
CATCH_UP = "bring its history here (`sbkube state export` there, `state import` here), or `sbkube state rebuild`"


def behind(unknown: Sequence[str]) -> str:
    """In words: deployments that somebody made with another database."""
    if not unknown:
        return ""
    return f"this state database does not know {', '.join(unknown)}, deployed meanwhile with another one"


def never_begun(ledger: DeploymentTracker, detail: DeploymentDetail) -> Mapping[str, Any]:
    """How to make the plan of a deployment again whose turn never came, in the run of a family; else nothing."""
    request: Mapping[str, Any] = {"verb": "resume"}
    while request.get("verb") == "resume":
        if (
            detail.resources
            or detail.releases
            or any(app.status is not DeploymentStatus.PENDING for app in detail.apps)
        ):
            return {}
        request = (detail.deployment.command_args or {}).get("request") or {}
        if request.get("verb") == "resume":
            detail = ledger.detail(str(detail.deployment.parent))
    return request


class Planning(Opened):
    """What would be done. Each verb raises ProjectError, SurroundingsError or StateError."""

    request: dict[str, Any] = {}  # what the newest plan was asked for, so that it can be made again
    coming: frozenset[str] = frozenset()  # projects that are deployed in the same run before this one
    _announced = 0  # key of the deployment that waits for its turn: nothing that others have done

    def plan(
        self, apps: Sequence[str] = (), *, prune: bool = True, hooks: Sequence[str] = ALL_HOOKS, look: bool = False
    ) -> Plan:
        """What an apply would do, of this project alone: `family` has those that are part of it. Reads only.

        `apps` are names, or `PHASE/` for all apps of a phase; `prune` is the project's wish, unless it is False.
        `hooks` are the stages of the project whose hooks count. `look`: hooks before planning have not been run,
        and the plan says so.
        """
        from sbkube.api.parted import deployed_elsewhere, left_behind
        from sbkube.engine.planning_hooks import left_out
        from sbkube.engine.prepare import Selection, prepare

        self._mention_interrupted()
        self._asked("apply", apps=list(apps), prune=prune, hooks=list(hooks))
        self.check_deps()
        no_prune = self._behind()
        if no_prune:
            self.world.emit("warning", message=f"{no_prune}; {CATCH_UP}")
        no_prune = no_prune or self._foreign_origin()
        selection = Selection(tuple(apps), no_prune, prune, tuple(hooks))
        with before_any_write():
            plan = prepare(self.config, self.world, selection)
        notes = [*left_behind(self), *deployed_elsewhere(self)]
        notes += left_out(self.config, selection) if look else []
        return replace(plan, warnings=(*plan.warnings, *notes)) if notes else plan

    def plan_hooks(self, apps: Sequence[str] = (), stages: Sequence[str] = ()) -> Plan | None:
        """The hooks that come before planning (of all stages, or of some), or None where there are none."""
        from sbkube.apps.hooks import BEFORE_PLANNING
        from sbkube.engine.planning_hooks import plan_hooks
        from sbkube.engine.prepare import Selection

        self._look_at_newest()
        with before_any_write():
            return plan_hooks(self.config, self.world, Selection(tuple(apps)), tuple(stages) or BEFORE_PLANNING)

    def check_deps(self) -> None:
        """Raise PlanRefused where a project that comes before this one is not deployed here."""
        deps = [name for name in self.config.deps if name not in self.coming]
        uid = self.world.cluster.info().uid if deps else ""
        problems = []
        for name in deps:
            newest = next(iter(self.ledger.list_deployments(cluster=uid, project=name, limit=1)), None)
            if newest is None or newest.command == "delete":
                problems.append(Problem(f"project {name} is not deployed to this cluster", None, "apply it first"))
            elif newest.status is not DeploymentStatus.SUCCESS:
                found = f"its newest deployment {newest.deployment_id} ended as {newest.status.value}"
                problems.append(Problem(f"project {name} is not well: {found}", None, "apply it first"))
        if problems:
            raise PlanRefused("this project comes after others (deps)", problems=problems)

    def plan_delete(self, apps: Sequence[str] = (), *, delete_data: bool = False) -> Plan:
        """What a delete would do; objects that hold data only with `delete_data`."""
        from sbkube.engine.prepare import Selection
        from sbkube.engine.remove import plan_delete

        self._mention_interrupted()
        self._asked("delete", apps=list(apps), delete_data=delete_data)
        self._refuse_behind()
        with before_any_write():
            return plan_delete(self.config, self.world, Selection(tuple(apps)), consent=delete_data)

    def plan_adopt(self, names: Sequence[str] = (), apps: Sequence[str] = (), *, force: bool = False) -> Plan:
        """What an adoption would do: of objects (`KIND/NAME`) and releases by name, or of all that exist.

        `force` consents to changing what differs and to taking what belongs to another project.
        """
        from sbkube.engine.adopt import Wish, plan_adopt

        self._asked("adopt", names=list(names), apps=list(apps), force=force)
        with before_any_write():
            return plan_adopt(self.config, self.world, Wish(tuple(names), tuple(apps), force))

    def plan_rollback(
        self,
        reference: str = "",
        *,
        to: str = "",
        apps: Sequence[str] = (),
        scope: str = "all",
        force: bool = False,
        delete_data: bool = False,
    ) -> Plan:
        """What a rollback to the state before `reference` (or to what `to` left) would do.

        `apps` restricts it, `scope` to the apps that did not succeed (`app`) or to all of their phases
        (`phase`). `force` goes over what others have
        changed since, `delete_data` consents to deleting what holds data.
        """
        from sbkube.engine.rollback import plan_rollback
        from sbkube.engine.undo import Undo

        if reference and to:
            raise UsageError("give either a deployment to undo, or --to, not both")
        self._asked(
            "rollback",
            reference=reference,
            to=to,
            apps=list(apps),
            scope=scope,
            force=force,
            delete_data=delete_data,
        )
        self._mention_interrupted()
        self._refuse_behind()
        undo = Undo(reference, to, tuple(apps), force, delete_data, scope)
        with before_any_write():
            return plan_rollback(self.config, self.world, undo)

    def plan_resume(
        self, reference: str = "", *, rerun: Sequence[str] = (), skip: Sequence[str] = ()
    ) -> Plan | None:
        """What is left to do of the newest interrupted deployment (or of `reference`), None when there is none.

        `rerun` and `skip` name commands that were cut off or failed, and say what becomes of them.

        It must have been settled. Raises PlanRefused with all that others have changed since, and StateError when
        the recorded plan cannot be decrypted here.
        """
        from sbkube.engine.commands import known_commands
        from sbkube.engine.resume import Choices, plan_resume, resumable

        self._asked("resume", reference=reference, rerun=list(rerun), skip=list(skip))
        self._refuse_behind()
        with before_any_write():
            detail = resumable(self.world, self.target, reference)
            if detail is None:
                return None
            if request := never_begun(self.ledger, detail):
                return self._at_last(detail, request)
            choices = Choices(tuple(rerun), tuple(skip), known_commands(self.config))
            return plan_resume(self.world, self.target, detail, choices)

    def _at_last(self, detail: DeploymentDetail, request: Mapping[str, Any]) -> Plan:
        """The plan of a deployment whose turn never came, made again, if it is no more than what was agreed to."""
        own, name = self.request, detail.deployment.deployment_id
        try:
            plan = self.plan_again(request)
        finally:
            self.request = own
        self.refuse_more(self.ledger.plan(name), plan)
        return replace(plan, parent=name)

    def refuse_more(self, agreed: Plan, fresh: Plan) -> None:
        """Raise PlanOvertaken where a plan that was made again would change what nobody has agreed to."""
        known = {(c.key.identity, c.effect) for app in agreed.apps for c in app.changes}
        more = [
            str(change.key)
            for app in fresh.apps
            for change in app.changes
            if change.effect is not Effect.UNCHANGED and (change.key.identity, change.effect) not in known
            if change.key.kind != "Namespace"  # one of ours that the others have emptied
        ]
        if more:
            text = f"{self.config.name} would now also change {', '.join(more[:3])}"
            raise PlanOvertaken(text, hint="look at it: sbkube diff")

    def plan_again(self, request: Mapping[str, Any]) -> Plan:
        """The plan for a request that was kept with an earlier one."""
        make = {
            "apply": self.plan,
            "delete": self.plan_delete,
            "rollback": self.plan_rollback,
            "resume": self.plan_resume,
        }
        words = {name: value for name, value in request.items() if name != "verb"}
        verb = make.get(str(request.get("verb")))
        if verb is None:
            raise UsageError(f"nothing can be planned for {request.get('verb')!r}")
        plan = verb(**words)  # type: ignore[operator]
        if plan is None:
            raise PlanOvertaken(f"{self.config.name} was gone on with by somebody else meanwhile")
        return plan  # type: ignore[no-any-return]

    def has_hooks(self, stage: str) -> bool:
        """Whether anything is to be run before this stage of planning, or after it."""
        from sbkube.apps.hooks import StageHooks

        hooks = [hooks for hooks in self.config.hooks.values() if getattr(hooks, stage) != StageHooks()]
        own = (app.hooks for app in self.config.apps.values() if app.hooks is not None)
        return bool(hooks) or any(h.commands(f"{when}_{stage}") for h in own for when in ("pre", "post"))

    def save(self, plan: Plan, path: str | Path) -> str:
        """Keep the plan made last in a file, for `approved`; gives its digest. Raises UsageError."""
        from sbkube.api import approval

        return approval.save(self, plan, Path(path))

    def approved(self, path: str | Path) -> Approved:
        """The plan of a file, made again, if it comes out as it was saved; else PlanRefused or StateError."""
        from sbkube.api import approval

        return approval.approved(self, Path(path))

    def _asked(self, verb: str, **words: Any) -> None:
        self.request = {"verb": verb, **words}
        self._look_at_newest()

    @property
    def on_top_of(self) -> str:
        """The deployment that the newest plan was made on top of, "" for none."""
        return self._newest.deployment_id if self._newest else ""

    def masked(self, plan: Plan) -> Plan:
        """The plan as people may see it: secret values replaced."""
        from sbkube.engine.execute import scrubber_of
        from sbkube.plan.redact import Redactor

        masked = Redactor(self.ledger.redaction_key(), self.sensitive).plan(plan)
        return scrubber_of(plan, self.world).commands(masked)

    def _look_at_newest(self) -> None:
        """Remember what the plan is made on top of, and what was hidden then; `execute` compares the first."""
        from sbkube.plan.sensitive import sensitive_paths

        self._newest = self._newest_deployment()
        if self._newest:
            self.sensitive.add(sensitive_paths(self._newest.config_snapshot))

    def _newest_deployment(self) -> DeploymentRecord | None:
        target = self.target
        found = self.ledger.list_deployments(
            project=target.project, cluster=target.cluster_uid, namespace=target.namespace, limit=2
        )
        return next((record for record in found if record.id != self._announced), None)

    def _foreign_origin(self) -> str:
        """Why nothing may be pruned: another folder has deployed under this name, or there is no name."""
        from sbkube.edges import origin

        newest = self._newest
        if self._where.same_project or newest is None:
            return ""
        here = origin.identity(origin.describe(self.config.folder, self._environ))
        there = origin.identity(newest.origin)
        if there and there != here:
            return f"{self.config.name} was last deployed from {there}, this is {here} ({_SAME})"
        return "" if self.config.name_given else f"the project has no metadata.name ({_SAME})"

    def _behind(self) -> str:
        """Which deployments of other databases this one does not know, in words; "" when there is none."""
        from sbkube.engine.lock import unseen

        with before_any_write():
            unknown = () if self._where.no_cluster_lock else unseen(self.world, self.target)
        return behind(unknown)

    def _refuse_behind(self) -> None:
        if reason := self._behind():
            raise StateBehind(f"{reason}; nothing was changed", hint=CATCH_UP)

    def _mention_interrupted(self) -> None:
        """Say what a killed run left open; the next command that takes the lock settles it."""
        for detail in self.ledger.unsettled(self.target):
            self._mention(detail.deployment.deployment_id)
