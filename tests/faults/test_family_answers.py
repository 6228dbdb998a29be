"""What the API server may do to the deployment of several projects as one: late, refused, broken, cut off."""

from __future__ import annotations

import pytest
from faults import agreement, household
from faults.conftest import Tally
from faults.kills import Whole
from faults.length import long_or_short, note, spread
from faults.stage import Stage
from faults.test_answers import WHAT, WHERE, _look, _touched
from faults.workshop import lines, traced

PLACES = ("identity", "read", "list", "dry run", "take the lease", "apply", "prune")
SHARDS = long_or_short(3, 1)
SHORT = 4


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_fault_is_followed_by_a_true_record(
    home: Stage, households: dict[str, Whole], shard: int, tally: Tally
) -> None:
    """Records of all projects are true, what was not begun is said to be so, and the next run succeeds."""
    apply = household.APPLY
    work = [
        (where, what, skip, times)
        for where in PLACES
        for what in WHAT
        for skip, times in ((0, 0), (1, 1))  # each time, or once in a later project
        if times or what != "late"
    ]
    bad = []
    for where, what, skip, times in spread(work, SHORT) if SHARDS == 1 else work[shard::SHARDS]:
        with home.case(apply.start) as case:
            trace, before = traced(case), _touched(case)
            with case.tracker() as tracker:
                known = {d.deployment_id for d in tracker.list_deployments(limit=100)}
            case.sandbox.faults({**WHERE[where], **WHAT[what], "times": times, "skip": skip})
            ended = case.run(*apply.words, "-o", "json")
            case.sandbox.faults()
            wrong = _look(case, before, known, ended.code, ended.out, ended.err)
            said = lines(trace)
            wrong += [f"{n} ran {said[f'end {n}']} times" for n in household.COMMANDS if said[f"end {n}"] > 1]
            again = case.run("apply", "-y")
            if again.code:
                wrong.append(f"the next run: exit {again.code}: {again.err[-500:]}")
            else:
                wrong += agreement.differences(households["apply"].after, case.content()) + case.disagreements()
        tally(cases=1, failures=int(bool(wrong)), **{f"exit_{ended.code}": 1})
        if wrong:
            bad.append(f"{where}, {what}, from {skip}{'' if times else ' each time'}: " + "; ".join(wrong))
            note(bad[-1])
    assert not bad, "\n\n".join(bad[:10])
