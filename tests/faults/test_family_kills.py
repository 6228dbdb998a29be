"""`SIGKILL` anywhere in the deployment of several projects as one: what was not begun is not forgotten either."""

from __future__ import annotations

import re
from typing import Any

import pytest
from faults import agreement, household
from faults.conftest import Tally
from faults.household import SCENARIOS
from faults.kills import Point, Scenario, Whole, kill_at
from faults.length import long_or_short, note, spread
from faults.stage import Case, Stage
from faults.victim import Ended
from faults.workshop import lines, traced

FOLLOWED_BY = ("resume", "rollback", "apply")
SHARDS = long_or_short(4, 1)
SHORT = 4


def test_without_a_kill_record_and_cluster_agree(households: dict[str, Whole]) -> None:
    assert not any(run.bad for run in households.values())


def _known(case: Case) -> dict[str, str]:
    with case.tracker() as tracker:
        found = tracker.list_deployments(limit=100)
        return {d.deployment_id: d.status.value for d in found if d.project == household.NAMESPACE}


def _follow(case: Case, how: str, households: dict[str, Whole], scenario: Scenario, new: list[str]) -> list[str]:
    """Go on, and what is not as it should be then."""
    run = households[scenario.name]
    if not new:  # nothing was recorded yet
        return _checked(case, case.run("recover"), run.before)
    if how == "apply":
        return _checked(case, case.run("apply", "-y"), households["apply"].after)
    if how == "rollback":
        return _checked(case, case.run("rollback", new[0], "-y"), run.before)
    resumed = case.run("resume", "-y")
    cut = re.findall(r"--rerun (\S+),", resumed.err)
    if resumed.code == 3 and cut:
        resumed = case.run("resume", "-y", *(word for name in cut for word in ("--rerun", name)))
    return _checked(case, resumed, run.after)


def _checked(case: Case, ended: Ended, wanted: Any) -> list[str]:
    if ended.code != 0:
        return [f"exit {ended.code}: {ended.out[-500:]}{ended.err[-1500:]}"]
    return case.disagreements() + agreement.differences(wanted, case.content())


def _trial(
    home: Stage, scenario: Scenario, point: Point, how: str, households: dict[str, Whole]
) -> tuple[bool, list[str]]:
    with home.case(scenario.start) as case:
        trace = traced(case)
        known = _known(case)
        ended = kill_at(case, scenario, point)
        if not ended.killed:
            return False, [] if ended.code == 0 else [f"not killed, but exit {ended.code}: {ended.err[-500:]}"]
        case.settled()
        new = [name for name in _known(case) if name not in known]
        bad = _follow(case, how, households, scenario, new)
        said = lines(trace)
        if how == "resume":
            bad += [f"{n} ran {said[f'end {n}']} times" for n in household.COMMANDS if said[f"begin {n}"] > 2]
        return True, bad


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_kill_is_followed_by_agreement(
    home: Stage, households: dict[str, Whole], name: str, shard: int, tally: Tally
) -> None:
    """At every commit and request of an apply, at half of them of the others."""
    points = households[name].points()[:: 1 if name == "apply" else 2]
    assert len(points) > 50
    work = [(p, FOLLOWED_BY[i % len(FOLLOWED_BY)]) for i, p in enumerate(points)]
    chosen = spread(work, SHORT) if SHARDS == 1 else work[shard::SHARDS]
    bad = []
    for point, how in chosen:
        killed, wrong = _trial(home, SCENARIOS[name], point, how, households)
        if wrong:
            bad.append(f"{name}: kill {point}, then {how}: " + "; ".join(wrong))
            note(bad[-1])
        tally(cases=1, killed=int(killed), failures=int(bool(wrong)))
    assert not bad, "\n\n".join(bad[:10])
