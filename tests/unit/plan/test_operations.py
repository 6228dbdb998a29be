"""From changes to operations."""

from __future__ import annotations

from sbkube.models.plan import Change, Effect, Operation, Verb
from sbkube.models.resource import ResourceKey
from sbkube.plan.operations import assemble, assemble_deletion, link_apps, object_step


def _step(kind: str, name: str, verb: Verb = Verb.APPLY):  # type: ignore[no-untyped-def]
    change = Change(ResourceKey("", "v1", kind, "x", name), Effect.CREATE)
    return object_step("a", verb, change, {})


def _before(operations: tuple[Operation, ...]) -> list[str]:
    """Ids in an order that respects needs."""
    done: list[str] = []
    left = list(operations)
    while left:
        ready = [op for op in left if set(op.needs) <= set(done)]
        assert ready, "the operations need each other in a circle"
        done += [op.id for op in ready]
        left = [op for op in left if op not in ready]
    return done


def test_waves_follow_each_other_with_one_barrier_between() -> None:
    steps = [_step("Deployment", f"d{i}") for i in range(50)] + [_step("ConfigMap", f"c{i}") for i in range(50)]
    operations = assemble("a", steps, [ResourceKey("apps", "v1", "Deployment", "x", "d0")], 60)
    assert sum(len(op.needs) for op in operations) <= 4 * len(operations)
    order = _before(operations)
    assert max(order.index(f"a/apply/ConfigMap/x/c{i}") for i in range(50)) < min(
        order.index(f"a/apply/Deployment/x/d{i}") for i in range(50)
    )
    assert order[-1] == "a/wait/ready"


def test_deletion_runs_the_other_way_round() -> None:
    steps = [_step("ConfigMap", "c", Verb.DELETE), _step("Deployment", "d", Verb.DELETE)]
    order = _before(assemble_deletion("a", steps, 60))
    assert order.index("a/delete/Deployment/x/d") < order.index("a/delete/ConfigMap/x/c")


def test_apps_without_operations_are_looked_through() -> None:
    first, last = (assemble(name, [_step("ConfigMap", name)], [], 60) for name in ("first", "last"))
    linked = link_apps(
        {"first": first, "middle": (), "last": last},
        {"middle": ["first"], "last": ["middle"]},
    )
    assert linked["last"][0].needs == (first[-1].id,)


def test_nothing_to_do_and_nothing_to_wait_for_is_no_operation() -> None:
    assert assemble("a", [], [], 60) == ()
