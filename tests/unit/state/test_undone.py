"""Which deployments have been rolled back: told by later rows, never written into the old ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ledger_plans import apply, config_map, live, outcome, plan_of

from sbkube.models.deployment_state import DeploymentCreate, DeploymentStatus, LockTarget
from sbkube.models.outcome import OpState
from sbkube.models.plan import Operation
from sbkube.state import history
from sbkube.state.tracker import DeploymentTracker

TARGET = LockTarget("shop", "uid-1", "default")
DATA = DeploymentCreate(
    cluster="k3s",
    namespace="default",
    app_config_dir="config",
    config_file_path="config/sbkube.yaml",
    command="apply",
    config_snapshot={},
    project="shop",
    cluster_uid="uid-1",
)


def run(tracker: DeploymentTracker, *ops: Operation, fails: bool = False, parent: str = "", **args: Any) -> str:
    """A deployment of these operations, a rollback if it has a parent; gives its id."""
    purpose = "rollback" if parent else "apply"
    data = replace(DATA, command=args.pop("command", purpose), command_args=args)
    lock = tracker.acquire(TARGET, purpose)
    journal = tracker.begin(data, plan_of(*ops, purpose=purpose, parent=parent), lock)
    for op in ops:
        journal.app_started(op.app)
        journal.intend([op])
        body = live(op.desired or {}, version="11")
        journal.settle([outcome(op, None if fails else body, OpState.FAILED if fails else OpState.APPLIED)])
        journal.app_ended(op.app, DeploymentStatus.FAILED if fails else DeploymentStatus.SUCCESS)
    record = journal.finish()
    tracker.release(lock)
    return record.deployment_id


def undone(tracker: DeploymentTracker) -> dict[str, str]:
    found = tracker.list_deployments(project="shop")
    return {r.deployment_id: r.rolled_back_by for r in found if r.rolled_back_by}


WEB, DB = apply(config_map("web")), apply(config_map("db"), app="db")


def test_a_rollback_undoes_everything_from_its_parent_on(tracker: DeploymentTracker) -> None:
    first, second, third = (run(tracker, WEB) for _ in range(3))
    back = run(tracker, WEB, parent=second)
    assert undone(tracker) == {second: back, third: back}
    assert tracker.detail(second).deployment.rolled_back_by == back
    assert tracker.detail(first).deployment.status is DeploymentStatus.SUCCESS
    assert tracker.verify().ok


def test_a_rollback_that_was_undone_or_failed_undoes_nothing(tracker: DeploymentTracker) -> None:
    first = run(tracker, WEB)
    back = run(tracker, WEB, parent=first)
    again = run(tracker, WEB, parent=back)
    assert undone(tracker) == {back: again}
    run(tracker, WEB, parent=again, fails=True)
    assert undone(tracker) == {back: again}


def test_what_changed_nothing_was_not_undone(tracker: DeploymentTracker) -> None:
    first = run(tracker, WEB)
    run(tracker)
    back = run(tracker, WEB, parent=first)
    assert undone(tracker) == {first: back}


def test_a_rollback_of_some_apps_undoes_what_only_they_took_part_in(tracker: DeploymentTracker) -> None:
    both, only = run(tracker, WEB, DB), run(tracker, WEB)
    back = run(tracker, WEB, parent=both, apps=["web"])
    assert undone(tracker) == {only: back}
    back = run(tracker, WEB, DB, parent=both, scope="app")
    assert undone(tracker)[both] == back


def test_rollbacks_of_several_apps_do_not_hide_each_other(tracker: DeploymentTracker) -> None:
    web, db = run(tracker, WEB), run(tracker, DB)
    back = run(tracker, WEB, parent=web, apps=["web"])
    other = run(tracker, DB, parent=web, scope="phase")
    assert undone(tracker) == {web: back, db: other}
    again = run(tracker, WEB, parent=back, apps=["web"])
    assert undone(tracker) == {db: other, back: again}


def test_a_resumed_rollback_undoes_what_the_interrupted_one_was_to_undo(tracker: DeploymentTracker) -> None:
    first = run(tracker, WEB)
    cut_off = run(tracker, WEB, parent=first, fails=True)
    resumed = run(tracker, WEB, parent=cut_off, command="resume")
    assert undone(tracker) == {first: resumed}


def test_a_resumed_rollback_does_not_undo_what_it_went_on_with(tracker: DeploymentTracker) -> None:
    """Also where only the newest deployments are looked at."""
    first = run(tracker, WEB)
    cut = run(tracker, WEB, parent=first, fails=True)
    back = run(tracker, WEB, parent=cut, command="resume")
    assert undone(tracker) == {first: back}
    for name in (cut, back):
        assert not tracker.detail(name).deployment.rolled_back_by
    assert tracker.detail(first).deployment.rolled_back_by == back


def test_what_was_rolled_back_can_be_listed_in_pages(tracker: DeploymentTracker, monkeypatch: Any) -> None:
    def listed(**how: Any) -> list[str]:
        return [r.deployment_id for r in tracker.list_deployments(status="rolled_back", **how)]

    assert listed() == []
    kept = run(tracker, WEB)
    assert listed() == []
    gone = [run(tracker, WEB) for _ in range(3)]
    run(tracker, WEB, parent=gone[0])
    more = [run(tracker, WEB) for _ in range(2)]
    run(tracker, WEB, parent=more[0])
    wanted = [*reversed(more), *reversed(gone)]
    for at_once in (1, 2, 3, 500):
        monkeypatch.setattr(history, "_LOOKED_AT", at_once)
        assert listed(limit=None) == listed(limit=None, project="shop", cluster="k3s") == wanted
        assert listed(limit=2) == wanted[:2] and listed(limit=2, offset=2) == wanted[2:4]
        third = tracker.database.get_deployment(wanted[2])
        assert listed(limit=1, before=(third.created_at, third.id)) == wanted[3:4]
    assert kept not in wanted
