"""Verbs that act: under the lock, recorded, each with the exit code that its record means."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sbkube._version import __version__
from sbkube.api.opening import before_any_write
from sbkube.api.outcomes import dump, read_back
from sbkube.api.planning import CATCH_UP, behind
from sbkube.api.undoing import Rollback, Undoing
from sbkube.errors import ClusterForbidden, PlanOvertaken, RecordLost, StateBehind, StateError, StateLocked
from sbkube.models.deployment_state import (
    PART_OF,
    DeploymentCreate,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
)
from sbkube.models.outcome import Outcome
from sbkube.models.plan import Plan

if TYPE_CHECKING:
    from sbkube.engine.execute import Run
    from sbkube.engine.lock import RunLock


POLL = 0.5  # seconds between two looks at somebody else's lock
INTERRUPTED = 130
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
TELL = 10.0  # seconds before it is said again who is waited for


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run: its record with everything below but images (`show` has those), and the process exit code
    that goes with it.

    `rollback` is what became of undoing it, where it failed and the project wants that. `begun` is False where it
    was called off, because another project of the same run had failed.

    A run of several projects gives the result of the one that was opened (if that had no part in it, of the
    first), with the first exit code other than 0. `parts` are then the results of all, in their order.
    """

    record: DeploymentDetail
    outcomes: tuple[Outcome, ...]
    exit_code: int
    rollback: Rollback | None = None
    begun: bool = True
    parts: tuple[Result, ...] = ()

    @property
    def each(self) -> tuple[Result, ...]:
        """One result per project, also where there is only one."""
        return self.parts or (self,)


@dataclass(frozen=True, slots=True)
class Family:
    """How deployments of one run belong together: the id that this one gets, and the run that it is part of."""

    own: str = ""
    parent: str = ""

    def described(self, data: DeploymentCreate) -> DeploymentCreate:
        """The deployment with its place in the family."""
        origin = {**data.origin, PART_OF: self.parent} if self.parent else data.origin
        return replace(
            data,
            deployment_id=self.own or data.deployment_id,
            parent=data.parent or self.parent or None,
            origin=origin,
        )


ALONE = Family()


@dataclass(frozen=True, slots=True)
class Turn:
    """A lock that is held for a plan, and how the deployment is described."""

    data: DeploymentCreate
    lock: RunLock

    def with_sources(self, plan: Plan) -> DeploymentCreate:
        """The description for the plan as it is when the turn has come."""
        return replace(self.data, sources_snapshot=_sources(plan))


def exit_code(status: DeploymentStatus) -> int:
    """The exit code that a recorded status means."""
    return {DeploymentStatus.SUCCESS: 0, DeploymentStatus.INTERRUPTED: INTERRUPTED}.get(status, 1)


def _sources(plan: Plan) -> dict[str, Any]:
    return {app.name: dict(app.sources) for app in plan.apps if app.sources}


