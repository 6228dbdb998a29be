"""A new state key: everything is readable under it, nothing needs the old one, the proof still holds."""

from __future__ import annotations

import stat

import pytest
from ledger_plans import PASSWORD, apply, config_map, install, installed, live, outcome, plan_of, secret
from sqlalchemy import text

from sbkube.errors import StateError
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.state.database import DeploymentDatabase
from sbkube.state.rekey import rotate
from sbkube.state.secrets import key_file, new_key_text
from sbkube.state.tracker import DeploymentTracker

OLD, NEW = new_key_text(), new_key_text()


def reopen(place, *keys):
    return DeploymentTracker(DeploymentDatabase(place, environ={"SBKUBE_STATE_KEY": ",".join(keys)}))


def record(tracker, target, create, value=PASSWORD):
    ops = (apply(secret(value=value)), install())
    lock = tracker.acquire(target, "apply")
    journal = tracker.begin(create, plan_of(*ops), lock)
    journal.intend(ops)
    journal.settle([outcome(ops[0], live(secret(value=value))), installed(ops[1], secret("made"), 1, "raw")])
    for app in ("web", "db"):
        journal.app_ended(app, DeploymentStatus.SUCCESS)
    journal.finish()
    tracker.release(lock)


@pytest.fixture
def used(place, target, create):
    """A database with two deployments under OLD; gives what it is opened with."""
    tracker = reopen(place, OLD)
    record(tracker, target, create)
    record(tracker, target, create, "another")
    tracker.close()
    return place


def readable(tracker):
    detail = tracker.detail("latest~1")
    tracker.plan("latest~1")
    return next(r for r in detail.resources if r.key.name == "login").after["stringData"]["password"]


def test_the_new_key_opens_and_proves_everything_alone(used, target, create):
    done = rotate(used, {"SBKUBE_STATE_KEY": f"{NEW},{OLD}"})
    assert done.blobs > 3 and done.chains == 1
    tracker = reopen(used, NEW)
    assert readable(tracker) == PASSWORD
    assert tracker.verify().findings == ()
    with tracker.database.reading() as conn:
        assert conn.execute(text("SELECT count(DISTINCT key_id) FROM blobs WHERE key_id != ''")).scalar() == 1
    record(tracker, target, create, "third")
    assert tracker.verify().findings == ()
    tracker.close()
    with_old = reopen(used, OLD)
    assert with_old.detail("latest~2").resources[0].missing_key
    with_old.close()


def test_again_changes_nothing(used):
    rotate(used, {"SBKUBE_STATE_KEY": f"{NEW},{OLD}"})
    done = rotate(used, {"SBKUBE_STATE_KEY": f"{NEW},{OLD}"})
    assert (done.blobs, done.chains) == (0, 0)


def test_without_the_old_key_nothing_is_changed(used):
    with pytest.raises(StateError, match="not here; nothing was changed"):
        rotate(used, {"SBKUBE_STATE_KEY": NEW})
    tracker = reopen(used, OLD)
    assert readable(tracker) == PASSWORD and tracker.verify().ok
    tracker.close()


def test_closings_from_before_are_still_proof(used):
    rotate(used, {"SBKUBE_STATE_KEY": f"{NEW},{OLD}"})
    tracker = reopen(used, NEW)
    with tracker.database.writing() as conn:
        conn.execute(text("UPDATE closings SET status = 'failed' WHERE sequence = 1"))
    assert not tracker.verify().ok
    tracker.close()


def test_an_altered_history_is_not_vouched_for(used):
    tracker = reopen(used, OLD)
    with tracker.database.writing() as conn:
        conn.execute(text("UPDATE deployments SET operator = 'mallory'"))
    tracker.close()
    with pytest.raises(StateError, match="must not vouch"):
        rotate(used, {"SBKUBE_STATE_KEY": f"{NEW},{OLD}"})


def test_a_key_file_gets_a_new_key_and_the_old_one_is_put_aside(file, target, create):
    tracker = DeploymentTracker(DeploymentDatabase(file, environ={}))
    record(tracker, target, create)
    record(tracker, target, create, "another")
    tracker.close()
    keys = key_file(file)
    before = keys.read_text()
    done = rotate(file, {})
    assert keys.read_text() != before and done.retired.read_text() == before
    assert {stat.S_IMODE(p.stat().st_mode) for p in (keys, done.retired)} == {0o600}
    later = DeploymentTracker(DeploymentDatabase(file, environ={}))
    assert readable(later) == PASSWORD
    assert later.verify().findings == ()
    later.close()


def test_a_rotation_that_was_cut_off_locks_nobody_out(file, target, create):
    tracker = DeploymentTracker(DeploymentDatabase(file, environ={}))
    record(tracker, target, create)
    record(tracker, target, create)
    tracker.close()
    keys = key_file(file)
    old = keys.read_text().split()
    keys.write_text("\n".join([*old, NEW]))  # as it is when the rotation dies before or after its transaction
    rotate(file, {"SBKUBE_STATE_KEY": ",".join([NEW, *old])})
    later = DeploymentTracker(DeploymentDatabase(file, environ={}))
    assert readable(later) == PASSWORD and later.verify().ok
    later.close()
    rotate(file, {})
    again = DeploymentTracker(DeploymentDatabase(file, environ={}))
    assert readable(again) == PASSWORD and again.verify().findings == ()
    again.close()


def test_there_must_be_a_key(file, target, create):
    tracker = DeploymentTracker(DeploymentDatabase(file, environ={}))
    record(tracker, target, create)
    tracker.close()
    key_file(file).unlink()
    with pytest.raises(StateError, match="no state key"):
        rotate(file, {})


def test_plain_content_needs_no_key(file, target, create):
    """A ledger without secrets may get its first key later: the seal proves what came before."""
    bare = DeploymentTracker(DeploymentDatabase(file, environ={}))
    bare.database.key = bare.database.store.key = None
    with bare.track_deployment(create) as handle:
        app = bare.track_app_deployment(handle, app_name="web", app_type="yaml")
        bare.track_resource(app, api_version="v1", kind="ConfigMap", name="a", current_state=config_map())
    bare.close()
    assert rotate(file, {"SBKUBE_STATE_KEY": NEW}).chains == 1
    tracker = reopen(file, NEW)
    assert tracker.verify().findings == ()
    tracker.close()
