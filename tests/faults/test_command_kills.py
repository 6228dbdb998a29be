"""`SIGKILL` around and inside of commands: none that has ended is run twice, one that was cut off is told of."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from faults import agreement, workshop
from faults.conftest import Tally
from faults.kills import Point, Scenario, Whole, kill_at
from faults.length import long_or_short, note, spread
from faults.stage import Case, Stage
from faults.workshop import APPLY, lines, traced

FOLLOWED_BY = ("rerun", "skip", "apply", "rollback")
SHARDS = long_or_short(4, 1)
SHORT = 8


def test_without_a_kill_record_and_cluster_agree(wholes: dict[str, Whole]) -> None:
    assert [run.bad for run in wholes.values()] == [(), ()]


def _follow(case: Case, how: str, run: Whole, trace: Path, killed: bool) -> list[str]:
    """Go on, and what is not as it should be then."""
    if how == "apply":
        return _checked(case, case.run("apply", "-y"), run.after)
    if how == "rollback":
        newest = json.loads(case.ok("history", "-o", "json").out)["deployments"][0]
        if not killed or newest["status"] != "interrupted":
            return _checked(case, case.run("recover"), None)
        return _checked(case, case.run("rollback", newest["deployment_id"], "-y"), run.before)
    first = case.run("resume", "-y")
    cut = re.findall(r"--rerun (\S+),", first.err)
    ended = lines(trace)
    if first.code == 3 and cut:
        first = case.run("resume", "-y", *(word for name in cut for word in (f"--{how}", name)))
    bad = _checked(case, first, None)
    after = lines(trace)
    again = {name.rpartition(".")[2] for name in cut} | ({"one", "two", "pre", "post", "late"} if cut else set())
    for name in workshop.COMMANDS:
        if after[f"end {name}"] > 1 and (name not in again or not cut):
            bad.append(f"{name} was run {after[f'end {name}']} times")
    if ended and not cut and after["end one"] > 1:
        bad.append("a finished command was run twice")
    return bad


def _checked(case: Case, ended: Any, wanted: Any) -> list[str]:
    if ended.code != 0:
        return [f"exit {ended.code}: {ended.out[-500:]}{ended.err[-1500:]}"]
    bad = case.disagreements()
    return bad + (agreement.differences(wanted, case.content()) if wanted is not None else [])


def _trial(stage: Stage, scenario: Scenario, point: Point | str, how: str, run: Whole) -> tuple[bool, list[str]]:
    with stage.case(scenario.start) as case:
        trace = traced(case)
        if isinstance(point, str):
            case.extra["KILL_IN"] = point
            ended = case.run(*scenario.words)
            del case.extra["KILL_IN"]
        else:
            ended = kill_at(case, scenario, point)
        if not ended.killed and ended.code != 0:
            return False, [f"not killed, but exit {ended.code}: {ended.err[-500:]}"]
        case.settled()
        return ended.killed, _follow(case, how, run, trace, ended.killed)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_kill_is_followed_by_agreement(
    workplace: Stage, wholes: dict[str, Whole], shard: int, tally: Tally
) -> None:
    """At every commit and request of an apply."""
    points = wholes["apply"].points()
    assert len(points) > 60
    work = [(p, FOLLOWED_BY[i % len(FOLLOWED_BY)]) for i, p in enumerate(points)]
    chosen = spread(work, SHORT) if SHARDS == 1 else work[shard::SHARDS]
    bad = []
    for point, how in chosen:
        killed, wrong = _trial(workplace, APPLY, point, how, wholes["apply"])
        if wrong:
            bad.append(f"kill {point}, then {how}: " + "; ".join(wrong))
            note(bad[-1])
        tally(cases=1, killed=int(killed), failures=int(bool(wrong)))
    assert not bad, "\n\n".join(bad[:10])


@pytest.mark.parametrize("name", workshop.COMMANDS)
def test_a_kill_inside_of_a_command(workplace: Stage, wholes: dict[str, Whole], name: str, tally: Tally) -> None:
    """The command that was cut off is named, and is run again or left out only as a person says."""
    for how in long_or_short(FOLLOWED_BY, (FOLLOWED_BY[len(name) % 4],)):
        killed, wrong = _trial(workplace, APPLY, name, how, wholes["apply"])
        assert killed, name
        tally(cases=1, killed=1, failures=int(bool(wrong)))
        assert not wrong, f"killed in {name}, then {how}: " + "; ".join(wrong)