class Running(Undoing):
    """Doing what a plan says, and clearing up after runs that were cut off."""

    operator = ""  # who it is done for, where that is not the user of this process
    _left_behind = False  # a Lease whose holder is gone

    def execute(
        self,
        plan: Plan,
        *,
        command: str,
        args: Mapping[str, Any] | None = None,
        wait_for_lock: float = 0,
        family: Family = ALONE,
    ) -> Result:
        """Execute a plan under the lock, recorded. What fails in the cluster is in the result, not raised.

        Raises StateLocked and other StateErrors with nothing touched, RecordLost when the cluster was changed and
        the record failed. `wait_for_lock` is in seconds. `family` says which run it belongs to.
        """
        turn = self.reserve(plan, command=command, args=args, wait_for_lock=wait_for_lock, family=family)
        return self.carry_out(turn, plan)

    def reserve(
        self,
        plan: Plan,
        *,
        command: str,
        args: Mapping[str, Any] | None = None,
        wait_for_lock: float = 0,
        family: Family = ALONE,
    ) -> Turn:
        """Take the lock for a plan, and settle what was interrupted before; the arguments are those of `execute`.

        `carry_out` or `call_off` must follow. Raises what `execute` raises with nothing touched.
        """
        from sbkube.engine.commands import refuse_commands
        from sbkube.engine.recover import settle_interrupted

        world = self.world
        refuse_commands(plan, world.commands.allowed)
        data = family.described(self._describe(plan, command, args))
        lock = self._lock(command, wait_for_lock, data.deployment_id or "")
        try:
            self._refuse_stale()
            with before_any_write():
                interrupted = settle_interrupted(world, self.target)
            for settled in interrupted:
                text = f"deployment {settled.deployment_id} was interrupted and has been settled"
                world.emit("warning", message=text)
            self.take_lease(plan, lock)
        except BaseException:
            lock.release()
            raise
        return Turn(data, lock)

    def waits(self, record: DeploymentRecord) -> None:
        """This is the record of what is reserved, until its turn has come: nothing that others have done."""
        self._announced = record.id

    def take_lease(self, plan: Plan, lock: RunLock, *, early: bool = False) -> None:
        """The other half of the lock, unless the plan creates the namespace that it lies in; `early`: before the
        turn has come. Raises StateLocked, StateBehind."""
        from sbkube.engine.execute import takes_lease_first

        if takes_lease_first(plan):
            with before_any_write():
                lock.attach(early=early)
            self._refuse_to_take_away(plan, lock)

    def carry_out(self, turn: Turn, plan: Plan) -> Result:
        """Execute a plan whose lock is held, and give the lock back."""
        from sbkube.engine.commands import refuse_commands
        from sbkube.engine.execute import execute

        world, lock = self.world, turn.lock
        self._announced = 0
        record: DeploymentRecord | None = None
        newest: DeploymentRecord | None = None
        try:
            self.take_lease(plan, lock)
            if plan.purpose == "apply":
                self.catalogue.lock.save(whole=not (turn.data.command_args or {}).get("apps"))
            run = execute(plan, turn.with_sources(plan), world, lock, self.cancel)
            record = newest = run.record

            def undo_by_itself(undo: Plan, scope: str) -> Run:
                refuse_commands(undo, world.commands.allowed)
                automatic = {"on_failure": "rollback", "scope": scope}
                return execute(undo, self._describe(undo, "rollback", automatic), world, lock, self.cancel)

            undone = self._undo_failed(plan, record, undo_by_itself)
            if undone and undone.record:
                newest = undone.record.deployment
            detail = read_back(self.ledger, run)
        except RecordLost as error:
            where = dump(error, self.ledger)
            error.hint = f"outcomes are in {where}; `sbkube state import` records them when the database is back"
            raise
        finally:
            done = record is not None and record.status is DeploymentStatus.SUCCESS
            lock.release(newest, gone=plan.purpose == "delete" and done)
        self._forget_old()
        return Result(detail, run.outcomes, self._code(run.record), undone)

    def call_off(self, turn: Turn, plan: Plan, reason: str) -> Result:
        """End an announced deployment of which nothing was begun: failed for a reason, or interrupted without."""
        self._announced = 0
        try:
            journal = self.ledger.begin(turn.data, self.recordable(plan), turn.lock.info)
            record = journal.finish(reason or None, interrupted=not reason)
            return Result(self.ledger.detail(record.deployment_id), (), self._code(record), begun=False)
        finally:
            turn.lock.release()

    def _code(self, record: DeploymentRecord) -> int:
        code = exit_code(record.status)
        # Where nobody stopped it, the cluster did not answer, and what came of a request is unknown.
        return 1 if code == INTERRUPTED and not self.cancel.is_set() else code

    def _forget_old(self) -> None:
        """Keep what `settings.state.retention` says of this project; what cannot be forgotten now stays."""
        kept = self.config.settings.state.retention
        if kept is None:
            return
        from sbkube.state.pruning import Rule

        target = self.target
        own = (target.cluster_uid, target.project, target.namespace)
        try:
            if isinstance(kept, int):
                self.ledger.prune(Rule(keep=kept, only=own))
            else:
                age = timedelta(**{_UNITS[kept[-1]]: int(kept[:-1])})
                self.ledger.prune(Rule(before=self.world.clock.now() - age, only=own))
        except StateError as error:
            self.world.emit("warning", message=f"older deployments could not be forgotten: {error.message}")

    def _lock(self, command: str, wait: float, deployment: str) -> RunLock:
        from sbkube.engine.lock import RunLock

        cluster_lock = not self._where.no_cluster_lock
        return RunLock(
            self.world, self.target, command, wait=wait, cluster_lock=cluster_lock, deployment=deployment
        )

    def _refuse_stale(self) -> None:
        """Under the lock: the plan must still be made on top of the newest deployment."""
        newest = self._newest_deployment()
        moving = self._newest is not None and not self._newest.status.ended  # it was at work while we planned
        if moving or (newest.id if newest else 0) != (self._newest.id if self._newest else 0):
            who = f"{newest.operator}@{newest.host} has" if newest else "somebody has"
            raise PlanOvertaken(
                f"{who} deployed {self.config.name} since this plan was made; nothing was changed",
                hint="run the command again to plan on top of that",
            )

    def _refuse_to_take_away(self, plan: Plan, lock: RunLock) -> None:
        """Under the lock: what another database has deployed is not for us to delete or to undo."""
        takes = plan.purpose not in ("apply", "hooks") or any(op.verb.takes_away for op in plan.operations)
        if takes and (reason := behind(lock.unseen)):
            raise StateBehind(f"{reason}; nothing was changed", hint=CATCH_UP)

    def wait_for_lock(self, seconds: float = 0) -> None:
        """Until nobody holds the lock, neither the row nor the Lease; raises StateLocked after so many seconds.

        It is not taken: that is done when a plan is executed. Who is waited for is told now and then.
        """
        clock = self.world.clock
        deadline, told = clock.monotonic() + seconds, 0.0
        while True:
            try:
                self._check_free()
                return
            except StateLocked as error:
                now = clock.monotonic()
                if now >= deadline:
                    raise
                if not told or now - told > TELL:
                    told = now
                    left = f"at most {deadline - now:.0f} s more"
                    self.world.emit("warning", message=f"waiting for the lock ({left}): {error.message}")
                time.sleep(min(POLL, deadline - now))

    def _check_free(self) -> None:
        from sbkube.engine.lock import lease_name

        self.ledger.check_free(self.target)
        if not self._where.no_cluster_lock:
            with before_any_write():
                place = self.target.namespace, lease_name(self.target)
                self._left_behind = self.world.leases.check_free(*place)

    def settle(self) -> None:
        """Before a plan that will be executed: settle interrupted runs, so that the plan knows what they did."""
        if self.ledger.unsettled(self.target) or self._left_behind:
            for record in self.recover():
                text = f"deployment {record.deployment_id} was interrupted and has been settled"
                self.world.emit("warning", message=text)

    def recover(self) -> tuple[DeploymentRecord, ...]:
        """Settle what interrupted runs of this project left open."""
        from sbkube.engine.lock import RunLock
        from sbkube.engine.recover import settle_interrupted

        lock = RunLock(self.world, self.target, "recover")
        try:
            with before_any_write():
                settled = settle_interrupted(self.world, self.target)
                if self._lease_is_left():
                    lock.attach()  # to give it back in order
                self._left_behind = False
                return settled
        finally:
            lock.release()

    def _lease_is_left(self) -> bool:
        """A holder that is gone never gave the Lease back. One that is held now is none of our business here."""
        from sbkube.engine.lock import lease_name

        if self._where.no_cluster_lock:
            return False
        try:
            return self.world.leases.check_free(self.target.namespace, lease_name(self.target))
        except (StateLocked, ClusterForbidden):
            return False

    def break_lock(self) -> None:
        """Take both halves of the lock from whoever holds them; only sensible when that run is dead."""
        from sbkube.engine.lock import lease_name

        self.ledger.break_lock(self.target)
        with before_any_write():
            self.world.leases.free(self.target.namespace, lease_name(self.target))

    def new_id(self) -> str:
        """An id for a deployment that is still to be described."""
        from sbkube.state.records import generated_id

        return generated_id(self.world.clock.now())

    def recordable(self, plan: Plan) -> Plan:
        """A plan as it may be recorded, without anything secret that its commands repeat."""
        from sbkube.engine.execute import scrubber_of

        return scrubber_of(plan, self.world).plan(plan)

    def _describe(self, plan: Plan, command: str, args: Mapping[str, Any] | None) -> DeploymentCreate:
        from sbkube.edges import origin
        from sbkube.engine.execute import scrubber_of
        from sbkube.state.records import generated_id

        info = self.cluster_info()
        return DeploymentCreate(
            cluster=info.name,
            namespace=self.config.settings.namespace,
            app_config_dir=str(self.config.folder),
            config_file_path=str(self.config.path),
            command=command,
            config_snapshot=scrubber_of(plan, self.world).json(self.config.snapshot(self.sensitive)),
            deployment_id=generated_id(self.world.clock.now()),
            command_args=dict(args or {}) | ({"no_cluster_lock": True} if self._where.no_cluster_lock else {}),
            sources_snapshot=_sources(plan),
            sbkube_version=__version__,
            operator=self.operator or getpass.getuser(),
            parent=plan.parent or None,
            project=self.config.name,
            cluster_uid=info.uid,
            context=info.context,
            host=socket.gethostname(),
            kubernetes_user=info.user,
            origin=origin.describe(self.config.folder, self._environ),
        )
