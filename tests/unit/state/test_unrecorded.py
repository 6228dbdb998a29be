"""Outcomes that the database could not take come back into it: exit 6, then import, then the history is true."""

from __future__ import annotations

import json

import pytest
from ledger_plans import PASSWORD, apply, config_map, delete, install, installed, live, outcome, plan_of, secret

from sbkube.errors import StateError, StateLocked
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.outcome import OpState
from sbkube.models.resource import ResourceKey

OPS = (apply(config_map()), apply(secret()), install(), delete(live(config_map("old"))))


@pytest.fixture
def cut_off(tracker, target, create):
    """A run whose intents are committed, whose lock is gone, and the outcomes that never arrived."""
    lock = tracker.acquire(target, "apply")
    journal = tracker.begin(create, plan_of(*OPS), lock)
    journal.intend(OPS)
    tracker.release(lock)
    outcomes = [
        outcome(OPS[0], live(config_map())),
        outcome(OPS[1], live(secret())),
        installed(OPS[2], config_map("db"), 1, f"raw {PASSWORD}"),
        outcome(OPS[3]),
    ]
    return journal.record.deployment_id, outcomes


def written(tracker, name, outcomes):
    return json.dumps(tracker.dump_outcomes(name, outcomes)).encode()


def test_history_is_true_afterwards(tracker, target, cut_off):
    name, outcomes = cut_off
    data = written(tracker, name, outcomes)
    assert PASSWORD.encode() not in data
    done = tracker.import_outcomes(data)
    assert (done.settled, done.known, done.left) == (4, 0, 0)
    detail = tracker.detail(name)
    assert detail.deployment.status is DeploymentStatus.INTERRUPTED
    assert {row.state for row in detail.resources} == {OpState.APPLIED}
    images = {row.key.name: row.after for row in detail.resources}
    assert images["login"]["stringData"] == {"password": PASSWORD} and images["old"] is None
    assert detail.releases[0].revision_after == 1
    assert {key.name for key in tracker.inventory(target)} == {"web", "login", "db"}
    assert tracker.unsettled(target) == () and tracker.verify().ok


def test_again_changes_nothing(tracker, cut_off):
    data = written(tracker, *cut_off)
    tracker.import_outcomes(data)
    before = tracker.detail("latest"), tracker.verify()
    assert tracker.import_outcomes(data).known == 4
    assert (tracker.detail("latest"), tracker.verify()) == before


def test_what_the_file_does_not_know_stays_open(tracker, target, cut_off):
    name, outcomes = cut_off
    done = tracker.import_outcomes(written(tracker, name, outcomes[:2]))
    assert (done.settled, done.left) == (2, 2)
    (detail,) = tracker.unsettled(target)
    assert [row.operation for row in detail.resources if row.state.open] == [OPS[3].id]


def test_without_a_key_objects_are_known_by_uid(tracker, target, cut_off):
    name, outcomes = cut_off
    tracker.database.key = None
    tracker.import_outcomes(written(tracker, name, outcomes))
    found = tracker.inventory(target)
    known = found[ResourceKey.of(config_map())]
    assert (known.uid, known.resource_version) == ("u-1", "10")
    row = next(row for row in tracker.detail(name).resources if row.key.name == "web")
    assert row.missing_key and row.after is None
    assert tracker.detail(name).releases[0].revision_after == 1


def test_a_living_run_is_left_alone(tracker, target, create):
    journal = tracker.begin(create, plan_of(OPS[0]), tracker.acquire(target, "apply"))
    journal.intend(OPS[:1])
    with pytest.raises(StateLocked):
        tracker.import_outcomes(written(tracker, journal.record.deployment_id, [outcome(OPS[0])]))


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"schema": "sbkube/outcomes/v9"}'])
def test_another_file_is_refused(tracker, data):
    with pytest.raises(StateError, match="nothing was imported"):
        tracker.import_outcomes(data)
