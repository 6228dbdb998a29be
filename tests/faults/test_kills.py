"""`SIGKILL` at every point of a deployment, a rollback and a delete; then resume, rollback or a plain apply."""

from __future__ import annotations

import pytest
from faults.conftest import Tally
from faults.kills import FOLLOWED_BY, SCENARIOS, Point, trial, whole
from faults.length import long_or_short, note, spread
from faults.stage import Stage

SHARDS = long_or_short(16, 1)
SHORT = {"apply": 6, "rollback": 3, "delete": 2}
LEAST = {"apply": 300, "rollback": 120, "delete": 80}


def _work(stage: Stage, name: str, shard: int) -> list[tuple[Point, str]]:
    """The kills of one shard: every point with every command that may follow; of the others each in turn."""
    points = whole(stage, name).points()
    assert len(points) >= LEAST[name]
    if SHARDS == 1:
        return [(p, FOLLOWED_BY[i % 3]) for i, p in enumerate(spread(points, SHORT[name]))]
    if name == "apply":
        return [(p, how) for p in points for how in FOLLOWED_BY][shard::SHARDS]
    return [(p, FOLLOWED_BY[i % 3]) for i, p in enumerate(points)][shard::SHARDS]


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_a_kill_record_and_cluster_agree(stage: Stage, name: str) -> None:
    """What the others are measured by."""
    assert whole(stage, name).bad == ()


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_is_followed_by_agreement(stage: Stage, name: str, shard: int, tally: Tally) -> None:
    """Record and cluster agree, no hook runs twice, nothing is left open, and the state is the wanted one."""
    bad = []
    for point, followed_by in _work(stage, name, shard):
        result = trial(stage, name, point, followed_by)
        if result.bad:
            bad.append(str(result))
            note(f"{name}: {result}")
        tally(cases=1, killed=int(result.killed), failures=int(bool(result.bad)))
    assert not bad, f"{len(bad)} failures:\n" + "\n\n".join(bad[:20])
