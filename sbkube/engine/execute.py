"""Executing a plan: intent, act, outcome. Impossible without a ledger, and ignorant of why a step exists.

One thread, the caller's, writes the journal. Workers act and hand their outcomes over in a queue.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from sbkube.engine.actions import perform
from sbkube.engine.hands import Hands
from sbkube.engine.lock import RunLock
from sbkube.engine.schedule import Fate, Schedule
from sbkube.engine.surroundings import REQUESTS, Surroundings
from sbkube.engine.wait import LiveView, Waiter
from sbkube.errors import ClusterError, LockLost, RecordLost, SbkubeError, StateError, SurroundingsError
from sbkube.models.deployment_state import DeploymentCreate, DeploymentRecord, DeploymentStatus
from sbkube.models.outcome import Event, OpState, Outcome
from sbkube.models.plan import AppPlan, Operation, Plan, Verb
from sbkube.plan.scrub import Scrubber
from sbkube.ports import Journal

_BEAT = 0.5  # seconds at the most between two looks at the clock


@dataclass(frozen=True, slots=True)
class Run:
    """A finished execution: the record, and every outcome in the order in which they came."""

    record: DeploymentRecord
    outcomes: tuple[Outcome, ...]


def execute(
    plan: Plan, data: DeploymentCreate, world: Surroundings, lock: RunLock, cancel: threading.Event
) -> Run:
    """Do what the plan says, journaling each write before it is sent.

    Raises StateError only if nothing was touched; RecordLost if the cluster was changed and the database failed.
    What fails in the cluster is recorded, not raised. `cancel` is Ctrl-C: what is in flight is finished.
    """
    scrubber, told = scrubber_of(plan, world), world.listener
    plan = scrubber.plan(plan)
    world = replace(world, listener=lambda event: told(scrubber.event(event)))
    journal = world.ledger.begin(data, plan, lock.info)
    return _Execution(plan, world, lock, cancel, journal, scrubber).run()


def scrubber_of(plan: Plan, world: Surroundings) -> Scrubber:
    """Of everything that is known to be secret when a plan is executed."""
    return Scrubber.of_plan(plan, world.sensitive, (*world.secrets, *world.decryptor.known))


def takes_lease_first(plan: Plan) -> bool:
    """The Lease lies in the base namespace; when the plan creates that, it comes first, journaled."""
    return plan.writes and not any(_creates_base(op, plan) for op in plan.operations)


def _creates_base(op: Operation, plan: Plan) -> bool:
    return _is_base(op, plan) and not op.uid


def _is_base(op: Operation, plan: Plan) -> bool:
    key = op.key
    return key is not None and op.verb.writes and key.kind == "Namespace" and key.name == plan.namespace


def subject_of(operation: Operation) -> str:
    """What an operation is about, in words for people."""
    if operation.release is not None:
        return f"release {operation.release.namespace}/{operation.release.name}"
    return str(operation.key) if operation.key else operation.app


class _Execution:
    def __init__(
        self,
        plan: Plan,
        world: Surroundings,
        lock: RunLock,
        cancel: threading.Event,
        journal: Journal,
        scrubber: Scrubber,
    ) -> None:
        self.scrubber = scrubber
        self.plan = plan
        self.world = world
        self.lock = lock
        self.cancel = cancel
        self.journal = journal
        self.schedule = Schedule(plan)
        self.outcomes: list[Outcome] = []
        self._queue: queue.SimpleQueue[tuple[Operation, Outcome]] = queue.SimpleQueue()
        self._running = 0
        self._touched = False
        self._abort = threading.Event()  # stops Helm actions too
        self._hurry = threading.Event()  # stops waits
        self._bug: BaseException | None = None
        self._view = LiveView(world)
        self._apps: dict[str, list[Operation]] = {app.name: list(app.operations) for app in plan.apps}
        self._started: set[str] = set()
        self._ended: set[str] = set()
        self._idle = [app for app in plan.apps if not app.operations]
        self._errors: dict[str, str] = {}
        self._first_error: str | None = None
        self._lost: LockLost | None = None

    def run(self) -> Run:
        own = {"project": self.plan.project}
        self._emit("deployment.started", subject=self.journal.record.deployment_id, data=own)
        long_runners = max(2 * self.plan.max_workers, 8)
        requests = ThreadPoolExecutor(REQUESTS, thread_name_prefix="sbkube-request")
        longer = ThreadPoolExecutor(long_runners, thread_name_prefix="sbkube-long")
        patient = True
        try:
            self._loop(requests, longer)
            return self._finish()
        except StateError as error:
            raise self._unrecorded(error, requests, longer) from error
        except SbkubeError as error:
            if not self._touched:
                self.journal.finish(str(error))
            raise
        except KeyboardInterrupt:
            patient = False  # Ctrl-C twice: nobody waits for what is in flight
            raise
        finally:
            self._abort.set()
            self._hurry.set()
            self._view.stop()
            for pool in (requests, longer):
                pool.shutdown(wait=patient, cancel_futures=True)

    def _loop(self, requests: ThreadPoolExecutor, longer: ThreadPoolExecutor) -> None:
        self._end_idle()
        if takes_lease_first(self.plan):
            self.lock.attach()
        if self.plan.writes:
            self.lock.announce()
        while self._running or not (self._lost or self.schedule.finished):
            if (self.cancel.is_set() or self._bug) and not self.schedule.closed:
                # Writes and Helm actions in flight are finished; waits change nothing and end.
                self._skip(self.schedule.close())
                self._hurry.set()
            try:
                self._heartbeat()
                self._start(self._take(), requests, longer)
            except LockLost as error:
                self._lose(error)
            if self._running:
                self._collect()
        if self._lost is not None:
            raise self._lost

    def _lose(self, error: LockLost) -> None:
        """Without the lock nothing new starts and no status changes; what is in flight is still recorded."""
        if self._lost is None:
            self._lost = error
            self._abort.set()
            self._hurry.set()
            self._emit("warning", message=str(error))

    def _start(self, batch: Sequence[Operation], requests: ThreadPoolExecutor, longer: ThreadPoolExecutor) -> None:
        if not batch:
            return
        for op in batch:
            if op.app not in self._started:
                self._started.add(op.app)
                self.journal.app_started(op.app)
                self._emit("app.started", app=op.app)
        writes = [op for op in batch if op.verb.writes]
        if writes:
            self.lock.check()
            self.journal.intend(writes)
            self._touched = self.lock.begun = True
        for op in batch:
            self._running += 1
            self._emit("operation.started", app=op.app, subject=op.id)
            quick = op.verb.writes and not op.verb.helm and op.verb is not Verb.RUN
            pool = requests if quick else longer
            pool.submit(self._work, op)

    def _take(self) -> Sequence[Operation]:
        """What may start now; what was only for the case of a failure, and is not needed, ends its app."""
        batch = self.schedule.take()
        for app in self.schedule.unneeded():
            self._end_app(app)
        return batch

    def _work(self, op: Operation) -> None:
        """In a worker thread: act, and hand over what came of it, a bug included."""
        started = self.world.clock.now()
        try:
            if op.verb.writes:
                outcome = perform(op, self._hands())
            else:
                outcome = Waiter(self.world, self._view, self._hurry).wait(op)
        except BaseException as bug:  # noqa: BLE001 - raised again by the main thread, which would wait for ever
            self._bug = self._bug or bug
            text = f"sbkube itself failed ({type(bug).__name__})"
            now = self.world.clock.now()
            outcome = Outcome(op.id, OpState.FAILED, started, now, reason="Bug", message=text)
        self._queue.put((op, self.scrubber.outcome(outcome)))

    def _hands(self) -> Hands:
        record = self.journal.record
        return Hands(self.world, self.lock, self._abort, record.deployment_id, record.command)

    def _collect(self) -> None:
        """Take everything that has arrived, and record it in one transaction."""
        arrived: list[tuple[Operation, Outcome]] = []
        try:
            arrived.append(self._queue.get(timeout=_BEAT))
            while True:
                arrived.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        if not arrived:
            return
        self._running -= len(arrived)
        self.outcomes.extend(outcome for _, outcome in arrived)
        # What nobody knows stays open: the next command finds out.
        writes = [outcome for op, outcome in arrived if op.verb.writes and not outcome.state.open]
        if writes:
            self.journal.settle(writes)
        for op, outcome in arrived:
            self._ended_operation(op, outcome)

    def _ended_operation(self, op: Operation, outcome: Outcome) -> None:
        self._emit(
            "operation.ended", app=op.app, subject=op.id, status=outcome.state.value, message=outcome.message
        )
        if outcome.output or (outcome.ok and outcome.reason):
            self._keep_output(op, outcome)
        if not outcome.ok:
            self._errors.setdefault(op.app, outcome.message)
            if self._first_error is None:
                self._first_error = f"{op.app}: {outcome.message}"
            self._keep_evidence(op, outcome)
        elif _is_base(op, self.plan) and outcome.after is not None:
            self._attach()
        self._skip(self.schedule.end(op, ok=outcome.ok))
        self._end_app(op.app)

    def _keep_output(self, op: Operation, outcome: Outcome) -> None:
        """What a command said, and a warning where its failure is not one of its app."""
        name = op.key.name if op.key else op.id
        said = {"detail": outcome.output}
        if outcome.output:
            told = Event("command.output", outcome.ended, op.app, name, "", outcome.message, said)
            self.journal.event(told)
            self.world.listener(told)
        if outcome.ok and outcome.reason:
            self.journal.event(self._emit("warning", app=op.app, message=outcome.message))

    def _keep_evidence(self, op: Operation, outcome: Outcome) -> None:
        lines = [outcome.message]
        if outcome.culprit is not None:
            lines += [*outcome.culprit.events, *outcome.culprit.log]
        event = Event(
            "evidence",
            outcome.ended,
            app=op.app,
            subject=outcome.culprit.subject if outcome.culprit else subject_of(op),
            status=outcome.reason,
            message=outcome.message,
            data={"detail": "\n".join(lines)},
        )
        self.journal.event(event)

    def _skip(self, skipped: Sequence[Operation]) -> None:
        for op in skipped:
            self._emit("operation.skipped", app=op.app, subject=op.id)
        for app in {op.app for op in skipped}:
            self._end_app(app)

    def _end_app(self, app: str) -> None:
        if self._lost is not None or self.schedule.app_open(app) or app in self._ended:
            return
        self._tell_end(app)
        self._end_idle()

    def _end_idle(self) -> None:
        """Apps without operations end when those that they depend on have ended."""
        while found := [app.name for app in self._idle if not self._open_before(app)]:
            self._idle = [app for app in self._idle if app.name not in found]
            for name in found:
                self._tell_end(name)

    def _open_before(self, app: AppPlan) -> bool:
        return any(other in self._apps and other not in self._ended for other in app.depends_on)

    def _tell_end(self, app: str) -> None:
        self._ended.add(app)
        status = self._app_status(app)
        self.journal.app_ended(app, status, self._errors.get(app))
        self._emit("app.ended", app=app, status=status.value, message=self._errors.get(app, ""))

    def _app_status(self, app: str) -> DeploymentStatus:
        own = self._apps[app]
        if Fate.FAILED in self.schedule.fates(own):
            return DeploymentStatus.FAILED
        fates = self.schedule.fates(op for op in own if not op.on_failure)
        if Fate.SKIPPED not in fates:
            return DeploymentStatus.SUCCESS
        rescued = Fate.DONE in self.schedule.fates(op for op in own if op.on_failure)
        begun = Fate.DONE in fates or (app in self._started and not rescued)
        return DeploymentStatus.INTERRUPTED if begun else DeploymentStatus.PENDING

    def _heartbeat(self) -> None:
        if self._lost is not None:
            return
        if self.lock.renewal_due:
            try:
                self.lock.renew()
            except (SurroundingsError, ClusterError) as error:
                # The lock is good until its deadline; `check` says when that has passed.
                self._emit("warning", message=f"the lock could not be renewed: {error}")
        self.lock.check()

    def _attach(self) -> None:
        """Take the Lease after the base namespace was created; if somebody was quicker, we stop here."""
        try:
            self.lock.attach()
        except SbkubeError as error:
            self._lose(LockLost(f"the cluster lock could not be taken: {error}", hint=error.hint))

    def _finish(self) -> Run:
        for app in self._idle:
            self._tell_end(app.name)
        interrupted = self.cancel.is_set() and self.schedule.closed
        record = self.journal.finish(self._first_error, interrupted=interrupted)
        own = {"project": self.plan.project}
        self._emit("deployment.ended", subject=record.deployment_id, status=record.status.value, data=own)
        if self._bug is not None:
            raise self._bug
        return Run(record, tuple(self.outcomes))

    def _unrecorded(
        self, error: StateError, requests: ThreadPoolExecutor, longer: ThreadPoolExecutor
    ) -> StateError | RecordLost:
        """The database failed: nothing new is sent. Outcomes that it does not have are dumped by the caller."""
        if not self._touched:
            self._close_quietly(error)
            return error
        self._abort.set()
        requests.shutdown(wait=True, cancel_futures=True)
        longer.shutdown(wait=True, cancel_futures=True)
        while not self._queue.empty():
            self.outcomes.append(self._queue.get_nowait()[1])
        return RecordLost(
            f"the cluster was changed but the state database failed: {error.message}",
            outcomes=tuple(self.outcomes),
            deployment=self.journal.record.deployment_id,
        )

    def _close_quietly(self, error: StateError) -> None:
        """Nothing was touched: end the record if the database takes that; the error itself is on its way."""
        try:
            self.journal.finish(str(error))
        except StateError as also:
            self._emit("warning", message=f"the deployment could not be marked as ended: {also}")

    def _emit(self, kind: str, **fields: Any) -> Event:
        return self.world.emit(kind, **fields)
