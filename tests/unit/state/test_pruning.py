"""Old deployments go, but nothing that the inventory or a rollback of what is kept needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from secrets import token_hex

import pytest
from ledger_plans import apply, config_map, delete, install, installed, live, outcome, plan_of, secret
from sqlalchemy import text

from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.outcome import OpState
from sbkube.state.pruning import Rule


@pytest.fixture
def deploy(tracker, target, create):
    """Runs operations as one deployment."""

    def run(*operations, state=OpState.APPLIED):
        lock = tracker.acquire(target, "apply")
        journal = tracker.begin(create, plan_of(*operations), lock)
        journal.intend(operations)
        for op in operations:
            if op.verb.helm:
                journal.settle([installed(op, config_map("db"), op.revision + 1, f"raw-{op.revision + 1}")])
            else:
                journal.settle([outcome(op, live(op.desired) if op.desired else None, state)])
        for app in {op.app for op in operations}:
            journal.app_ended(app, DeploymentStatus.SUCCESS)
        record = journal.finish()
        tracker.release(lock)
        return record.deployment_id

    return run


def ids(tracker):
    return [record.deployment_id for record in tracker.list_deployments(limit=None)]


def file_size(file):
    return sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*"))


def blobs(tracker):
    with tracker.database.reading() as conn:
        return set(conn.execute(text("SELECT digest FROM blobs")).scalars())


def test_the_newest_are_kept_and_the_chain_holds(tracker, target, deploy):
    made = [deploy(apply(config_map(value=str(n)))) for n in range(6)]
    before = blobs(tracker)
    done = tracker.prune(Rule(keep=2))
    assert set(done.removed) == set(made[:4]) and done.needed == 0
    assert ids(tracker) == [made[5], made[4]]
    assert done.blobs > 0 and len(blobs(tracker)) < len(before)
    assert tracker.verify().findings == ()
    assert tracker.detail(made[4]).resources[0].after["data"] == {"key": "4"}
    assert tracker.plan(made[5]).operations
    assert tracker.prune(Rule(keep=2)).removed == ()


def test_what_the_inventory_needs_stays(tracker, target, deploy):
    old = deploy(apply(config_map("rarely-changed")), apply(secret()))
    release = deploy(install())
    for n in range(4):
        deploy(apply(config_map(value=str(n))))
    before = tracker.inventory(target)
    done = tracker.prune(Rule(keep=2))
    assert done.needed == 2 and {old, release} <= set(ids(tracker))
    assert tracker.inventory(target) == before
    assert {row.key.name for row in tracker.left_by("latest~1", target).values()} >= {"rarely-changed", "login"}


def test_a_deleted_object_does_not_come_back(tracker, target, deploy):
    both = deploy(apply(config_map("gone")), apply(config_map("stays")))
    gone = deploy(delete(live(config_map("gone"))))
    for n in range(3):
        deploy(apply(config_map(value=str(n))))
    tracker.prune(Rule(keep=1))
    assert {both, gone} <= set(ids(tracker))  # without the second, the first would bring it back
    assert {key.name for key in tracker.inventory(target)} == {"stays", "web"}


def test_a_rollback_to_what_is_kept_finds_everything(tracker, target, deploy):
    deploy(apply(config_map("a", "1")))
    second = deploy(apply(config_map("a", "2"), live(config_map("a", "1"))))
    third = deploy(apply(config_map("b", "1")))
    fourth = deploy(apply(config_map("a", "3"), live(config_map("a", "2"))))
    before = {name: tracker.left_by(name, target) for name in (third, fourth)}
    tracker.prune(Rule(keep=2))
    assert set(ids(tracker)) == {second, third, fourth}
    assert {name: tracker.left_by(name, target) for name in (third, fourth)} == before


def test_a_release_can_still_go_back(tracker, deploy):
    deploy(install())
    upgrade = install(revision=1)
    newest = deploy(upgrade)
    tracker.prune(Rule(keep=1))
    assert tracker.release_record(newest, upgrade.id) == "raw-1"
    assert tracker.verify().ok


def test_by_age_and_dry(tracker, deploy):
    made = [deploy(apply(config_map(value=str(n)))) for n in range(3)]
    now = datetime.now(UTC)
    assert tracker.prune(Rule(before=now - timedelta(days=90))).removed == ()
    assert set(tracker.prune(Rule(before=now + timedelta(days=1)), dry_run=True).removed) == set(made[:2])
    assert len(ids(tracker)) == 3
    tracker.prune(Rule(before=now + timedelta(days=1)))
    assert ids(tracker) == [made[2]]


def test_what_never_ended_stays(tracker, target, create, deploy):
    op, lock = apply(config_map()), tracker.acquire(target, "apply")
    open_one = tracker.begin(create, plan_of(op), lock).record.deployment_id
    tracker.release(lock)
    for n in range(2):
        deploy(apply(config_map(value=str(n))))
    tracker.prune(Rule(keep=1))
    assert open_one in ids(tracker)


def test_a_removal_by_hand_is_still_found(tracker, deploy):
    for n in range(4):
        deploy(apply(config_map(value=str(n))))
    tracker.prune(Rule(keep=2))
    with tracker.database.writing() as conn:
        key = tracker.detail("latest~1").deployment.id
        for table in ("deployed_resources", "app_deployments", "events"):
            conn.execute(text(f"DELETE FROM {table} WHERE deployment_id = {key}"))
        conn.execute(text(f"DELETE FROM deployments WHERE id = {key}"))
    assert any("was removed" in finding.message for finding in tracker.verify().findings)


def test_the_list_of_what_was_pruned_is_proof_too(tracker, deploy):
    for n in range(3):
        deploy(apply(config_map(value=str(n))))
    tracker.prune(Rule(keep=1))
    with tracker.database.writing() as conn:
        query = "DELETE FROM blobs WHERE digest = (SELECT content_digest FROM closings WHERE kind = 'checkpoint')"
        conn.execute(text(query))
    assert not tracker.verify().ok


def test_without_the_key_encrypted_plans_keep_their_blobs(tracker, deploy):
    for _ in range(3):
        deploy(apply(secret()))
    tracker.database.key = tracker.database.store.key = None
    before = blobs(tracker)
    done = tracker.prune(Rule(keep=1))
    assert len(done.removed) == 2 and done.blobs == 0 and done.blobs_kept
    assert before <= blobs(tracker)


def test_pruned_content_is_not_left_in_the_file(file, tracker, deploy):
    for value in (token_hex(200_000), "kept-1", "kept-2"):
        deploy(apply(config_map(value=value)))
    before, size = blobs(tracker), file_size(file)
    tracker.prune(Rule(keep=1))
    assert file_size(file) < size / 2
    gone = before - blobs(tracker)
    content = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    assert gone and not [digest for digest in gone if digest.encode() in content]
    assert tracker.info().counts["deployments"] == 1
