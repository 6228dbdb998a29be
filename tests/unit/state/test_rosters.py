"""Plans in which little changes: the list of all objects is kept once, and nothing of a plan is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_plans import apply, config_map, live, outcome, plan_of
from sqlalchemy import text

from sbkube.errors import Place
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.plan import Change, Effect
from sbkube.models.resource import ResourceKey
from sbkube.state.pruning import Rule

OBJECTS = 30


def little(number, count=OBJECTS):
    """A plan that changes one of so many objects: each time another one."""
    op = apply(config_map(f"web-{number}", str(number)), live(config_map(f"web-{number}", "old")))
    keys = [ResourceKey("", "v1", "ConfigMap", "default", f"web-{at}") for at in range(count)]
    changes = [Change(key, Effect.UNCHANGED, source=Place("web.yaml", 3, 1)) for key in keys]
    changes[number] = op.changes[0]
    changes[count - 1] = replace(changes[count - 1], note="is left alone")
    plan = plan_of(op)
    return replace(plan, apps=(replace(plan.apps[0], changes=tuple(changes)),))


@pytest.fixture
def deploy(tracker, target, create):
    """Records a plan as a deployment that went well."""

    def run(plan):
        lock = tracker.acquire(target, "apply")
        journal = tracker.begin(create, plan, lock)
        journal.intend(plan.apps[0].operations)
        journal.settle([outcome(op, live(op.desired)) for op in plan.apps[0].operations])
        journal.app_ended("web", DeploymentStatus.SUCCESS)
        record = journal.finish()
        tracker.release(lock)
        return record.deployment_id

    return run


def as_stored(plan):
    """A plan without the images of its changes, which the rows of operations have."""
    app = plan.apps[0]
    changes = tuple(replace(change, before=None, after=None) for change in app.changes)
    return [(c.key, c.effect, c.fields, c.note, c.source) for c in changes], app.operations[0].desired


@pytest.mark.parametrize("count", [3, OBJECTS])
def test_a_plan_comes_back_as_it_was(tracker, deploy, count):
    plan = little(1, count)
    assert as_stored(tracker.plan(deploy(plan))) == as_stored(plan)


def test_the_list_of_objects_is_kept_once_and_as_long_as_a_plan_needs_it(tracker, deploy):
    made = [deploy(little(number)) for number in range(4)]
    with tracker.database.reading() as conn:
        large = "SELECT count(*) FROM blobs WHERE size > 3000"
        assert conn.execute(text(large)).scalar() == 1
    assert tracker.verify().findings == ()
    tracker.prune(Rule(keep=1))
    assert as_stored(tracker.plan(made[-1])) == as_stored(little(3))
    assert tracker.verify().findings == ()
