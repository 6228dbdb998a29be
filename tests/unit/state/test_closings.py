"""Tampering with what is recorded of an ended deployment is found."""

from __future__ import annotations

import pytest
from ledger_plans import apply, config_map, live, outcome, plan_of
from sqlalchemy import text

from sbkube.models.deployment_state import DeploymentStatus
from sbkube.state import closings
from sbkube.state.database import DeploymentDatabase
from sbkube.state.secrets import StateKey, new_key_text
from sbkube.state.tracker import DeploymentTracker
from sbkube.state.verify import Anchor


@pytest.fixture
def recorded(tracker, target, create):
    """Three ended deployments."""
    for number in range(3):
        body = config_map(value=str(number))
        op, lock = apply(body), tracker.acquire(target, "apply")
        journal = tracker.begin(create, plan_of(op), lock)
        journal.intend([op])
        journal.settle([outcome(op, live(body))])
        journal.app_ended("web", DeploymentStatus.SUCCESS)
        journal.finish()
        tracker.release(lock)
    return tracker


def test_an_untouched_ledger_is_accepted(recorded):
    verdict = recorded.verify()
    assert verdict.ok
    assert (verdict.chains, verdict.closings, verdict.findings) == (1, 3, ())
    assert len(recorded.closing_hash(recorded.detail("latest").deployment.deployment_id)) == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE deployments SET operator = 'somebody else' WHERE id = 2", "altered after it ended"),
        ("UPDATE deployments SET status = 'failed' WHERE id = 2", "status was altered"),
        ("UPDATE deployed_resources SET after_blob = before_blob WHERE id = 2", "altered after it ended"),
        ("UPDATE deployed_resources SET message = 'x' WHERE id = 1", "altered after it ended"),
        ("UPDATE app_deployments SET app_name = 'x' WHERE id = 1", "altered after it ended"),
        ("DELETE FROM deployed_resources WHERE id = 3", "altered after it ended"),
        ("DELETE FROM deployments WHERE id = 2", "was removed"),
        ("DELETE FROM closings WHERE id = 2", "chain is broken"),
        ("DELETE FROM closings WHERE id = 3", "without a closing"),
        ("UPDATE closings SET content_digest = 'x' WHERE id = 2", "closing was altered"),
        ("UPDATE closings SET key_id = '' WHERE id = 2", "without a state key"),
        (
            "INSERT INTO events (deployment_id, created_at) VALUES (1, '2026-01-01T00:00:00.000000Z')",
            "altered after it ended",
        ),
    ],
)
def test_tampering_is_found(recorded, change, message):
    with recorded.database.writing() as conn:
        conn.execute(text(change))
    verdict = recorded.verify()
    assert not verdict.ok
    assert any(message in finding.message for finding in verdict.findings)


def test_another_key_cannot_tell(recorded, file):
    other = DeploymentTracker(DeploymentDatabase(file, environ={"SBKUBE_STATE_KEY": new_key_text()}))
    verdict = other.verify()
    assert verdict.ok
    assert {finding.message for finding in verdict.findings} == {
        "its closing was made with a key that is not here"
    }


def test_what_another_key_added_at_the_end_may_be_forged(recorded, file, create):
    """What a key of ours closed later vouches for what another key closed before."""
    other = DeploymentTracker(DeploymentDatabase(file, environ={"SBKUBE_STATE_KEY": new_key_text()}))
    for _ in range(2):
        with other.track_deployment(create):
            pass
    (message,) = messages(recorded)
    assert "may be forged" in message
    with recorded.track_deployment(create):
        pass
    assert messages(recorded) == []


def test_it_is_told_how_far_it_is(recorded):
    told: list[tuple[int, int]] = []
    recorded.verify(progress=lambda done, total: told.append((done, total)))
    count = len(recorded.list_deployments(limit=None))
    assert told == sorted(told) and told[-1] == (count, count) and count > 1


def test_each_project_and_cluster_has_its_chain(recorded, create):
    from dataclasses import replace

    with recorded.track_deployment(replace(create, project="blog")):
        pass
    assert recorded.verify().chains == 2


def test_without_a_key_the_chain_is_said_to_be_unprotected(tracker, create):
    tracker.database.key = None
    with tracker.track_deployment(create):
        pass
    verdict = tracker.verify()
    assert verdict.ok
    assert verdict.findings[0].message == "its closing was made without a state key"


def alter(tracker, statement, **values):
    with tracker.database.writing() as conn:
        conn.execute(text(statement), values)


def messages(tracker, *anchor):
    return [finding.message for finding in tracker.verify(*anchor).findings if finding.serious]


def test_it_says_which_table_was_altered(recorded):
    alter(recorded, "UPDATE deployed_resources SET message = 'x' WHERE id = 1")
    assert messages(recorded) == ["what is recorded was altered after it ended (in deployed_resources)"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE blobs SET content = :junk WHERE digest = :name", "deployed_resources refers to: a blob"),
        ("DELETE FROM blobs WHERE digest = :name", "deployed_resources refers to is missing"),
    ],
)
def test_an_altered_blob_is_found(recorded, change, message):
    with recorded.database.reading() as conn:
        name = conn.execute(text("SELECT after_blob FROM deployed_resources WHERE id = 2")).scalar()
    alter(recorded, change, **({"name": name, "junk": b"0"} if ":junk" in change else {"name": name}))
    assert any(message in found for found in messages(recorded))


def test_a_history_that_was_cut_off_at_its_end_shows_against_the_cluster(recorded):
    newest = recorded.detail("latest").deployment.deployment_id
    known = Anchor(newest, recorded.closing_hash(newest))
    assert messages(recorded, known) == []
    assert messages(recorded, Anchor(newest, "0" * 64)) == [
        "its closing is not the one that the cluster was told of"
    ]
    alter(recorded, "DELETE FROM deployments WHERE id = 3")
    alter(recorded, "DELETE FROM closings WHERE deployment_id = :id", id=newest)
    assert messages(recorded) == []  # nothing in the database can tell
    (message,) = messages(recorded, known)
    assert "the newest closings were removed" in message


def test_two_ends_mean_that_one_was_removed(recorded):
    with recorded.database.writing() as conn:
        rows = conn.execute(closings.of_chain(("uid-1", "shop"))).all()
        fields = {"kind": closings.CLOSING, "sequence": 2, "previous": rows[0].hash, "content_digest": "x"}
        closings.append(conn, ("uid-1", "shop"), fields, recorded.database.key)
    assert any("2 ends" in message for message in messages(recorded))
    with recorded.database.writing() as conn:
        ours = max(rows, key=lambda row: row.sequence).hash
        assert closings.join(conn, ("uid-1", "shop"), ours, recorded.database.key) == 1
        assert closings.join(conn, ("uid-1", "shop"), ours, recorded.database.key) == 0
    assert not any("ends" in message for message in messages(recorded))
    alter(recorded, "DELETE FROM closings WHERE content_digest = 'x'")
    assert "the history that was joined here is missing" in messages(recorded)


def test_older_keys_still_prove(recorded):
    recorded.database.store.key = StateKey(bytes(32), [recorded.database.key])
    assert recorded.verify().findings == ()
    recorded.database.store.key = StateKey(bytes(32))
    assert {finding.serious for finding in recorded.verify().findings} == {False}
