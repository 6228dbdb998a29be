"""What the API server may do to a deployment of commands, actions and phases: late, refused, broken, cut off."""

from __future__ import annotations

from collections import Counter

import pytest
from faults import agreement, workshop
from faults.conftest import Tally
from faults.kills import Whole
from faults.length import long_or_short, note, spread
from faults.stage import Stage
from faults.test_answers import WHAT, WHERE, _look, _touched
from faults.workshop import APPLY, lines, traced

PLACES = ("identity", "read", "list", "dry run", "take the lease", "apply", "prune")
SHARDS = long_or_short(3, 1)
SHORT = 5


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_fault_is_followed_by_a_true_record(
    workplace: Stage, wholes: dict[str, Whole], shard: int, tally: Tally
) -> None:
    """The end is as promised or the record is true, no command has run twice, and the next run succeeds."""
    work = [
        (where, what, times) for where in PLACES for what in WHAT for times in (1, 0) if times or what != "late"
    ]
    bad = []
    for where, what, times in spread(work, SHORT) if SHARDS == 1 else work[shard::SHARDS]:
        with workplace.case(APPLY.start) as case:
            trace = traced(case)
            before = _touched(case)
            with case.tracker() as tracker:
                known = {d.deployment_id for d in tracker.list_deployments(limit=100)}
            case.sandbox.faults({**WHERE[where], **WHAT[what], "times": times})
            ended = case.run(*APPLY.words, "-o", "json")
            case.sandbox.faults()
            wrong = _look(case, before, known, ended.code, ended.out, ended.err)
            said: Counter[str] = lines(trace)
            wrong += [
                f"{name} ran {said[f'end {name}']} times" for name in workshop.COMMANDS if said[f"end {name}"] > 1
            ]
            again = case.run("apply", "-y")
            if again.code:
                wrong.append(f"the next run: exit {again.code}: {again.err[-500:]}")
            else:
                wrong += agreement.differences(wholes["apply"].after, case.content()) + case.disagreements()
        tally(cases=1, failures=int(bool(wrong)), **{f"exit_{ended.code}": 1})
        if wrong:
            bad.append(f"{where}, {what}{'' if times else ' each time'}: " + "; ".join(wrong))
            note(bad[-1])
    assert not bad, "\n\n".join(bad[:10])
