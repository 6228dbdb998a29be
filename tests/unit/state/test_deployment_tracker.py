"""The tracker's own logic, without a database. The form of the first test is fixed: users test like this."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from itertools import count
from unittest.mock import MagicMock, patch

import pytest

from sbkube.errors import StateNotWritable
from sbkube.state.tracker import DeploymentTracker

FIELDS = {
    "cluster": "k3s",
    "namespace": "default",
    "app_config_dir": "config",
    "config_file_path": "config/sbkube.yaml",
    "command": "deploy",
    "config_snapshot": {"apps": {}},
}


# fmt: off
@patch('sbkube.state.tracker.DeploymentDatabase')
def test_track_deployment(mock_db_class):
    mock_db = mock_db_class.return_value
    mock_deployment = MagicMock()
    mock_deployment.id = 123
    mock_deployment.deployment_id = "test-deploy"
    mock_db.create_deployment.return_value = mock_deployment

    tracker = DeploymentTracker()
    result = tracker.track_deployment({
        "deployment_id": "test-deploy", "cluster": "k3s", "namespace": "default", "app_config_dir": "config",
        "config_file_path": "config/sbkube.yaml", "command": "deploy", "config_snapshot": {"apps": {}}})

    assert result is not None
    assert 123 in tracker.active_deployments
# fmt: on


@pytest.fixture
def database():
    """A stand-in that hands out records with growing keys."""
    numbers = count(1)

    def record(_: object) -> MagicMock:
        number = next(numbers)
        return MagicMock(id=number, deployment_id=f"dep-{number}", created_at=datetime.now(UTC))

    with patch("sbkube.state.tracker.DeploymentDatabase") as database_class:
        database_class.return_value.create_deployment.side_effect = record
        yield database_class.return_value


def test_the_fields_may_be_given_as_arguments(database):
    handle = DeploymentTracker().track_deployment(**FIELDS)
    assert handle.deployment_id == "dep-1"
    (create,) = database.create_deployment.call_args.args
    assert create.command == "deploy"


def test_an_entry_says_what_is_running(database):
    tracker = DeploymentTracker()
    tracker.track_deployment(FIELDS)
    entry = tracker.active_deployments[1]
    assert entry["deployment_id"] == "dep-1"
    assert entry["created_at"].utcoffset().total_seconds() == 0
    assert entry["status"] == "active"


def test_a_dry_run_is_not_recorded(database):
    tracker = DeploymentTracker()
    assert tracker.track_deployment({**FIELDS, "dry_run": True}) is None
    assert tracker.active_deployments == {}
    database.create_deployment.assert_not_called()


@pytest.mark.parametrize("data", [{**FIELDS, "colour": "red"}, {"cluster": "k3s"}])
def test_unknown_and_missing_fields_raise(database, data):
    with pytest.raises(ValueError, match="deployment fields"):
        DeploymentTracker().track_deployment(data)


def test_both_forms_at_once_raise(database):
    with pytest.raises(ValueError, match="not both"):
        DeploymentTracker().track_deployment(FIELDS, cluster="other")


def test_leaving_the_block_finishes_the_deployment(database):
    tracker = DeploymentTracker()
    with tracker.track_deployment(FIELDS):
        assert 1 in tracker.active_deployments
    assert tracker.active_deployments == {}
    database.finish_deployment.assert_called_once_with(1, None)


def test_an_exception_is_recorded_and_propagates(database):
    tracker = DeploymentTracker()
    with pytest.raises(RuntimeError, match="boom"), tracker.track_deployment(FIELDS):
        raise RuntimeError("boom")
    database.finish_deployment.assert_called_once_with(1, "RuntimeError: boom")
    assert tracker.active_deployments == {}


def test_finishing_twice_records_once(database):
    handle = DeploymentTracker().track_deployment(FIELDS)
    handle.finish()
    handle.finish()
    database.finish_deployment.assert_called_once()


def test_what_cannot_be_recorded_stops_the_work(database):
    database.create_deployment.side_effect = StateNotWritable("disk full")
    tracker = DeploymentTracker()
    with pytest.raises(StateNotWritable):
        tracker.track_deployment(FIELDS)
    assert tracker.active_deployments == {}


def test_several_deployments_in_several_threads(database):
    tracker = DeploymentTracker()
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for _ in range(20):
            tracker.track_deployment(FIELDS)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tracker.active_deployments) == 160
