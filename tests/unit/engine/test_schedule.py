"""Which operation may start when."""

from __future__ import annotations

from dataclasses import replace

from sbkube.engine.schedule import Fate, Schedule
from sbkube.models.plan import AppPlan, Operation, Plan, Verb


def _plan(needs: dict[str, list[str]], after: dict[str, list[str]] | None = None, **settings: object) -> Plan:
    """Operations named `app/n`; `needs` and `after` by name."""
    apps: dict[str, list[Operation]] = {}
    for name, wanted in needs.items():
        app = name.split("/")[0]
        soft = tuple((after or {}).get(name, ()))
        apps.setdefault(app, []).append(Operation(name, app, Verb.APPLY, needs=tuple(wanted), after=soft))
    plans = tuple(AppPlan(n, "yaml", "x", operations=tuple(ops)) for n, ops in apps.items())
    return Plan("p", "x", "apply", "c", "u", plans, **settings)  # type: ignore[arg-type]


def _names(operations: list[Operation]) -> list[str]:
    return [op.id for op in operations]


def test_an_operation_starts_when_all_it_needs_is_done() -> None:
    schedule = Schedule(_plan({"a/1": [], "a/2": ["a/1"]}))
    (first,) = schedule.take()
    assert schedule.take() == []
    schedule.end(first, ok=True)
    assert _names(schedule.take()) == ["a/2"]


def test_what_needs_a_failed_operation_is_skipped_all_the_way_down() -> None:
    schedule = Schedule(_plan({"a/1": [], "b/1": ["a/1"], "c/1": ["b/1"]}, on_failure="continue"))
    (first,) = schedule.take()
    assert _names(schedule.end(first, ok=False)) == ["b/1", "c/1"]
    assert schedule.finished


def test_order_only_edges_do_not_pass_failure_on() -> None:
    schedule = Schedule(_plan({"a/1": [], "b/1": []}, after={"b/1": ["a/1"]}, on_failure="continue"))
    (first,) = schedule.take()
    schedule.end(first, ok=False)
    assert _names(schedule.take()) == ["b/1"]


def test_stop_lets_running_apps_finish_and_starts_no_other() -> None:
    schedule = Schedule(_plan({"a/1": [], "b/1": [], "b/2": ["b/1"], "c/1": []}, max_workers=2, on_failure="stop"))
    taken = {op.id: op for op in schedule.take()}
    assert set(taken) == {"a/1", "b/1"}
    schedule.end(taken["a/1"], ok=False)
    schedule.end(taken["b/1"], ok=True)
    (rest,) = schedule.take()
    assert rest.id == "b/2"
    schedule.end(rest, ok=True)
    assert schedule.take() == []
    assert schedule.finished
    assert schedule.fates([Operation("c/1", "c", Verb.APPLY)]) == {Fate.SKIPPED}


def test_no_more_apps_at_once_than_max_workers() -> None:
    schedule = Schedule(_plan({f"a{i}/1": [] for i in range(5)}, max_workers=2))
    first = schedule.take()
    assert len(first) == 2
    schedule.end(first[0], ok=True)
    assert len(schedule.take()) == 1


def test_close_skips_everything_that_has_not_started() -> None:
    schedule = Schedule(_plan({"a/1": [], "a/2": ["a/1"]}))
    (running,) = schedule.take()
    assert _names(schedule.close()) == ["a/2"]
    assert not schedule.finished
    schedule.end(running, ok=True)
    assert schedule.finished


def _with_rescue(needs: dict[str, list[str]], rescue: str) -> Schedule:
    """The operation `rescue` is only for the case that one of the others has failed."""
    plan = _plan({**needs, rescue: []}, after={rescue: list(needs)})
    apps = tuple(
        replace(app, operations=tuple(replace(op, on_failure=op.id == rescue) for op in app.operations))
        for app in plan.apps
    )
    return Schedule(replace(plan, apps=apps))


def test_what_is_for_a_failure_is_dropped_when_all_went_well() -> None:
    schedule = _with_rescue({"a/1": []}, "a/rescue")
    (first,) = schedule.take()
    schedule.end(first, ok=True)
    assert schedule.take() == []
    assert schedule.finished and schedule.unneeded() == ["a"] and schedule.unneeded() == []
    assert schedule.fates([Operation("a/rescue", "a", Verb.APPLY)]) == {Fate.DONE}


def test_what_is_for_a_failure_is_done_when_nothing_else_may_begin() -> None:
    schedule = _with_rescue({"a/1": [], "a/2": ["a/1"], "b/1": ["a/2"], "c/1": []}, "d/rescue")
    taken = {op.id: op for op in schedule.take()}
    schedule.end(taken["a/1"], ok=False)
    schedule.end(taken["c/1"], ok=True)
    assert _names(schedule.take()) == ["d/rescue"]


def test_a_circle_ends_instead_of_waiting_for_ever() -> None:
    schedule = Schedule(_plan({"a/1": ["b/1"], "b/1": ["a/1"]}))
    assert schedule.take() == []
    assert schedule.finished
