"""Killing a command at a point, going on with another, and what must be true then."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from faults import agreement
from faults.server import Guard, Seen
from faults.stage import Case, Stage
from faults.victim import Ended

Json = dict[str, Any]
Content = dict[agreement.Identity, Json]
FOLLOWED_BY = ("resume", "rollback", "apply")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A command that is killed: where it starts, what it says, and the prepared state that it and its undoing
    lead to."""

    name: str
    start: str
    words: tuple[str, ...]


SCENARIOS = {
    s.name: s
    for s in (
        Scenario("apply", "A", ("apply", "-y")),
        Scenario("rollback", "B", ("rollback", "-y")),
        Scenario("delete", "B", ("delete", "-y")),
    )
}


@dataclass(frozen=True, slots=True)
class Point:
    """Where to kill: `before` or `after` the Nth `commit` or `request`."""

    kind: str
    at: int
    when: str

    def __str__(self) -> str:
        return f"{self.when} {self.kind} {self.at}"


@dataclass(frozen=True, slots=True)
class Whole:
    """What an uninterrupted run did: how many commits and requests, and what was there before and after it."""

    commits: int
    requests: int
    before: Content
    after: Content
    hooks: Counter[str]
    bad: tuple[str, ...] = ()

    def points(self) -> list[Point]:
        """Every point, in order of kind and number."""
        return [
            Point(kind, at, when)
            for kind, most in (("commit", self.commits), ("request", self.requests))
            for at in range(1, most + 1)
            for when in ("before", "after")
        ]


class Hooks:
    """Counts how often each Job is created."""

    def __init__(self, case: Case) -> None:
        self.created: Counter[str] = Counter()
        case.sandbox.api.store.listen(self._see)

    def _see(self, event: Any) -> None:
        if event.what == "ADDED" and event.resource == "jobs.batch":
            self.created[event.name] += 1


def without_hooks(content: Content) -> Content:
    """Jobs are left out: Helm keeps those of hooks whatever becomes of their release."""
    return {key: body for key, body in content.items() if key[0] != "Job"}


@cache
def _whole(stage: int, name: str) -> Whole:
    found = _STAGES[stage]
    scenario = SCENARIOS[name]
    with found.case(scenario.start) as case:
        hooks = Hooks(case)
        before = without_hooks(case.content())
        ended = case.run(*scenario.words)
        assert ended.code == 0, ended
        requests = case.guard.count
        after, bad = without_hooks(case.content()), tuple(case.disagreements())
        return Whole(ended.commits, requests, before, after, hooks.created, bad)


_STAGES: dict[int, Stage] = {}


def whole(stage: Stage, name: str) -> Whole:
    """The uninterrupted run of a scenario; done once for each worker."""
    _STAGES[id(stage)] = stage
    return _whole(id(stage), name)


def kill_at(case: Case, scenario: Scenario, point: Point) -> Ended:
    """Run the scenario's command and kill it at the point (it ends by itself if it never gets there)."""
    if point.kind == "commit":
        return case.run(*scenario.words, kill={"at": point.at, "when": point.when})
    victim: list[int] = []

    def die(seen: Seen) -> None:
        if seen.number == point.at:
            while not victim:
                pass
            os.kill(victim[0], signal.SIGKILL)
            raise ConnectionResetError("killed")

    setattr(case.guard, point.when, die)
    started = case.start(*scenario.words)
    victim.append(started.pid)
    ended = started.wait()
    case.guard.before = case.guard.after = Guard().before
    return ended


@dataclass
class Trial:
    """One kill and what followed; `bad` says what is not as it should be."""

    point: Point
    followed_by: str
    killed: bool = False
    bad: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"kill {self.point}, then {self.followed_by}: " + "; ".join(self.bad)


def trial(stage: Stage, name: str, point: Point, followed_by: str) -> Trial:
    """Kill `name` at `point`, do `followed_by`, and look at everything."""
    scenario, run = SCENARIOS[name], whole(stage, name)
    result = Trial(point, followed_by)
    with stage.case(scenario.start) as case:
        hooks = Hooks(case)
        known = _deployments(case)
        ended = kill_at(case, scenario, point)
        result.killed = ended.killed
        if not ended.killed and ended.code != 0:
            result.bad = (f"not killed, but exit {ended.code}: {ended.err[-500:]}",)
            return result
        case.settled()
        new = [d for d in _deployments(case) if d not in known]
        result.bad = tuple(_follow(stage, case, run, scenario, followed_by, new, hooks))
    return result


def _deployments(case: Case) -> dict[str, str]:
    with case.tracker() as tracker:
        return {d.deployment_id: d.status.value for d in tracker.list_deployments(limit=1000)}


def _follow(
    stage: Stage, case: Case, run: Whole, scenario: Scenario, how: str, new: list[str], hooks: Hooks
) -> list[str]:
    wanted, words = run.after, (how, "-y")
    if how == "apply":
        wanted = whole(stage, "apply").after
    elif how == "rollback":
        # The newest one that changed something may be an older one: say which.
        wanted, words = run.before, ("rollback", new[0], "-y") if new else ("recover",)
    elif not new:
        wanted, words = run.before, ("recover",)
    elif _ended(case, new[0]):
        words = ("recover",)
    after = case.run(*words)
    if after.code != 0:
        return [f"{' '.join(words)}: exit {after.code}: {after.err[-1500:]}"]
    bad = agreement.differences(wanted, without_hooks(case.content())) + case.disagreements()
    bad += [f"hook {n} ran {c} times" for n, c in hooks.created.items() if c > 1]
    if how == "apply" or (how == "resume" and scenario.name == "apply"):
        plan = case.run("plan", "--exit-status")
        if plan.code != 0 and new:
            bad.append(f"the plan afterwards is not empty: exit {plan.code}\n{plan.out[-1500:]}{plan.err[-500:]}")
    return bad


def _ended(case: Case, deployment: str) -> bool:
    return _deployments(case)[deployment] in ("success", "failed")
