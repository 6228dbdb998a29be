"""Export and import between any two databases: complete, repeatable, provable afterwards, and safe from damage."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ledger_plans import PASSWORD, apply, config_map, delete, install, installed, live, outcome, plan_of, secret
from sqlalchemy import text

from sbkube.errors import StateError, StateLocked, UsageError
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.state.database import DeploymentDatabase
from sbkube.state.packing import zstd
from sbkube.state.secrets import new_key_text
from sbkube.state.tracker import DeploymentTracker

KEY = new_key_text()


@pytest.fixture
def make(request, tmp_path) -> Iterator[object]:
    """Makes trackers on databases of their own: `sqlite` or `postgres`, under one key unless another is given."""
    opened = []

    def one(kind: str = "sqlite", key: str = KEY) -> DeploymentTracker:
        environ = {"SBKUBE_STATE_KEY": key}
        if kind == "sqlite":
            place = tmp_path / f"s{len(opened)}" / "deployments.db"
        else:
            server = request.getfixturevalue("postgres_server")
            place = server.database()
            request.addfinalizer(lambda: server.drop(place))
        tracker = DeploymentTracker(DeploymentDatabase(place, environ=environ))
        opened.append(tracker)
        return tracker

    yield one
    for tracker in opened:
        tracker.close()


def run(tracker, target, create, *bodies, name=None, secrets=False):
    """One deployment that applies these objects (with `secrets` also a release)."""
    ops = [apply(body) for body in bodies] + ([install()] if secrets else [])
    lock = tracker.acquire(target, "apply")
    journal = tracker.begin(replace(create, deployment_id=name), plan_of(*ops), lock)
    journal.intend(ops)
    journal.settle([outcome(op, live(op.desired)) for op in ops if op.desired])
    if secrets:
        journal.settle([installed(ops[-1], config_map("db"), 1, f"raw {PASSWORD}")])
    for app in {op.app for op in ops}:
        journal.app_ended(app, DeploymentStatus.SUCCESS)
    record = journal.finish()
    tracker.release(lock)
    return record


def ids(tracker):
    return [record.deployment_id for record in tracker.list_deployments(limit=None)]


def everything(tracker):
    """All that is recorded, without the integer keys."""
    found = {}
    for name in ids(tracker):
        detail = tracker.detail(name)
        rows = [(r.operation, r.state, r.uid, r.intent, r.before, r.after, r.checksum) for r in detail.resources]
        releases = [(r.release_name, r.revision_after, r.values_digest) for r in detail.releases]
        told = [(e.kind, e.message, e.detail) for e in detail.events]
        found[name] = (replace(detail.deployment, id=0), [a.app_name for a in detail.apps], rows, releases, told)
    return found


PAIRS = [("sqlite", "postgres"), ("postgres", "sqlite"), ("sqlite", "sqlite")]


@pytest.mark.parametrize(("source", "sink"), PAIRS)
def test_everything_comes_across_and_stays_provable(make, target, create, tmp_path, source, sink):
    here, there = make(source), make(sink)
    run(here, target, create, config_map(), secret(), secrets=True)
    run(here, target, create, config_map(value="2"))
    file = tmp_path / "out.zst"
    exported = here.export_to(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD.encode() not in file.read_bytes()
    done = there.import_from(file)
    assert (exported.deployments, done.deployments.added) == (2, 2)
    assert everything(there) == everything(here)
    assert there.inventory(target) == here.inventory(target)
    assert there.plan(ids(here)[1]) == here.plan(ids(here)[1])
    assert there.verify().findings == ()
    assert there.holder(target) is None


def test_again_changes_nothing(make, target, create, tmp_path):
    here, there = make(), make()
    run(here, target, create, config_map())
    here.export_to(tmp_path / "out")
    there.import_from(tmp_path / "out")
    before = everything(there), there.verify()
    done = there.import_from(tmp_path / "out")
    assert (done.deployments.added, done.deployments.known) == (0, 1)
    assert (everything(there), there.verify()) == before


def test_two_histories_become_one_in_the_order_of_time(make, target, create, tmp_path):
    anna, ben = make(), make("postgres")
    for number, tracker in enumerate([anna, ben, anna, ben]):
        run(tracker, target, create, config_map(value=str(number)), name=f"run-{number}")
    anna.export_to(tmp_path / "anna")
    done = ben.import_from(tmp_path / "anna")
    assert done.deployments.added == 2
    assert ids(ben) == ["run-3", "run-2", "run-1", "run-0"]
    assert ben.detail("latest", target).deployment.deployment_id == "run-3"
    (known,) = ben.inventory(target).values()
    assert known.deployment_id == "run-3"
    assert [d.deployment.deployment_id for d in ben.since("run-2", target)] == ["run-2", "run-3"]
    assert ben.verify().findings == ()
    run(ben, target, create, config_map(value="4"), name="run-4")
    ben.export_to(tmp_path / "ben")
    anna.import_from(tmp_path / "ben")
    assert ids(anna) == ["run-4", "run-3", "run-2", "run-1", "run-0"]
    assert anna.verify().findings == () and everything(anna) == everything(ben)
    with anna.database.writing() as conn:  # the end of the joined history is gone
        conn.execute(text("DELETE FROM closings WHERE deployment_id = 'run-0'"))
    assert not anna.verify().ok


def test_copies_that_went_apart_are_joined(make, target, create, tmp_path):
    anna, ben = make(), make()
    run(anna, target, create, config_map(), name="both")
    anna.export_to(tmp_path / "start")
    ben.import_from(tmp_path / "start")
    run(anna, target, create, config_map(value="a"), name="of-anna")
    run(ben, target, create, config_map(value="b"), name="of-ben")
    ben.export_to(tmp_path / "ben")
    assert anna.import_from(tmp_path / "ben").deployments.known == 1
    assert ids(anna) == ["of-ben", "of-anna", "both"]
    assert anna.verify().findings == ()


def test_the_newer_form_of_a_deployment_wins(make, target, create, tmp_path):
    here, copy = make(), make()
    op, lock = apply(config_map()), here.acquire(target, "apply")
    journal = here.begin(replace(create, deployment_id="one"), plan_of(op), lock)
    journal.intend([op])
    here.export_to(tmp_path / "running")
    copy.import_from(tmp_path / "running")
    assert copy.detail("one").resources[0].state.open
    journal.settle([outcome(op, live(config_map()))])
    journal.finish()
    here.export_to(tmp_path / "ended")
    assert copy.import_from(tmp_path / "ended").deployments.replaced == 1
    assert everything(copy) == everything(here)
    assert copy.import_from(tmp_path / "running").deployments.known == 1
    assert everything(copy) == everything(here) and copy.verify().ok


def test_a_rollback_elsewhere_is_taken_over(make, target, create, tmp_path):
    here, there = make(), make()
    first = run(here, target, create, config_map())
    here.export_to(tmp_path / "a")
    there.import_from(tmp_path / "a")
    gone = delete(live(config_map()))
    lock = here.acquire(target, "rollback")
    journal = here.begin(create, plan_of(gone, purpose="rollback", parent=first.deployment_id), lock)
    journal.intend([gone])
    journal.settle([outcome(gone)])
    journal.finish()
    here.database.update_deployment_status(first.deployment_id, "rolled_back")
    here.export_to(tmp_path / "b")
    there.import_from(tmp_path / "b")
    assert there.detail(first.deployment_id).deployment.status is DeploymentStatus.ROLLED_BACK
    assert there.inventory(target) == {} and there.verify().ok


def test_another_key_is_named_and_may_stand_beside_ours(make, target, create, tmp_path):
    other = new_key_text()
    here, there = make(key=other), make()
    run(here, target, create, secret())
    here.export_to(tmp_path / "out")
    done = there.import_from(tmp_path / "out")
    assert done.foreign_keys == (here.database.key.key_id,)
    assert there.detail("latest").resources[0].missing_key
    assert {f.message for f in there.verify().findings} == {"its closing was made with a key that is not here"}
    both = DeploymentDatabase(there.database.location.file, environ={"SBKUBE_STATE_KEY": f"{KEY},{other}"})
    later = DeploymentTracker(both)
    assert later.detail("latest").resources[0].after["stringData"] == {"password": PASSWORD}
    assert later.verify().findings == ()
    later.close()


def test_what_is_damaged_is_refused_as_a_whole(make, target, create, tmp_path):
    here, there = make(), make()
    for number in range(3):
        run(here, target, create, config_map(value=str(number)))
    file = tmp_path / "out"
    here.export_to(file)
    good = file.read_bytes()
    for bad in (good[:-20], good[:200], b"", b"no export", good[:300] + b"\0" + good[301:], good + good):
        file.write_bytes(bad)
        with pytest.raises(StateError, match="damaged"):
            there.import_from(file)
    assert ids(there) == []


@pytest.mark.parametrize(
    ("line", "change"),
    [
        (0, lambda head: head.update(counts=None)),
        (1, lambda line: line["blob"].pop("content")),
        (1, lambda line: line["blob"].update(codec="zstd2")),
        (-2, lambda line: line["bundle"].pop("apps")),
        (-2, lambda line: line["bundle"]["deployment"].update(created_at="yesterday")),
        (-2, lambda line: line["bundle"]["resources"][0].update(app=7)),
    ],
)
def test_a_file_that_somebody_else_wrote_is_refused_as_a_whole(make, target, create, tmp_path, line, change):
    """Its checksum is right, but what is in it is not ours."""
    here, there, file = make(), make(), tmp_path / "out"
    run(here, target, create, config_map())
    here.export_to(file)
    lines = [json.loads(text) for text in zstd.decompress(file.read_bytes()).splitlines()]
    change(lines[line])
    body = b"".join(json.dumps(text).encode() + b"\n" for text in lines[:-1])
    end = {**lines[-1], "sha256": hashlib.sha256(body).hexdigest()}
    file.write_bytes(zstd.compress(body + json.dumps(end).encode() + b"\n"))
    with pytest.raises(StateError, match="nothing was imported"):
        there.import_from(file)
    assert ids(there) == []


def test_what_was_altered_before_the_export_is_refused(make, target, create, tmp_path):
    here, there = make(), make()
    run(here, target, create, config_map(), name="one")
    with here.database.writing() as conn:
        conn.execute(text("UPDATE deployments SET operator = 'mallory'"))
    here.export_to(tmp_path / "out")
    with pytest.raises(StateError, match="not what was recorded when it ended"):
        there.import_from(tmp_path / "out")
    assert ids(there) == []


def test_an_import_waits_for_nobody_and_disturbs_nobody(make, target, create, tmp_path):
    here, there = make(), make("postgres")
    run(here, target, create, config_map())
    here.export_to(tmp_path / "out")
    lock = there.acquire(target, "apply")
    with pytest.raises(StateLocked, match="nothing was imported"):
        there.import_from(tmp_path / "out")
    there.release(lock)
    there.import_from(tmp_path / "out")


def test_an_existing_file_is_not_overwritten(make, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError):
        make().export_to(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"
