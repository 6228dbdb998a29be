"""A run that follows a plan: what is committed before and after each write, and what a lost lock refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ledger_plans import PASSWORD, apply, config_map, delete, install, installed, live, outcome, plan_of, secret
from sqlalchemy import text

from sbkube.errors import DeploymentNotFound, LockLost, StateError, StateLocked, StateNotWritable
from sbkube.models.deployment_state import DeploymentStatus, LockTarget
from sbkube.models.outcome import Event, OpState
from sbkube.models.resource import ResourceKey
from sbkube.state.tracker import DeploymentTracker


@pytest.fixture
def start(tracker, target, create):
    def begin(*operations, **plan):
        lock = tracker.acquire(target, "apply")
        return tracker.begin(create, plan_of(*operations, **plan), lock)

    return begin


def run(tracker, journal, *pairs):
    """Intend and settle operations, end their apps and the deployment."""
    journal.intend([op for op, _ in pairs])
    journal.settle([settled for _, settled in pairs])
    for app in {op.app for op, _ in pairs}:
        bad = any(settled.state is OpState.FAILED for op, settled in pairs if op.app == app)
        journal.app_ended(app, DeploymentStatus.FAILED if bad else DeploymentStatus.SUCCESS)
    record = journal.finish()
    tracker.release(journal.lock)
    return record


def test_a_deployment_is_in_progress_with_its_whole_plan(tracker, start):
    plan = plan_of(apply(config_map()), apply(secret()), install())
    journal = start(*plan.operations)
    assert journal.record.status is DeploymentStatus.IN_PROGRESS
    assert journal.record.counts["create"] == 2
    assert tracker.active_deployments[journal.record.id]["status"] == "active"
    stored = tracker.plan(journal.record.deployment_id)
    assert stored == plan
    assert [op.desired for op in stored.operations] == [op.desired for op in plan.operations]


def test_intents_are_there_before_the_outcome(tracker, start):
    before = live(config_map(value="0"), "7")
    op = apply(config_map(), before)
    journal = start(op)
    journal.intend([op])
    (row,) = tracker.detail("latest").resources
    assert row.state is OpState.INTENDED
    assert row.intent == config_map()
    assert row.before["data"] == {"key": "0"}
    assert "status" not in row.before
    assert row.before["metadata"]["managedFields"]
    assert row.resource_version_before == "7"
    assert (row.source_file, row.source_line) == ("web.yaml", 3)


def test_outcomes_settle_intents_and_give_the_status(tracker, start):
    op = apply(config_map())
    record = run(tracker, start(op), (op, outcome(op, live(config_map()))))
    assert record.status is DeploymentStatus.SUCCESS
    assert tracker.active_deployments == {}
    (row,) = tracker.detail("latest").resources
    assert (row.state, row.uid, row.resource_version_after) == (OpState.APPLIED, "u-1", "10")


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((OpState.APPLIED, OpState.FAILED), DeploymentStatus.PARTIALLY_FAILED),
        ((OpState.FAILED, OpState.FAILED), DeploymentStatus.FAILED),
        ((OpState.APPLIED, OpState.SUPERSEDED), DeploymentStatus.SUCCESS),
    ],
)
def test_the_status_is_computed(tracker, start, states, expected):
    ops = [apply(config_map("a"), app="one"), apply(config_map("b"), app="two")]
    pairs = [(op, outcome(op, state=state)) for op, state in zip(ops, states, strict=True)]
    assert run(tracker, start(*ops), *pairs).status is expected


def test_open_intents_make_it_interrupted(tracker, start):
    op = apply(config_map())
    journal = start(op)
    journal.intend([op])
    assert journal.finish().status is DeploymentStatus.INTERRUPTED


def test_a_release_is_recorded_with_its_objects_and_records(tracker, start):
    op = install()
    run(tracker, start(op), (op, installed(op, config_map("db"), 1, "raw-1")))
    detail = tracker.detail("latest")
    assert (detail.releases[0].revision_after, detail.releases[0].status) == (1, "deployed")
    assert [row.verb for row in detail.resources] == ["helm"]
    upgrade = install(revision=1)
    record = run(tracker, start(upgrade), (upgrade, installed(upgrade, config_map("db"), 2, "raw-2")))
    assert tracker.release_record(record.deployment_id, upgrade.id) == "raw-1"
    assert tracker.release_record(detail.deployment.deployment_id, op.id) == ""


def test_nothing_sensitive_is_readable_in_the_files(file, tracker, start):
    ops = (apply(secret()), install())
    run(
        tracker,
        start(*ops),
        (ops[0], outcome(ops[0], live(secret()))),
        (ops[1], installed(ops[1], secret("other"), 1, f"raw {PASSWORD}")),
    )
    with tracker.database.reading() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        codecs = conn.execute(text("SELECT DISTINCT codec FROM blobs")).scalars().all()
    assert set(codecs) == {"zstd", "zstd+aes-256-gcm"}
    for path in file.parent.iterdir():
        assert PASSWORD.encode() not in path.read_bytes()
    with tracker.database.reading() as conn:
        plain = conn.execute(text("SELECT content FROM blobs WHERE codec = 'zstd'")).scalars().all()
    from sbkube.state.packing import decompress

    assert all(PASSWORD.encode() not in decompress(content) for content in plain)


def test_an_expired_lock_refuses_new_work_but_no_truth(tracker, target, start):
    op = apply(config_map())
    journal = start(op)
    journal.intend([op])
    with tracker.database.writing() as conn:
        conn.execute(text("UPDATE locks SET expires_at = '2000-01-01T00:00:00.000000Z'"))
    for refused in (
        lambda: journal.intend([op]),
        lambda: journal.app_started("web"),
        lambda: journal.app_ended("web", DeploymentStatus.SUCCESS),
        journal.finish,
        lambda: tracker.renew(journal.lock),
    ):
        with pytest.raises(LockLost):
            refused()
    journal.settle([outcome(op, live(config_map()))])
    assert tracker.detail("latest").resources[0].state is OpState.APPLIED


def test_an_outcome_that_comes_too_late_is_kept_as_an_event(tracker, target, start):
    op = apply(config_map())
    journal = start(op)
    journal.intend([op])
    tracker.break_lock(target)
    tracker.settle(journal.record.deployment_id, [])
    journal.settle([outcome(op, live(config_map()))])
    detail = tracker.detail("latest")
    assert detail.resources[0].state is OpState.ABANDONED
    assert [(e.kind, e.subject) for e in detail.events] == [("late_outcome", op.id)]
    assert tracker.verify().ok


def test_what_a_killed_run_left_is_found_and_settled(tracker, target, start):
    ops = (apply(config_map("a")), apply(config_map("b")))
    journal = start(*ops)
    journal.app_started("web")
    journal.intend(ops)
    assert tracker.unsettled(target) == ()
    with pytest.raises(StateLocked):
        tracker.settle(journal.record.deployment_id, [])
    tracker.break_lock(target)
    (detail,) = tracker.unsettled(target)
    assert [row.state.open for row in detail.resources] == [True, True]
    record = tracker.settle(journal.record.deployment_id, [outcome(ops[0], live(config_map("a")))])
    assert record.status is DeploymentStatus.INTERRUPTED
    assert [r.state for r in tracker.detail("latest").resources] == [OpState.APPLIED, OpState.ABANDONED]
    assert tracker.detail("latest").apps[0].status is DeploymentStatus.INTERRUPTED
    assert tracker.unsettled(target) == ()


def test_a_run_that_gave_up_is_settled_later(tracker, target, start):
    """Nobody answered any more: the run has ended, what came of its last intent is still to be found out."""
    op = apply(config_map("a"))
    journal = start(op)
    journal.intend([op])
    assert journal.finish("nobody answers").status is DeploymentStatus.INTERRUPTED
    tracker.release(journal.lock)
    (detail,) = tracker.unsettled(target)
    tracker.settle(detail.deployment.deployment_id, [outcome(op, live(config_map("a")))])
    assert [r.state for r in tracker.detail("latest").resources] == [OpState.APPLIED]
    assert tracker.unsettled(target) == ()
    assert tracker.verify().ok


def test_the_inventory_follows_what_happened(tracker, target, start):
    a, b = config_map("a"), config_map("b")
    ops = (apply(a), apply(b), install())
    outcomes = (outcome(ops[0], live(a)), outcome(ops[1], live(b)), installed(ops[2], config_map("c"), 1, "r"))
    run(tracker, start(*ops), *zip(ops, outcomes, strict=True))
    found = tracker.inventory(target)
    assert {key.name: known.app for key, known in found.items()} == {"a": "web", "b": "web", "c": "db"}
    known = found[ResourceKey.of(a)]
    assert (known.uid, known.resource_version, known.verb) == ("u-1", "10", "apply")
    assert known.intent == tracker.fingerprint(a)
    assert known.image == tracker.fingerprint(live(a, "11"))

    gone = delete(live(b))
    run(tracker, start(gone), (gone, outcome(gone)))
    assert {key.name for key in tracker.inventory(target)} == {"a", "c"}
    assert tracker.inventory(LockTarget("shop", "uid-2", "default")) == {}


def test_a_refused_operation_leaves_the_inventory_alone(tracker, target, start):
    op = apply(config_map())
    run(tracker, start(op), (op, outcome(op, live(config_map()))))
    again = apply(config_map(value="2"), live(config_map()))
    run(tracker, start(again), (again, outcome(again, state=OpState.FAILED)))
    assert tracker.inventory(target)[ResourceKey.of(config_map())].intent == tracker.fingerprint(config_map())


def test_references_mean_the_target_at_hand(tracker, target, start):
    op = apply(config_map())
    record = run(tracker, start(op), (op, outcome(op, live(config_map()))))
    assert tracker.detail("latest", target).deployment.id == record.id
    other = LockTarget("blog", "uid-1", "default")
    with pytest.raises(DeploymentNotFound, match="belongs to project shop"):
        tracker.detail(record.deployment_id, other)
    with pytest.raises(DeploymentNotFound):
        tracker.detail("latest", other)


def test_since_is_oldest_first(tracker, target, start):
    op = apply(config_map())
    records = [run(tracker, start(op), (op, outcome(op, live(config_map())))) for _ in range(3)]
    found = tracker.since(records[1].deployment_id, target)
    assert [detail.deployment.id for detail in found] == [records[1].id, records[2].id]


def test_events_are_kept_with_their_detail(tracker, start):
    journal = start(apply(config_map()))
    journal.event(
        Event("evidence", datetime.now(UTC), "web", "Pod/web-1", message="crash", data={"detail": "a\nb"})
    )
    (event,) = tracker.detail("latest").events
    assert (event.kind, event.app_name, event.subject, event.detail) == ("evidence", "web", "Pod/web-1", "a\nb")


def test_a_rollback_lets_the_old_one_become_rolled_back(tracker, start):
    op = apply(config_map())
    first = run(tracker, start(op), (op, outcome(op, live(config_map()))))
    gone = delete(live(config_map()))
    run(tracker, start(gone, purpose="rollback", parent=first.deployment_id), (gone, outcome(gone)))
    changed = tracker.database.update_deployment_status(first.id, "rolled_back")
    assert changed.status is DeploymentStatus.ROLLED_BACK
    assert tracker.detail("latest").deployment.parent == first.deployment_id
    assert tracker.verify().ok


def test_a_database_that_vanishes_stops_the_work(file, tracker, start):
    op = apply(config_map())
    journal = start(op)
    journal.intend([op])
    file.unlink()
    with pytest.raises(StateNotWritable):
        journal.settle([outcome(op, live(config_map()))])


def test_without_a_key_secrets_are_not_kept_and_the_run_says_so(file, tracker, start, target):
    run_first = apply(secret())
    run(tracker, start(run_first), (run_first, outcome(run_first, live(secret()))))
    tracker.close()
    file.with_name("deployments.db.key").unlink()
    bare = DeploymentTracker(file)
    assert not bare.keeps_secrets
    (row,) = bare.detail("latest").resources
    assert row.missing_key
    assert (row.intent, row.after) == (None, None)
    with pytest.raises(StateError, match="cannot be decrypted"):
        bare.plan("latest")
    assert bare.inventory(target)
    assert not file.with_name("deployments.db.key").exists()


def test_a_run_without_a_key_warns(tracker, target, create):
    tracker.database.key = None
    tracker.database.store.key = None
    op = apply(secret())
    journal = tracker.begin(create, plan_of(op), tracker.acquire(target, "apply"))
    journal.intend([op])
    journal.settle([outcome(op, live(secret()))])
    detail = tracker.detail("latest")
    assert [event.kind for event in detail.events] == ["warning"]
    assert detail.resources[0].missing_key
    assert detail.resources[0].checksum == ""


def test_what_waits_for_its_turn_is_recorded_and_taken_over(tracker, target, create):
    lock = tracker.acquire(target, "apply")
    early, late = plan_of(apply(config_map())), plan_of(apply(config_map()), apply(secret()))
    data = replace(create, deployment_id="dep-1")
    (record,) = tracker.announce([(data, early, lock)])
    assert record.status is DeploymentStatus.PENDING and tracker.plan("dep-1") == early
    assert not tracker.unsettled(target)  # its run lives
    journal = tracker.begin(data, late, lock)
    assert journal.record.id == record.id and journal.record.status is DeploymentStatus.IN_PROGRESS
    assert tracker.plan("dep-1") == late
    assert [a.app_name for a in tracker.detail("dep-1").apps] == [a.name for a in late.apps]
    with pytest.raises(StateError, match="already"):
        tracker.begin(data, late, lock)
    assert not [f for f in tracker.verify().findings if f.serious]


def test_what_waits_in_vain_is_interrupted(tracker, target, create):
    lock = tracker.acquire(target, "apply")
    plan = plan_of(apply(config_map()))
    names = ("dep-1", "dep-2")
    tracker.announce([(replace(create, deployment_id=name), plan, lock) for name in names])
    tracker.break_lock(target)
    assert [d.deployment.deployment_id for d in tracker.unsettled(target)] == list(names)
    for name in names:
        assert tracker.settle(name, ()).status is DeploymentStatus.INTERRUPTED
    with pytest.raises(LockLost):
        tracker.begin(replace(create, deployment_id="dep-1"), plan, lock)


def test_all_or_none_of_a_run_is_recorded(tracker, target, create):
    lock = tracker.acquire(target, "apply")
    part = (replace(create, deployment_id="dep-1"), plan_of(apply(config_map())), lock)
    with pytest.raises(StateError):
        tracker.announce([part, part])
    assert not tracker.list_deployments()
