"""Which operation may start now: needs, order, the number of apps at once, and the failure policy. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import Enum

from sbkube.models.plan import Operation, Plan


class Fate(Enum):
    """How an operation of the plan ended, as the schedule sees it."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # something that it needs failed, or nothing new was to start


class Schedule:
    """The operations of a plan that still have to be done.

    When an app with `on_failure: stop` fails, apps that have begun finish and no other begins; with `continue`
    every app that does not depend on a failed one goes on.
    """

    def __init__(self, plan: Plan) -> None:
        self._operations = {op.id: op for op in plan.operations}
        self._goes_on = {app.name: (app.on_failure or plan.on_failure) == "continue" for app in plan.apps}
        self._max_apps = plan.max_workers
        self._fates: dict[str, Fate] = {}
        self._running: set[str] = set()
        self._waiting = dict.fromkeys(self._operations)
        self._dependents: dict[str, list[str]] = defaultdict(list)
        self._missing: dict[str, int] = {}
        for op in self._operations.values():
            before = {n for n in (*op.needs, *op.after) if n in self._operations}
            self._missing[op.id] = len(before)
            for name in before:
                self._dependents[name].append(op.id)
        self._ready = [op.id for op in self._operations.values() if not self._missing[op.id]]
        self._open: dict[str, int] = defaultdict(int)
        for op in self._operations.values():
            self._open[op.app] += 1
        self._begun: set[str] = set()
        self._stopped = False
        self._unneeded: list[str] = []
        self.closed = False

    @property
    def finished(self) -> bool:
        """Nothing is running and nothing can start any more."""
        return not self._running and (self.closed or not self._waiting)

    def take(self) -> list[Operation]:
        """All operations that may start now; they count as running from here on."""
        if self.closed:
            return []
        self._drop_unneeded()
        taken: list[Operation] = []
        later: list[str] = []
        for name in self._ready:
            op = self._operations[name]
            if op.on_failure or self._may_begin(op.app):
                self._begun.add(op.app)
                self._running.add(name)
                del self._waiting[name]
                taken.append(op)
            else:
                later.append(name)
        self._ready = later
        if taken or self._running or not self._waiting:
            return taken
        self._skip_stuck()
        return self.take() if self._ready else []

    def _skip_stuck(self) -> None:
        """Nothing may begin any more: what is left is skipped, but for what is done because of that."""
        for name in [name for name in self._waiting if not self._operations[name].on_failure]:
            if name in self._waiting:
                del self._waiting[name]
                self._settle(name, Fate.SKIPPED)
        self._ready = [name for name in self._ready if name in self._waiting]

    def _drop_unneeded(self) -> None:
        """What is only for the case of a failure, and there was none."""
        while True:
            found = [n for n in self._ready if self._operations[n].on_failure and not self._failed_before(n)]
            if not found:
                return
            self._ready = [name for name in self._ready if name not in found]
            for name in found:
                del self._waiting[name]
                self._settle(name, Fate.DONE)
                self._unneeded.append(self._operations[name].app)

    def _failed_before(self, name: str) -> bool:
        return any(self._fates.get(other) is Fate.FAILED for other in self._operations[name].after)

    def unneeded(self) -> list[str]:
        """Apps of what was dropped since this was asked last."""
        found, self._unneeded = self._unneeded, []
        return found

    def _may_begin(self, app: str) -> bool:
        if app in self._begun:
            return True
        if self._stopped:
            return False
        return sum(1 for a in self._begun if self._open[a]) < self._max_apps

    def end(self, operation: Operation, *, ok: bool) -> list[Operation]:
        """An operation has ended; returns those that can never start because of it."""
        self._running.discard(operation.id)
        self._stopped = self._stopped or not (ok or self._goes_on[operation.app])
        return self._settle(operation.id, Fate.DONE if ok else Fate.FAILED)

    def close(self) -> list[Operation]:
        """Start nothing new; returns what will not be done."""
        self._drop_unneeded()
        self.closed = True
        return self._skip_rest()

    def _skip_rest(self) -> list[Operation]:
        skipped = [self._operations[name] for name in self._waiting]
        for op in skipped:
            self._fates[op.id] = Fate.SKIPPED
            self._open[op.app] -= 1
        self._waiting.clear()
        self._ready.clear()
        return skipped

    def _settle(self, name: str, fate: Fate) -> list[Operation]:
        skipped: list[Operation] = []
        work = [(name, fate)]
        while work:
            ended, how = work.pop()
            self._fates[ended] = how
            self._open[self._operations[ended].app] -= 1
            for dependent in self._dependents[ended]:
                if dependent not in self._waiting or dependent in self._fates:
                    continue
                self._missing[dependent] -= 1
                op = self._operations[dependent]
                if how is not Fate.DONE and ended in op.needs:
                    del self._waiting[dependent]
                    skipped.append(op)
                    work.append((dependent, Fate.SKIPPED))
                elif not self._missing[dependent]:
                    self._ready.append(dependent)
        return skipped

    def app_open(self, app: str) -> bool:
        """Some operation of the app has not ended."""
        return self._open[app] > 0

    def fates(self, operations: Iterable[Operation]) -> set[Fate]:
        """How the given operations ended, as far as they have."""
        return {self._fates[op.id] for op in operations if op.id in self._fates}
